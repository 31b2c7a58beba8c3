// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// driftOf is a plan in which one server changed, given what is inside of its "change".
func driftOf(change string) string {
	return `{"format_version":"1.2","timestamp":"2026-06-01T12:00:00Z","planned_values":{},"resource_drift":[{"address":"upcloud_server.a",
		"mode":"managed","type":"upcloud_server","change":{"actions":["update"],` + change + `}}]}`
}

func readText(t *testing.T, text string) *drift.Inventory {
	t.Helper()

	got, err := drift.Read(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}

	return got
}

// Marks that are not as Terraform writes them hide too much rather than too little.
func TestMarksThatDoNotFit(t *testing.T) {
	t.Parallel()

	const secret = "SECRET"

	for name, change := range map[string]string{
		"no marks at all":                     `"before":{"id":"1","a":"SECRET1"},"after":{"id":"1","a":"SECRET2"}`,
		"marks are null":                      `"before":{"id":"1","a":"SECRET1"},"after":{"id":"1","a":"SECRET2"},"before_sensitive":null,"after_sensitive":null`,
		"only before":                         `"before":{"id":"1","a":"SECRET1"},"after":{"id":"1","a":"SECRET2"},"before_sensitive":{"a":true},"after_sensitive":{}`,
		"only afterwards":                     `"before":{"id":"1","a":"SECRET1"},"after":{"id":"1","a":"SECRET2"},"before_sensitive":{},"after_sensitive":{"a":true}`,
		"marked as a text":                    `"before":{"id":"1","a":"SECRET1"},"after":{"id":"1","a":"SECRET2"},"before_sensitive":{"a":"true"},"after_sensitive":{"a":1}`,
		"an object's marks":                   `"before":{"id":"1","a":["SECRET1"]},"after":{"id":"1","a":["SECRET2"]},"before_sensitive":{"a":{"0":true}},"after_sensitive":{"a":{"0":true}}`,
		"an array's marks":                    `"before":{"id":"1","a":{"x":"SECRET1"}},"after":{"id":"1","a":{"x":"SECRET2"}},"before_sensitive":{"a":[true]},"after_sensitive":{"a":[true]}`,
		"marks of an object for a text":       `"before":{"id":"1","a":"SECRET1"},"after":{"id":"1","a":"SECRET2"},"before_sensitive":{"a":{"x":true}},"after_sensitive":{"a":[true]}`,
		"too few":                             `"before":{"id":"1","a":["x","SECRET1"]},"after":{"id":"1","a":["x","SECRET2"]},"before_sensitive":{"a":[false]},"after_sensitive":{"a":[]}`,
		"in blocks":                           `"before":{"id":"1","b":[{"k":"x","s":"SECRET1"}]},"after":{"id":"1","b":[{"k":"y","s":"SECRET2"},{"k":"x","s":"SECRET1"}]},"before_sensitive":{"b":[{"s":true}]},"after_sensitive":{"b":[{"s":true},{"s":true}]}`,
		"a set that grew at its beginning":    `"before":{"id":"1","b":["SECRET1"]},"after":{"id":"1","b":["a","SECRET1"]},"before_sensitive":{"b":[true]},"after_sensitive":{"b":[false,true]}`,
		"what is hidden here and shown there": `"before":{"id":"1","a":"SECRET1","b":"x"},"after":{"id":"1","a":"y","b":"SECRET1"},"before_sensitive":{"a":true},"after_sensitive":{"a":true}`,
		"the name":                            `"before":{"id":"1","title":"SECRET1"},"after":{"id":"1","title":"SECRET2"},"before_sensitive":{"title":true},"after_sensitive":{"title":true}`,
	} {
		got := readText(t, driftOf(change))

		text, err := json.Marshal(got.Resources[0].Seen)
		if err != nil {
			t.Fatal(err)
		}

		if strings.Contains(string(text), secret) {
			t.Errorf("%s: a secret is kept: %s", name, text)
		}

		if seen := got.Resources[0].Seen; seen == nil || len(seen.Changes) == 0 {
			t.Errorf("%s: nothing changed", name)
		}
	}
}

// A name or an id that is marked as sensitive is good for finding the resource, and is not shown.
func TestSensitiveNames(t *testing.T) {
	t.Parallel()

	for name, text := range map[string]string{
		"shown": `{"format_version":"1.0","values":{"root_module":{"resources":[{"address":"cloudscale_server.a","mode":"managed",
			"type":"cloudscale_server","values":{"id":"SECRET-ID","name":"SECRET"},"sensitive_values":{"name":true,"id":true}}]}}}`,
		"as a whole": `{"format_version":"1.0","values":{"root_module":{"resources":[{"address":"cloudscale_server.a","mode":"managed",
			"type":"cloudscale_server","sensitive_values":true,"values":{"id":"SECRET-ID","name":"SECRET"}}]}}}`,
		"pulled": `{"version":4,"terraform_version":"1.11.4","resources":[{"mode":"managed","type":"cloudscale_server","name":"a",
			"instances":[{"attributes":{"id":"SECRET-ID","name":"SECRET"},"sensitive_attributes":
			[[{"type":"get_attr","value":"name"}],[{"type":"get_attr","value":"id"}]]}]}]}`,
		"planned": `{"format_version":"1.2","planned_values":{},"resource_drift":[{"address":"cloudscale_server.a","mode":"managed",
			"type":"cloudscale_server","change":{"actions":["update"],"before":{"id":"SECRET-ID","name":"SECRET-0","a":1},
			"after":{"id":"SECRET-ID","name":"SECRET","a":2},"before_sensitive":{"name":true,"id":true},
			"after_sensitive":{"name":true,"id":true}}}]}`,
	} {
		h := deeds("cloudscale", deed{mia, update, "SECRET"})
		got := compare(t, newLog(t, "cloudscale", h.entries...), drift.Options{Resources: readText(t, text).Resources})

		if len(got.Changed) != 1 {
			t.Fatalf("%s: changed %q", name, told(got.Changed))
		}

		if r := got.Changed[0]; r.Name != "" || r.ID != "" {
			t.Errorf("%s: %s is shown, or %s", name, r.Name, r.ID)
		}
	}
}

// What is wrong with a file is said without a word of what is in it.
func TestFaultsSayNothingOfTheFile(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("SECRET", 1000)

	for _, text := range []string{
		`{"version":{"password":"SECRET"}}`, `{"format_version":["SECRET"]}`, `{"version":"SECRET"}`,
		`{"format_version":"` + long + `"}`, `{"version":"\u001b]0;SECRET\u0007"}`,
		`{"version":4,"terraform_version":"0.12.\u001b[2J","resources":[]}`,
		`{"format_version":"1.0","values":{"root_module":{"resources":[{"address":{"a":"SECRET"}}]}}}`,
		`{"format_version":"1.0","values":{"root_module":{"resources":["SECRET"]}}}`,
		`{"format_version":"1.0","values":{"root_module":{"resources":[{"mode":"managed","address":"a","type":"b","values":"SECRET"}]}}}`,
		`{"format_version":"1.0","values":{"root_module":{"resources":[{"mode":"managed","address":"a","type":"b","values":{"tags":{"SECRET":1,"SECRET":2}}}]}}}`,
		driftOf(`"before":["SECRET"],"after":"SECRET"`), driftOf(`"before":{"m":{"SECRET":1,"SECRET":1}},"after":{}`),
		`{"version":4,"resources":[{"mode":"managed","instances":[{"attributes":"SECRET"}]}]}`,
		`{"format_version":"1.0","timestamp":"SECRET","values":{"root_module":{"resources":[{"mode":"SECRET"}]}}} SECRET`,
	} {
		_, err := drift.Read(strings.NewReader(text))

		input := (*drift.InputError)(nil)
		if !errors.As(err, &input) {
			t.Errorf("%.100s: %v", text, err)

			continue
		}

		if shown := err.Error() + fmt.Sprint(input); strings.Contains(shown, "SECRET") || strings.Contains(shown, "\x1b") {
			t.Errorf("%.100s: %.200s", text, shown)
		}
	}
}

// A part that does not say what it is has the file refused, and two resources of one address are two.
func TestNothingIsPassedOver(t *testing.T) {
	t.Parallel()

	for _, text := range []string{
		`{"format_version":"1.0","values":{"root_module":{"resources":[{"address":"upcloud_server.a","type":"upcloud_server","values":{"id":"1"}}]}}}`,
		`{"version":4,"terraform_version":"1.11.4","resources":[{"type":"upcloud_server","name":"a","instances":[{"attributes":{"id":"1"}}]}]}`,
		`{"version":4,"terraform_version":"1.11.4","resources":[{"mode":"managed","type":"","name":"a","instances":[{"attributes":{"id":"1"}}]}]}`,
		`{"format_version":"1.0","values":{"root_module":{"resources":"none"}}}`,
		`{"version":4,"terraform_version":"1.11.4","resources":7}`,
		`{"format_version":"1.2","planned_values":{},"resource_drift":true}`,
		`{"format_version":"1.2","planned_values":{},"prior_state":"none"}`,
		`{"format_version":"1.0","values":{"root_module":{"child_modules":"none"}}}`,
	} {
		input := (*drift.InputError)(nil)
		if got, err := drift.Read(strings.NewReader(text)); !errors.As(err, &input) || input.Fault != drift.Unknown {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}

	got := readText(t, `{"format_version":"1.0","values":{"root_module":{"resources":[
		{"address":"upcloud_server.a","mode":"managed","type":"upcloud_server","values":{"id":"1"}},
		{"address":"upcloud_server.a","mode":"managed","type":"upcloud_server","values":{"id":"2"}}]}}}`)
	if len(got.Resources) != 2 {
		t.Errorf("got %+v", got.Resources)
	}
}

// A resource that was moved or renamed is one, with both names and the address that it has now.
func TestMovedAndRenamed(t *testing.T) {
	t.Parallel()

	got := readText(t, `{"format_version":"1.2","timestamp":"2026-06-01T12:00:00Z","planned_values":{},"resource_drift":[
		{"address":"cloudscale_server.new","previous_address":"cloudscale_server.old","mode":"managed",
		"type":"cloudscale_server","change":{"actions":["update"],"before":{"id":"1","name":"a"},
		"after":{"id":"1","name":"b"},"before_sensitive":{},"after_sensitive":{}}}],
		"prior_state":{"format_version":"1.0","values":{"root_module":{"resources":[
		{"address":"cloudscale_server.old","mode":"managed","type":"cloudscale_server","values":{"id":"1","name":"b"},"sensitive_values":{}}]}}}}`)
	if len(got.Resources) != 1 {
		t.Fatalf("got %+v", got.Resources)
	}

	r := got.Resources[0]
	if r.Address != "cloudscale_server.new" || r.Name != "b" || r.FormerName != "a" || r.Seen == nil ||
		!r.Seen.At.Equal(time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", r)
	}
}

// Many values that are marked, in one resource, do not keep anybody waiting: each is looked at once.
func TestManySecrets(t *testing.T) {
	t.Parallel()

	var before, after, marks strings.Builder

	const n = 20_000

	for i := range n {
		if i > 0 {
			before.WriteByte(',')
			after.WriteByte(',')
			marks.WriteByte(',')
		}

		_, _ = fmt.Fprintf(&before, `"SECRET-%d"`, i)
		_, _ = fmt.Fprintf(&after, `"SECRET-%d"`, n+i)
		marks.WriteString("true")
	}

	got := readText(t, driftOf(fmt.Sprintf(
		`"before":{"id":"1","a":[%s]},"after":{"id":"1","a":[%s]},"before_sensitive":{"a":[%s]},"after_sensitive":{"a":[%s]}`,
		&before, &after, &marks, &marks,
	)))
	if len(got.Resources[0].Seen.Changes) != n || *got.Resources[0].Seen.Changes[n-1].After != drift.Sensitive {
		t.Errorf("%d values changed", len(got.Resources[0].Seen.Changes))
	}
}

// Keys of for_each are written as Terraform writes them, so that a state and a plan have the same addresses.
func TestKeysInAddresses(t *testing.T) {
	t.Parallel()

	for key, want := range map[string]string{
		`a.b`: `["a.b"]`, `]["`: `["][\""]`, `a\nb\tc`: `["a\nb\tc"]`, `\u0000\u001b[2J`: `["\u0000\u001b[2J"]`,
		`\u202e`: `["\u202e"]`, `\ud83d\ude00`: "[\"\U0001F600\"]", `\udb40\udc01`: `["\U000e0001"]`,
		`${a}%{b}`: `["$${a}%%{b}"]`,
	} {
		got := readText(t, `{"version":4,"terraform_version":"1.11.4","resources":[{"mode":"managed","type":"upcloud_server",
			"name":"web","instances":[{"index_key":"`+strings.ReplaceAll(key, `"`, `\"`)+`","attributes":{"id":"1"}}]}]}`)

		address := got.Resources[0].Address
		if address != "upcloud_server.web"+want {
			t.Errorf("%s: got %s, want %s", key, address, want)
		}

		if logType, ok := drift.TypeOf(address); !ok || logType != "upcloud_server" {
			t.Errorf("%s: got %q, %v", address, logType, ok)
		}
	}
}
