// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

func TestDifferentQueries(t *testing.T) {
	t.Parallel()

	base := auditlog.Query{
		Actions: []string{"a", "b"}, Operations: []auditlog.Operation{auditlog.OperationDelete, auditlog.OperationCreate},
		Actors: []string{"mülle"}, IPAddresses: []string{"2001:DB8:0::/32", "203.0.113.7"}, Search: "Straße",
	}

	for name, c := range map[string]struct {
		other auditlog.Query
		want  []string
	}{
		"itself": {base, nil},
		"another spelling": {auditlog.Query{
			Actions:       []string{"b", "a", "b"},
			Operations:    []auditlog.Operation{auditlog.OperationCreate, auditlog.OperationDelete},
			ResourceTypes: []string{}, Actors: []string{"mu\u0308lle"},
			IPAddresses: []string{"::ffff:203.0.113.7", "2001:db8::/32"}, Search: "STRASSE",
		}, nil},
		"nothing": {auditlog.Query{}, []string{"actions", "operations", "actors", "ip_addresses", "search"}},
		"another": {auditlog.Query{
			Actions: []string{"a"}, Operations: base.Operations, Actors: base.Actors, Search: base.Search, ResourceIDs: []string{"1"},
			IPAddresses: []string{"2001:db8::/33", "203.0.113.7"},
		}, []string{"actions", "resource_ids", "ip_addresses"}},
	} {
		if diff := cmp.Diff(c.want, base.Different(c.other)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}

		if diff := cmp.Diff(c.want, c.other.Different(base)); diff != "" {
			t.Errorf("%s, the other way round (-want +got):\n%s", name, diff)
		}
	}
}
