// SPDX-License-Identifier: MPL-2.0

package torchwoodtest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// checkProof checks the log's part of a proof by Torchwood, and that it holds for nothing
// else.
func (l *log) checkProof(t *testing.T, text string, number int) error {
	t.Helper()

	head, rest, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")

	c, err := l.checkpoint(t, []byte(rest))
	if err != nil {
		return err
	}

	data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}

	var extra struct {
		Manifest string `json:"manifest"`
	}
	if err := json.Unmarshal(data, &extra); err != nil {
		return err
	}

	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil || index != int64(number-1) {
		return fmt.Errorf("its index is %d, %w", index, err)
	}

	path := torchwood.HashProof{}

	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}

		path = append(path, h)
	}

	check := func(path torchwood.HashProof, index int64, manifest string) error {
		return torchwood.CheckHash(path, c.N, c.Hash, tlog.StoredHashIndex(0, index), tlog.RecordHash([]byte(manifest)))
	}

	if err := check(path, index, extra.Manifest); err != nil {
		return err
	}

	if check(path, index, extra.Manifest+" ") == nil ||
		check(append(slices.Clone(path), tlog.Hash{}), index, extra.Manifest) == nil {
		return errors.New("it holds for another manifest, or with a longer path")
	}

	if len(path) > 0 && (check(path[1:], index, extra.Manifest) == nil || check(path, index^1, extra.Manifest) == nil) {
		return errors.New("it holds with a shorter path, or in another place")
	}

	return nil
}
