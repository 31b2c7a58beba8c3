// SPDX-License-Identifier: MPL-2.0

package task

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

const managedServer = "00000000-0000-4000-8000-00000000000a"

// plannedDrift is what Terraform saw change of a server whose address and whose labels name a person, and of something
// that the log does not tell.
func plannedDrift(r Redaction) *Drift {
	before, after := `"anna.keller"`, `"ben.mueller"`
	seen := &drift.Seen{Changes: []auditlog.Change{
		{Field: "labels.owner", Before: &before, After: &after}, {Field: "labels.anna.keller", After: &after},
	}}

	return &Drift{
		Question: Question{Arguments: &query.Arguments{Last: "2h"}, Now: reportNow}, Redact: r, AsOf: reportNow,
		Resources: []drift.Resource{
			{Address: `upcloud_server.of["anna.keller"]`, Type: "upcloud_server", ID: managedServer, Seen: seen},
			{Address: `upcloud_tag.of["anna.keller"]`, Type: "upcloud_tag", ID: "anna.keller"},
			{Address: "upcloud_server.plain", Type: "upcloud_server", ID: "00000000-0000-4000-8000-00000000000b", Seen: seen},
		},
		Pipeline: Pipeline{Actors: []string{"ben.mueller"}},
	}
}

func touched() *still {
	s := secretive()
	e := &s.entries[0]
	e.ResourceID, e.Operation, e.Action = managedServer, auditlog.OperationUpdate, "update"

	return s
}

// TestWhatTerraformSawIsRedacted: a plan repeats what entries hold, in addresses as well as in values.
func TestWhatTerraformSawIsRedacted(t *testing.T) {
	t.Parallel()

	secrets := []string{"anna", "keller", "ben.", "mueller"}
	r := redaction(t, map[string]string{"actor": redact.Mask})

	got, found := plannedDrift(r).Run(t.Context(), touched())
	if found.HasError() || len(got.Changed) != 1 || len(got.Unexplained) != 1 || len(got.Unmatched) != 1 {
		t.Fatalf("%+v, %v", got, found)
	}

	changes, err := json.Marshal([]any{got.Changed[0].Seen.Changes, got.Unexplained[0].Seen.Changes})
	if err != nil {
		t.Fatal(err)
	}

	text := fmt.Sprintf("%+v %+v %v %s", got.Changed, got.Unmatched, found, changes)

	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s is there: %s", secret, text)
		}
	}

	if got.Changed[0].Address != "upcloud_server.***" || got.Unexplained[0].Address != "upcloud_server.plain" ||
		got.Unmatched[0].Example != "upcloud_tag.***" || got.Changed[0].Seen.Changes[0].Field != "labels.owner" {
		t.Errorf("%s", text)
	}

	// Where changes are kept, so is what Terraform saw.
	r = redaction(t, map[string]string{"actor": redact.Mask, "changes": redact.Keep})
	if got, _ = plannedDrift(r).Run(t.Context(), touched()); *got.Changed[0].Seen.Changes[0].After != `"ben.mueller"` {
		t.Errorf("%+v", got.Changed[0].Seen)
	}

	path := filepath.Join(t.TempDir(), "page.html")
	x := reportOf(path, format.HTML, redaction(t, map[string]string{"actor": redact.Mask}))
	x.Report.Drift = plannedDrift(nil)

	if written, found := x.Run(t.Context(), touched()); written == nil || found.HasError() {
		t.Fatal(found)
	}

	page := readFiles(t, path)
	for _, secret := range secrets {
		if strings.Contains(page, secret) {
			t.Errorf("%s is on the page", secret)
		}
	}

	if !strings.Contains(page, "upcloud_server.***") || !strings.Contains(page, "labels.owner: &#34;***&#34; → &#34;***&#34;") {
		t.Error("what was changed is not on the page")
	}
}

// TestWhatTerraformSawOfARedactedExport: the values are hidden where the export was made without changes.
func TestWhatTerraformSawOfARedactedExport(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "kept.ndjson")

	x := reportOf(path, format.NDJSON, redaction(t, map[string]string{"actor": redact.Mask}))
	if written, found := x.Run(t.Context(), touched()); written == nil || found.HasError() {
		t.Fatal(found)
	}

	d := plannedDrift(nil)
	d.Pipeline = Pipeline{IPAddresses: []string{"198.51.100.1"}}
	o := ReportOf{
		Path: path, InfoOf: source.InfoOf, Spec: export.Spec{Path: filepath.Join(t.TempDir(), "page.html")},
		Report: Report{Drift: d}, Now: reportNow.Add(time.Hour),
	}

	if written, found := o.Run(t.Context()); written == nil || found.HasError() {
		t.Fatal(found)
	}

	page := readFiles(t, o.Spec.Path)
	if strings.Contains(page, "mueller") || !strings.Contains(page, "labels.owner: &#34;***&#34; → &#34;***&#34;") {
		t.Error("what the export does not hold is on the page")
	}
}

// TestALifeTellsALateEntryOnce also where a log has it behind younger ones, and another log in its place.
func TestALifeTellsALateEntryOnce(t *testing.T) {
	t.Parallel()

	late, archived := secretive(), secretive()
	for i := range late.entries {
		late.entries[i].ResourceID, archived.entries[i].ResourceID = managedServer, managedServer
	}

	e := late.entries[0]
	late.entries = append(late.entries[1:], e)
	archived.info.Name, archived.info.ArchivedFrom = auditlog.ServiceArchive, auditlog.ServiceUpCloud

	l := Life{
		Question: Question{Arguments: &query.Arguments{Last: "2h"}, Now: reportNow}, Redact: redaction(t, nil),
		Of: drift.TargetNamed(managedServer),
	}

	told, found := l.Run(t.Context(), archived, late)
	if found.HasError() || len(told.Entries) != len(late.entries) || !told.Conclusive() {
		t.Errorf("%d entries, %v", len(told.Entries), found)
	}
}

// TestAPipelineThatIsRedactedInPart counts as people there, which is said.
func TestAPipelineThatIsRedactedInPart(t *testing.T) {
	t.Parallel()

	for _, inPart := range []bool{true, false} {
		s := touched()
		if inPart {
			s.info.RedactedInPart = []string{"actor"}
		}

		got, found := plannedDrift(redaction(t, nil)).Run(t.Context(), s)
		if got == nil || strings.Contains(fmt.Sprint(found), "redacted form what would be actor, and count as done by hand") != inPart {
			t.Errorf("in part: %v, %v", inPart, found)
		}
	}
}

// TestAnUnknownActionIsNamed where the answer is not conclusive because of it, also beside a page.
func TestAnUnknownActionIsNamed(t *testing.T) {
	t.Parallel()

	const want = "they may have created something that no state holds"

	s := touched()
	s.entries[1].Action, s.entries[1].Operation, s.entries[1].Actor = "sublimate", auditlog.OperationOther, "anna.keller"

	got, found := plannedDrift(redaction(t, nil)).Run(t.Context(), s)
	if got == nil || got.Conclusive() || strings.Count(fmt.Sprint(found), want) != 1 ||
		!strings.Contains(fmt.Sprint(found), "sublimate") {
		t.Errorf("%v", found)
	}

	x := reportOf(filepath.Join(t.TempDir(), "page.html"), format.HTML, redaction(t, nil))
	x.Report.Drift = plannedDrift(nil)

	written, found := x.Run(t.Context(), s)
	if written == nil || strings.Count(fmt.Sprint(found), want) != 1 {
		t.Errorf("%v", found)
	}
}
