// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"net/netip"
	"net/url"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// pushdown returns the part of a query that the service may apply without its
// answer becoming narrower than ours. Arrays repeat their key, as the generated
// clients of the vendor do. The window is not part of it.
func pushdown(q auditlog.Query) url.Values {
	v := url.Values{}

	add := func(key string, values []string) {
		if len(values) > 0 {
			v[key] = slices.Clone(values)
		}
	}

	// Operations are left to us: which actions mean one is an open set.
	add("actions", q.Actions)
	add("origins", q.Origins)
	add("resource_types", q.ResourceTypes)

	if word, ok := keyword(q); ok {
		v.Set("q", word)
	}

	return v
}

// keyword returns the one exact value that the service can look for. Whether it
// looks for parts or for the whole is not documented; the whole value is found
// either way. IPv6 addresses have several spellings and are left to us.
func keyword(q auditlog.Query) (string, bool) {
	switch {
	case len(q.ResourceIDs) == 1:
		return q.ResourceIDs[0], q.ResourceIDs[0] != ""
	case len(q.Actors) == 1:
		return q.Actors[0], q.Actors[0] != ""
	case len(q.IPAddresses) == 1:
		a, err := netip.ParseAddr(q.IPAddresses[0])

		return q.IPAddresses[0], err == nil && a.Is4()
	default:
		return "", false
	}
}
