// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestQueriesInManifestsAreRedacted: of exports, of archives, and of exports of
// archives that were not redacted themselves.
func TestQueriesInManifestsAreRedacted(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 200, Seed: 4})
	person := w.fake.UpCloudRecords()[0].AccountUsername

	for _, r := range w.fake.UpCloudRecords() {
		if r.AccountUsername != "" && r.AccountUsername != "upcloud" {
			person = r.AccountUsername
		}
	}

	settings := w.settings()
	settings["redaction_key"] = "0123456789abcdef"
	c := w.provider(t, settings)

	manifests := func(pattern string) string {
		t.Helper()

		names, err := filepath.Glob(w.file(pattern))
		if err != nil || len(names) == 0 {
			t.Fatal(err, names)
		}

		var all strings.Builder

		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}

			all.Write(text)
		}

		return all.String()
	}

	for name, filter := range map[string]args{
		"actors": {"actors": list(person)},
		"search": {"search": person},
		"where":  {"where": `entry.actor == "` + person + `"`},
	} {
		arguments := func(more args) args {
			all := args{"service": "upcloud"}
			maps.Copy(all, filter)
			maps.Copy(all, more)

			return all
		}

		redact := args{"actor": "hash"}

		if errs := c.apply("audit_log_export",
			arguments(args{
				"path": w.file(name + ".ndjson"), "format": "ndjson", "last": "30d",
				"redact": redact,
			})).errors(); len(errs) > 0 {
			t.Fatal(errs)
		}

		if errs := c.apply("audit_log_archive",
			arguments(args{
				"destination": w.file("arch-" + name), "redact": redact, "format": "ndjson",
				"compression": "none",
			})).errors(); len(errs) > 0 {
			t.Fatal(errs)
		}

		if errs := c.apply("audit_log_archive",
			arguments(args{"destination": w.file("plain-" + name)})).errors(); len(errs) > 0 {
			t.Fatal(errs)
		}

		if errs := c.apply("audit_log_export", args{
			"service": "archive", "destination": w.file("plain-" + name), "path": w.file("of-" + name + ".ndjson"),
			"format": "ndjson", "last": "30d", "redact": redact,
		}).errors(); len(errs) > 0 {
			t.Fatal(errs)
		}

		// A look-up keeps an archive's filters in its statement, and so in the state.
		for _, source := range []string{"audit_logs", "audit_log_findings"} {
			got := c.read(source, args{
				"service": "archive", "destination": w.file("plain-" + name), "last": "30d",
				"redact": redact,
			})
			if errs := got.errors(); len(errs) > 0 {
				t.Fatal(errs)
			}

			if text := fmt.Sprint(got.at("completeness.caveats")); strings.Contains(text, person) ||
				!strings.Contains(text, name) {
				t.Errorf("%s of %s: %s", source, name, text)
			}
		}

		data := w.read(name + ".ndjson")

		_, pseudonym, found := strings.Cut(data, `"actor":"`)
		if pseudonym, _, _ = strings.Cut(pseudonym, `"`); !found || !strings.HasPrefix(pseudonym, "hmac:") {
			t.Fatalf("%s: no pseudonym in %.500s", name, data)
		}

		for _, pattern := range []string{name + ".ndjson*", "arch-" + name + "/manifests/*", "of-" + name + ".ndjson*"} {
			text := manifests(pattern)
			if strings.Contains(text, person) {
				t.Errorf("%s: %s name %s:\n%.3000s", name, pattern, person, text)
			}

			if !strings.HasPrefix(pattern, "of-") && strings.Count(text, pseudonym) == 0 {
				t.Errorf("%s: %s lack %s", name, pattern, pseudonym)
			}
		}
	}
}
