// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Protected is what protects some objects of an archive, or that nothing does.
type Protected struct {
	// Mode is "compliance", "governance", "legal-hold", "read-only", or "none".
	Mode string `json:"mode"`
	// Until is when the first of them is no longer protected, "" where it has no end.
	Until   string            `json:"until"`
	Objects []ProtectedObject `json:"objects"`
}

// ProtectedObject is one of them.
type ProtectedObject struct {
	Key   string `json:"key"`
	Until string `json:"until"`
}

const (
	// Unprotected is the mode of objects that nothing is known to protect.
	Unprotected = "none"
	legalHold   = "legal-hold"
)

// protected groups the objects that were read by what protects them.
func (v *verification) protected() []Protected {
	groups := map[string]*Protected{}

	for _, key := range slices.Sorted(maps.Keys(v.store.protections)) {
		mode, until := protectionAt(v.store.protections[key], v.o.Now)
		if groups[mode] == nil {
			groups[mode] = &Protected{Mode: mode, Until: until}
		}

		groups[mode].Until = min(groups[mode].Until, until)
		groups[mode].Objects = append(groups[mode].Objects, ProtectedObject{key, until})
	}

	all := make([]Protected, 0, len(groups))
	for _, mode := range slices.Sorted(maps.Keys(groups)) {
		all = append(all, *groups[mode])
	}

	return all
}

// protectionAt is what protects an object at a time, and until when.
func protectionAt(p durable.Protection, now time.Time) (mode, until string) {
	switch {
	case !p.Until.IsZero() && p.Until.After(now):
		return p.Mode, auditlog.FormatTime(p.Until)
	case p.LegalHold:
		return legalHold, ""
	case p.Until.IsZero():
		return cmp.Or(p.Mode, Unprotected), ""
	default:
		return Unprotected, ""
	}
}
