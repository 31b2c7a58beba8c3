// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"maps"
	"slices"
	"strings"
)

// Small lowers the limits, so that small files have many chunks and batches.
func (s *Service) Small(chunkRecords, recordBytes, batchBytes int) *Service {
	s.limits = limits{
		chunkRecords: chunkRecords, chunkBytes: recordBytes, recordBytes: recordBytes,
		batchBytes: batchBytes,
	}

	return s
}

// Texts makes the service read from memory.
func (s *Service) Texts(texts map[string]string) *Service {
	s.find = func() ([]source, error) {
		sources := []source{}

		for _, name := range slices.Sorted(maps.Keys(texts)) {
			sources = append(sources,
				source{name: name, open: func() (content, error) { return memory{strings.NewReader(texts[name])}, nil }})
		}

		return sources, nil
	}

	return s
}
