// SPDX-License-Identifier: MPL-2.0

package explain_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

// Every fault of a file is said in words of its own, with what to give instead.
func TestInventories(t *testing.T) {
	t.Parallel()

	seen := map[string]drift.Fault{}

	for _, fault := range []drift.Fault{
		drift.Empty, drift.NotJSON, drift.BinaryPlan, drift.NotUTF8, drift.MessageLines, drift.Encrypted, drift.OtherFormat,
		drift.OldTerraform, drift.FailedPlan, drift.Unknown,
	} {
		p := explain.Inventory(&drift.InputError{Fault: fault, Version: "0.12"}, "state.json")

		if other, twice := seen[string(p.Cause)]; twice || len(p.Summary) > 60 || p.Next == "" {
			t.Errorf("%s (as %s): %+v", fault, other, p)
		}

		seen[string(p.Cause)] = fault
	}

	want := `The state was written by a Terraform that did not note which provider a resource is of.

File: state.json
Terraform: 0.12.31

Let Terraform 0.13 or later write the state once, such as by terraform apply -refresh-only.`
	old := &drift.InputError{Fault: drift.OldTerraform, Version: "0.12.31"}

	if got := explain.Inventory(old, "state.json").Detail(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	want = `The file cannot be read: permission denied.

File: state.json

Give a plan or a state as terraform show -json prints it, or a state as terraform state pull prints it.`
	denied := &fs.PathError{Op: "open", Path: "state.json", Err: errors.New("permission denied")}

	if got := explain.Inventory(denied, "state.json").Detail(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDrifted(t *testing.T) {
	t.Parallel()

	info := auditlog.Info{Name: "upcloud", Title: "UpCloud"}
	r := &drift.Result{
		Entries: 5, Unattributed: 2, Chosen: map[string][]string{"ci": {"1", "2"}}, Unmatched: []drift.Unmatched{
			{Reason: drift.ForeignProvider, Type: "dns_record", Count: 3, Example: "dns_record.a"},
			{Reason: drift.OtherService, Type: "cloudscale_server", Count: 1, Example: "cloudscale_server.a"},
			{Reason: drift.NotInLog, Type: "upcloud_tag", Count: 1, Example: "upcloud_tag.a"},
			{Reason: drift.NotInLog, Type: "upcloud_router", Count: 2, Example: "upcloud_router.a"},
		},
	}

	found := explain.Drifted(info, r, true)
	want := []string{
		"The pipeline is named as anybody could be",
		"Resources cannot be told from the log for certain", "Resources are not of the log that is read",
		"Entries do not say what they are about",
	}

	if len(found) != len(want) {
		t.Fatalf("got %+v", found)
	}

	for i, p := range found {
		if p.Summary != want[i] || !p.Warning || len(p.Summary) > 60 {
			t.Errorf("got %+v, want %s", p, want[i])
		}
	}

	detail := `There are resources for which finding nothing does not mean that nothing happened.

Service: upcloud
The log is not known to record this type, so that finding nothing proves nothing: 1 × upcloud_tag, 2 × upcloud_router, such as upcloud_tag.a

Take it into account: Terraform itself notices when they change.`
	if got := found[1].Detail(); got != detail {
		t.Errorf("got\n%s\nwant\n%s", got, detail)
	}

	found = explain.Drifted(info, &drift.Result{
		Entries: 5, ByPipeline: 3, Resources: 2, Former: 1,
		FormerExample: auditlog.Entry{ResourceType: "server", ResourceID: "1"},
	}, true)
	if len(found) != 2 || found[0].Summary != "Things that no state holds were changed by hand" ||
		!strings.Contains(found[0].Detail(), `Such as: "server 1"`) ||
		found[1].Summary != "The pipeline works on other things than was given" {
		t.Errorf("got %+v", found)
	}

	made := time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)
	r = &drift.Result{Entries: 5, ByPipeline: 3, Matched: 1, Trusted: map[string][]string{"ci": {"1", "2"}}}
	r.Unexplained = []drift.Row{{}, {Seen: &drift.Seen{At: made}}, {Seen: &drift.Seen{At: made}}}

	for days, want := range map[int]string{
		1: "The plan is older than the window", -2: "The plan is newer than the window", 0: "",
	} {
		r.Completeness.Window.Start = made.AddDate(0, 0, days).Add(-time.Hour)
		r.Completeness.Window.End = r.Completeness.Window.Start.Add(24 * time.Hour)

		found = explain.Drifted(info, r, true)
		if found[0].Summary != "The pipeline is known by what anybody can choose" || (len(found) > 1) != (want != "") ||
			want != "" && found[1].Summary != want {
			t.Errorf("%d days later: got %+v", days, found)
		}
	}

	// A name that is not unique says why the pipeline did nothing; without one it may be misspelt.
	found = explain.Drifted(info, &drift.Result{Entries: 5}, true)
	if len(found) != 1 || found[0].Summary != "The pipeline did nothing within the window" {
		t.Errorf("got %+v", found)
	}

	if found = explain.Drifted(info, &drift.Result{Entries: 5}, false); len(found) != 0 {
		t.Errorf("got %+v", found)
	}
}

// What is too much is told with its limit and with how it becomes less.
func TestTooMuchDrift(t *testing.T) {
	t.Parallel()

	for _, test := range []struct {
		err               error
		cause, most, does string
	}{
		{&drift.TooManyError{Most: 7}, "More was created outside of Terraform than can be listed.", "7", "creates"},
		{&drift.TooLargeError{Most: 7}, "What was done outside of Terraform takes more memory than it may.", "7 bytes", "changes"},
	} {
		want := test.cause + "\n\nService: upcloud\nAt most: " + test.most +
			"\n\nShorten the window, or say with pipeline who else " + test.does + " things on purpose."

		if got := explain.Drift(test.err, auditlog.Info{Name: "upcloud"}, auditlog.Window{}).Detail(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestNoSuchResource(t *testing.T) {
	t.Parallel()

	known := []string{
		`upcloud_server.web["blue"]`, `upcloud_server.web["red"]`, "upcloud_server.webmail", "module.db.upcloud_storage.a",
	}
	for i := range 7 {
		known = append(known, fmt.Sprintf("upcloud_storage.data[%d]", i))
	}

	for address, want := range map[string]string{
		"upcloud_server.web":         `upcloud_server.web["blue"], upcloud_server.web["red"]`,
		`upcloud_server.web["blu"]`:  `upcloud_server.web["blue"]`,
		"upcloud_server.web[blue]":   `upcloud_server.web["blue"]`,
		"upcloud_server.webmial":     "upcloud_server.webmail",
		"module.db":                  "module.db.upcloud_storage.a",
		"upcloud_storage.a":          "module.db.upcloud_storage.a",
		"upcloud_storage.data":       "upcloud_storage.data[0], upcloud_storage.data[1], upcloud_storage.data[2], upcloud_storage.data[3], upcloud_storage.data[4], 2 more",
		"module.nothing.like_it.all": "",
	} {
		want = strings.TrimSuffix("Did you mean: "+want, "Did you mean: ")

		if got := explain.NoSuchResource(address, known).Detail(); !strings.Contains(got, want+"\n") ||
			want == "" && strings.Contains(got, "Did you mean") {
			t.Errorf("%s: got\n%s\nwant\n%s", address, got, want)
		}
	}
}
