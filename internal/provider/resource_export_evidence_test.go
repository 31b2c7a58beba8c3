// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// run is a provider that was configured for one run of Terraform.
func (w *world) run() configured { return w.provider(w.t, w.settings()) }

func (w *world) exportArgs(file string) args {
	return args{
		"service": "upcloud", "path": w.file(file), "format": "ndjson", "start": "2026-06-01T00:00:00Z",
		"end": "2026-06-30T00:00:00Z",
	}
}

// content is what lies in a directory, by name.
func (w *world) content(dir string) map[string]string {
	w.t.Helper()

	all := map[string]string{}

	for _, name := range w.files(dir) {
		if info, err := os.Stat(w.file(filepath.Join(dir, name))); err == nil && info.Mode().IsRegular() {
			all[name] = w.read(filepath.Join(dir, name))
		}
	}

	return all
}

// does wants the last plan to be that.
func (m *managed) does(action string) {
	m.t.Helper()

	if m.action != action {
		m.t.Errorf("the plan is to %s, want %s; errors %q", m.action, action, m.errors())
	}
}

func TestExportPathIsWhatItNames(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 40, Seed: 31})
	m := newManaged(w.run(), provider.ExportType)
	base := w.exportArgs("out/x")

	m.apply(w.run(), base)
	m.does("create")

	before := w.content("out")
	if len(before) != 3 {
		t.Fatalf("files are %v", w.files("out"))
	}

	spellings := []string{"./out/x", "out//x", "out/../out/x", "out/./x", "no/../out/x"}

	if err := os.Symlink(w.file("out"), w.file("link")); err == nil {
		spellings = append(spellings, "link/x", "link/./x")
	}

	w.later.Store(int64(time.Hour))

	for _, path := range spellings {
		m.plan(w.run(), with(base, args{"path": w.dir + "/" + path}))
		m.does("none")

		m.apply(w.run(), with(base, args{"path": w.dir + "/" + path, "on_missing": "keep"}))
		m.does("update")
		m.is("path", w.file("out/x"))

		m.apply(w.run(), base)
		m.does("update")
	}

	if diff := cmp.Diff(before, w.content("out")); diff != "" {
		t.Errorf("the export (-want +got):\n%s", diff)
	}

	for _, path := range []string{"out/X", "out/y", "x", "link/y"} {
		m.plan(w.run(), with(base, args{"path": w.dir + "/" + path}))
		m.does("replace")
	}
}

func TestExportPathIsOnThisMachine(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 4})

	for _, path := range []string{
		"s3://evidence/june.csv", "S3://evidence/june.csv", "s3:/evidence/june.csv", "s3:evidence/june.csv",
		"file:///var/june.csv",
		"file:june.csv", "https://example.com/june.csv", "gs://evidence/june.csv", "~/june.csv", "~", "~root/june.csv",
		"$HOME/june.csv", "${HOME}/june.csv",
		"%USERPROFILE%/june.csv", " june.csv", "june.csv\n", "out/", "out/.", "..", ".", "",
		".june.csv.audit-commit", "out/.june.csv.audit-tmp-ABCDEFGHIJKLMNOP", ".audit-part-x", ".JUNE.csv.AUDIT-COMMIT",
	} {
		m := newManaged(w.run(), provider.ExportType)
		m.plan(w.run(), with(w.exportArgs("x"), args{"path": path}))
		m.fails("Check the configuration", `AttributeName("path")`, "The value of path cannot be used: it is",
			"the path of a file on this machine")
	}

	if files := w.files("."); len(files) > 0 {
		t.Errorf("files are %v", files)
	}
}

// Equal spellings write nothing: neither those that are given on both sides, for which
// nothing is planned, nor defaults that are spelled out.
func TestExportSpellingsWriteNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 200, Seed: 32})
	base := with(w.exportArgs("x"), args{
		"settle_delay": "1m", "start": "2026-06-01T00:00:00Z", "operations": list("read", "update"), "actors": list("a", "b"),
		"ip_addresses": list("203.0.113.7", "2001:db8::/32"), "search": "straße",
		"where":  `entry.actor != "a  b" && entry.resource_id != "x"`,
		"redact": args{"actor": "drop"}, "triggers": args{"a": "1"}, "allow_unknown_values": true,
	})

	for name, c := range map[string]struct {
		before, after args
		action        string
	}{
		"60s": {nil, args{"settle_delay": "60s"}, "none"},
		"another zone": {
			nil,
			args{"start": "2026-06-01T01:00:00+01:00", "end": "2026-06-29T22:30:00.000-01:30"},
			"none",
		},
		"day and hours": {
			args{"start": nil, "end": nil, "last": "7d"},
			args{"start": nil, "end": nil, "last": "168h"},
			"none",
		},
		"week and days": {
			args{"start": nil, "end": nil, "last": "1w"},
			args{"start": nil, "end": nil, "last": "7d"},
			"none",
		},
		"order":          {nil, args{"operations": list("update", "read"), "actors": list("b", "a", "b")}, "none"},
		"addresses":      {nil, args{"ip_addresses": list("2001:DB8:0::/32", "::ffff:203.0.113.7")}, "none"},
		"case of search": {nil, args{"search": "STRASSE"}, "none"},
		"white space": {
			nil,
			args{"where": "entry.actor != \"a  b\"\n  && entry.resource_id!=\"x\" // why"},
			"none",
		},
		"implied rules":        {nil, args{"redact": args{"actor": "drop", "message": "drop"}}, "none"},
		"default delay":        {nil, args{"settle_delay": nil}, "update"},
		"default delay, given": {args{"settle_delay": nil}, args{"settle_delay": "60s"}, "update"},
		"default compression":  {nil, args{"compression": "none"}, "update"},
		"default shape":        {nil, args{"shape": "entry"}, "update"},
		"default columns":      {nil, args{"columns": columns()}, "update"},
		"default window":       {args{"start": nil, "end": nil}, args{"start": nil, "end": nil, "last": "1d"}, "update"},
		"default start":        {args{"start": nil}, args{"start": "2026-06-29T00:00:00Z"}, "update"},
		"default permission":   {nil, args{"file_permission": "0600", "directory_permission": "0700"}, "none"},
		"default decisions": {
			nil,
			args{
				"overwrite": false, "allow_shrink": false, "on_missing": "recreate", "on_changed": "recreate",
				"keep_on_destroy": true, "spreadsheet_safe": true,
			},
			"none",
		},
		"spreadsheets of NDJSON": {nil, args{"spreadsheet_safe": false}, "update"},
		"empty triggers":         {args{"triggers": nil}, args{"triggers": args{}}, "update"},
		"no triggers":            {args{"triggers": args{}}, args{"triggers": nil}, "update"},
		"empty rules":            {args{"redact": nil}, args{"redact": args{}}, "update"},
		"rules that keep":        {args{"redact": nil}, args{"redact": args{"actor": "keep"}}, "update"},
		"timeouts":               {nil, args{"timeouts": args{"create": "2h"}}, "update"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			file := strings.ReplaceAll(name, " ", "-") + "/x"
			before, after := with(base, c.before), with(base, c.after)
			before["path"], after["path"] = w.file(file), w.file(file)

			m := newManaged(w.provider(t, w.settings()), provider.ExportType)
			m.apply(w.provider(t, w.settings()), before)

			if len(m.errors()) > 0 {
				t.Fatal(m.errors())
			}

			written := m.at("manifest_sha256")

			m.apply(w.provider(t, w.settings()), after)
			m.does(c.action)
			m.is("manifest_sha256", written)
			m.plan(w.provider(t, w.settings()), after)
			m.does("none")
		})
	}

	for name, after := range map[string]args{
		"another delay":      {"settle_delay": "61s"},
		"another time":       {"start": "2026-06-01T00:00:00+01:00"},
		"a space in a text":  {"where": `entry.actor != "a b" && entry.resource_id != "x"`},
		"one value fewer":    {"actors": list("a")},
		"another address":    {"ip_addresses": list("203.0.113.7", "2001:db8::/33")},
		"another rule":       {"redact": args{"actor": "drop", "message": "keep"}},
		"a field to protect": {"redact": args{"actor": "drop", "origin": "keep"}},
		"another trigger":    {"triggers": args{"a": "2"}},
		"order of columns":   {"columns": append(columns()[1:], "id")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			file := strings.ReplaceAll(name, " ", "-") + "/x"
			before, after := with(base, args{"path": w.file(file)}), with(with(base, after), args{"path": w.file(file)})

			m := newManaged(w.provider(t, w.settings()), provider.ExportType)
			m.apply(w.provider(t, w.settings()), before)
			m.plan(w.provider(t, w.settings()), after)
			m.does("update")

			if got := m.errors(); len(got) > 0 {
				t.Error(got)
			}
		})
	}
}

func columns() []any {
	all := []any{}
	for _, f := range auditlog.Fields() {
		all = append(all, f.Name)
	}

	return all
}

// So do those of what says which archive is read.
func TestExportSpellingsOfAnArchiveWriteNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 60, Seed: 39})
	private, public := newSigningKey(t)
	w.env["AUDIT_SIGNING_KEY"] = private

	kept := newManaged(w.run(), provider.ArchiveType)
	kept.apply(w.run(), args{"service": "upcloud", "destination": w.file("archive"), "start": "60d"})
	kept.quiet()

	base := args{
		"service": "archive", "destination": w.file("archive"), "public_keys": list(public), "path": w.file("x"),
		"format": "ndjson",
		"start":  "2026-06-01T00:00:00Z", "end": "2026-06-29T00:00:00Z",
	}

	m := newManaged(w.run(), provider.ExportType)
	m.apply(w.run(), base)

	written := m.at("manifest_sha256")

	for name, after := range map[string]args{
		"a line":      {"public_keys": list(public + "\n")},
		"a label":     {"public_keys": list("public key: " + public)},
		"a space":     {"public_keys": list(" " + public)},
		"destination": {"destination": w.dir + "/./archive/"},
	} {
		if m.apply(w.run(), with(base, after)); m.action != "none" {
			t.Errorf("%s: the plan is to %s", name, m.action)
		}
	}

	// Which archive it was, a manifest does not say.
	imported := newManaged(w.run(), provider.ExportType)
	imported.imports(w.run(), w.file("x"))
	imported.apply(w.run(), base)
	imported.does("update")
	imported.is("manifest_sha256", written)
	imported.plan(w.run(), base)
	imported.does("none")

	_, other := newSigningKey(t)
	m.plan(w.run(), with(base, args{"public_keys": list(other)}))
	m.fails("not signed by the expected key")
}

// The only configured service is meant where none is given.
func TestExportServiceSpelledOut(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 40, Seed: 33})
	run := func() configured { return w.provider(t, with(w.settings(), args{"cloudscale": nil})) }
	base := with(w.exportArgs("x"), args{"service": nil})

	m := newManaged(run(), provider.ExportType)
	m.apply(run(), base)

	written := m.at("manifest_sha256")

	m.apply(run(), with(base, args{"service": "upcloud"}))
	m.does("update")
	m.is("manifest_sha256", written)
	m.apply(run(), base)
	m.does("update")
	m.is("manifest_sha256", written)
}

// A fuller export is not replaced by an emptier one: June, in December.
func TestExportIsNotReplacedByLess(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
	base := w.exportArgs("june")

	m := newManaged(w.run(), provider.ExportType)
	m.apply(w.run(), base)

	count, before := m.at("entry_count"), w.content(".")
	if count == int64(0) {
		t.Fatal("June is empty")
	}

	const retention = "The window begins before the service's retention"

	w.later.Store(int64(180 * 24 * time.Hour))

	if err := w.fake.Load(strings.NewReader("")); err != nil { // The service has dropped everything.
		t.Fatal(err)
	}

	// What stays as it is says nothing.
	m.apply(w.run(), with(base, args{"settle_delay": "60s"}))
	m.quiet()
	m.plan(w.run(), with(base, args{"triggers": args{"again": "1"}}))
	m.warns(retention, "Entries kept so far: "+fmt.Sprint(count))

	lost := []string{
		"Export audit logs", `AttributeName("path")`, "Entries kept so far: " + fmt.Sprint(count), "Entries read now: 0",
		"allow_shrink = true",
	}

	for name, arguments := range map[string]args{
		"trigger":          {"triggers": args{"again": "1"}},
		"another delay":    {"settle_delay": "2m"},
		"a longer window":  {"end": "2026-07-02T00:00:00Z"},
		"a shorter window": {"start": "2026-06-02T00:00:00Z"},
		"another format":   {"format": "csv"},
		"overwrite":        {"triggers": args{"again": "1"}, "overwrite": true},
	} {
		m.apply(w.run(), with(base, arguments))
		m.fails(lost...)

		if diff := cmp.Diff(before, w.content(".")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	// A fresh runner, and a state that was lost.
	for name := range before {
		w.remove(name)
	}

	m.apply(w.run(), base)
	m.fails(lost...)

	for name, text := range before {
		w.write(name, text)
	}

	newcomer := newManaged(w.run(), provider.ExportType)
	newcomer.apply(w.run(), base)
	newcomer.fails(lost...)

	// Nor is it removed to make room for one.
	m.apply(w.run(), with(base, args{"keep_on_destroy": false}))
	m.does("update")

	const elsewhere = "the export at the old path is not removed where the new one holds less"

	m.plan(w.run(), with(base, args{"keep_on_destroy": false, "path": w.file("elsewhere")}))
	m.warns(retention, "Entries kept so far: "+fmt.Sprint(count), elsewhere)

	if diff := cmp.Diff(before, w.content(".")); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}

	m.apply(w.run(), with(base, args{"triggers": args{"again": "1"}, "allow_shrink": true}))
	m.is("entry_count", 0)
}

// TestAReplacementTakesNothingAway: where a resource is made anew, Terraform ends the
// old one first, and an export that is not kept goes only once the new one holds as much.
func TestAReplacementTakesNothingAway(t *testing.T) {
	t.Parallel()

	const notMade = "No export was made in its place"

	for name, c := range map[string]struct {
		arguments args
		first     bool // The new one is made first, as with create_before_destroy.
		tainted   bool
		empties   bool // The service holds nothing any more.
		breaks    bool // The service does not answer.
		fails     string
		warns     string
		left      []string
	}{
		"replaced":      {left: []string{"june"}},
		"tainted":       {tainted: true, left: []string{"june"}},
		"moved":         {arguments: args{"path": "july"}, left: []string{"july"}},
		"moved, before": {arguments: args{"path": "july"}, first: true, left: []string{"july"}},
		"replaced by less": {
			empties: true, fails: "Entries read now: 0", warns: notMade,
			left: []string{"june"},
		},
		"replaced by less, then kept": {
			arguments: args{"keep_on_destroy": true}, empties: true,
			fails: "Entries read now: 0", warns: notMade, left: []string{"june"},
		},
		"tainted, by less": {
			tainted: true, empties: true, fails: "Entries read now: 0", warns: notMade,
			left: []string{"june"},
		},
		"moved, to less": {
			arguments: args{"path": "july"}, empties: true, warns: "does not hold as much",
			left: []string{"july", "june"},
		},
		"moved, to less, before": {
			arguments: args{"path": "july"}, first: true, empties: true,
			warns: "does not hold as much", left: []string{"july", "june"},
		},
		"moved, to less, kept from then": {
			arguments: args{"path": "july", "keep_on_destroy": true}, empties: true,
			warns: "does not hold as much", left: []string{"july", "june"},
		},
		"moved, tainted": {
			arguments: args{"path": "july"}, tainted: true, empties: true,
			warns: "does not hold as much", left: []string{"july", "june"},
		},
		"moved, to less, as wanted": {
			arguments: args{"path": "july", "allow_shrink": true}, empties: true,
			left: []string{"july"},
		},
		"moved, to another query": {
			arguments: args{"path": "july", "operations": list("delete")},
			warns:     "is another one", left: []string{"july", "june"},
		},
		"moved, to another window": {
			arguments: args{"path": "july", "start": "2026-06-15T00:00:00Z"},
			warns:     "is another one", left: []string{"july", "june"},
		},
		"moved, with less of each": {
			arguments: args{"path": "july", "redact": args{"actor": "drop"}},
			warns:     "is another one", left: []string{"july", "june"},
		},
		"replaced, no answer": {
			breaks: true, fails: "Export UpCloud audit logs", warns: notMade,
			left: []string{"june"},
		},
		"moved, no answer": {
			arguments: args{"path": "july"}, breaks: true, fails: "Export UpCloud audit logs",
			warns: notMade, left: []string{"june"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
			base := with(w.exportArgs("june"), args{"keep_on_destroy": false})

			m := newManaged(w.run(), provider.ExportType)
			m.apply(w.run(), base)

			before := w.content(".")

			if c.empties {
				if err := w.fake.Load(strings.NewReader("")); err != nil {
					t.Fatal(err)
				}
			}

			arguments := with(base, c.arguments)
			if file, ok := arguments["path"].(string); ok {
				arguments["path"] = w.file(filepath.Base(file))
			}

			run := w.run()

			switch {
			case c.first:
				young := *m
				planned := m.plan(run, arguments)
				young.finish(run, arguments, tftypes.NewValue(m.kind, nil), planned)
				m.destroy(run)
			case c.breaks:
				planned := m.planReplacement(run, arguments, false)
				w.fake.SetFaults([]fakeapi.Fault{{Name: "401", Rate: 1}})
				m.end(run, planned.PlannedPrivate)
				m.finish(run, arguments, m.state, planned)
			default:
				m.replace(run, arguments, c.tainted)
			}

			if c.fails != "" {
				m.fails(c.fails)
			}

			if c.warns != "" {
				m.holds(m.warnings(), "warning",
					[]string{"The audit log export was left where it is", "Path: " + w.file("june"), c.warns})
			} else {
				m.quiet()
			}

			var left []string

			for _, name := range w.files(".") {
				if filepath.Ext(name) == "" {
					left = append(left, name)
				}
			}

			if !slices.Equal(left, c.left) {
				t.Errorf("files are %v, want %v", left, c.left)
			}

			if c.empties || c.breaks {
				for name, text := range before {
					if _, ok := c.arguments["allow_shrink"]; !ok && w.content(".")[name] != text {
						t.Errorf("%s was changed", name)
					}
				}
			}

			if c.fails != "" {
				return
			}

			// What was made is an export as any other.
			if c.first {
				return
			}

			m.destroy(w.run())

			want := 3 * len(c.left)
			if arguments["keep_on_destroy"] == false {
				want -= 3
			}

			if got := w.files("."); len(got) != want {
				t.Errorf("after the end there is %v", got)
			}
		})
	}
}

// TestRedactedExportsAreNotReplacedByLess: a manifest shows the query in another form,
// which is not another query.
func TestRedactedExportsAreNotReplacedByLess(t *testing.T) {
	t.Parallel()

	for name, arguments := range map[string]args{
		"a search, hashed":     {"search": "e", "redact": args{"actor": "hash"}},
		"a search, dropped":    {"search": "e", "redact": args{"actor": "drop"}},
		"a condition":          {"where": `entry.actor != "zorro"`, "redact": args{"actor": "hash"}},
		"addresses":            {"ip_addresses": list("0.0.0.0/0"), "redact": args{"ip_address": "drop"}},
		"what is not redacted": {"redact": args{"actor": "hash"}},
	} {
		w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
		base := with(w.exportArgs("june"), arguments)
		run := func() configured {
			return w.provider(t, with(w.settings(), args{"redaction_key": "0123456789abcdef0123456789abcdef"}))
		}

		m := newManaged(run(), provider.ExportType)
		m.apply(run(), base)

		before := w.content(".")

		// The same again, from a state that was lost.
		again := newManaged(run(), provider.ExportType)
		again.plan(run(), base)

		if arguments["redact"].(args)["actor"] == "hash" {
			again.does("create")
		} else {
			again.fails("Another export is in the way") // What was dropped cannot be compared.
		}

		if err := w.fake.Load(strings.NewReader("")); err != nil {
			t.Fatal(err)
		}

		newcomer := newManaged(run(), provider.ExportType)
		newcomer.apply(run(), with(base, args{"overwrite": true}))
		newcomer.fails("Entries read now: 0")

		if diff := cmp.Diff(before, w.content(".")); diff != "" {
			t.Errorf("%s, by a state that was lost (-want +got):\n%s", name, diff)
		}

		for file := range before {
			w.remove(file)
		}

		m.apply(run(), base)
		m.fails("Entries read now: 0")
	}
}

// Nor where the clock was set back, so that an open window ends earlier.
func TestAnOpenWindowDoesNotShrink(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
	base := w.exportArgs("june")
	delete(base, "end")

	m := newManaged(w.run(), provider.ExportType)
	m.apply(w.run(), base)

	before := w.content(".")

	w.later.Store(-int64(20 * 24 * time.Hour))
	m.apply(w.run(), with(base, args{"triggers": args{"again": "1"}}))
	m.fails("allow_shrink = true")

	if diff := cmp.Diff(before, w.content(".")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A redacted export does not take the place of a full one of another state.
func TestAFullExportIsNotReplacedByARedactedOne(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
	base := w.exportArgs("june")
	newManaged(w.run(), provider.ExportType).apply(w.run(), base)

	newcomer := newManaged(w.run(), provider.ExportType)
	newcomer.apply(w.run(), with(base, args{"redact": args{"actor": "drop"}}))
	newcomer.fails("Another export is in the way", "redact")
}

// Nor does one that is redacted otherwise.
func TestARedactedExportIsNotReplacedByAnother(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 34, NoExamples: true})
	run := func(key string) configured { return w.provider(t, with(w.settings(), args{"redaction_key": key})) }

	const key, otherKey = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

	base := with(w.exportArgs("june"), args{"redact": args{"actor": "hash"}})
	newManaged(run(key), provider.ExportType).apply(run(key), base)

	before := w.content(".")

	for _, c := range []struct {
		key     string
		rules   args
		differs string
	}{
		{key, args{"actor": "drop"}, "Differs in: redact, redaction_key"},
		{key, args{"actor": "hash", "ip_address": "mask"}, "Differs in: redact"},
		{key, args{"actor": "hash", "message": "keep"}, "Differs in: redact"},
		{otherKey, args{"actor": "hash"}, "Differs in: redaction_key"},
	} {
		newcomer := newManaged(run(c.key), provider.ExportType)
		newcomer.apply(run(c.key), with(base, args{"redact": c.rules}))
		newcomer.fails("Another export is in the way", c.differs)
	}

	if diff := cmp.Diff(before, w.content(".")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// What follows from the rule may be written down, and what was is said again.
	newcomer := newManaged(run(key), provider.ExportType)
	newcomer.plan(run(key), with(base, args{"redact": args{"actor": "hash", "raw": "drop"}}))
	newcomer.does("create")
}

// An export that begins before the retention keeps what the service has dropped since,
// also where the new one would have more entries, of later days.
func TestExportKeepsWhatTheServiceHasDropped(t *testing.T) {
	t.Parallel()

	for name, arguments := range map[string]args{
		"made again":          {"triggers": args{"again": "1"}},
		"another start":       {"start": "2026-06-02T00:00:00Z"},
		"a window that moves": {"start": nil, "last": "30d"},
	} {
		w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
		base := w.exportArgs("june")
		delete(base, "end")

		// The window begins before the retention already when the export is made.
		w.later.Store(int64(160 * 24 * time.Hour))

		m := newManaged(w.run(), provider.ExportType)
		m.apply(w.run(), with(base, args{"start": "2025-06-02T00:00:00Z"}))

		before := w.content(".")

		w.later.Store(int64(185 * 24 * time.Hour))

		for i := range 200 {
			w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
				Time: w.now().Add(-time.Hour), CloudEventID: fmt.Sprintf("01HQXYZ%019d", i), Action: "update",
				ResourceType: "server", Origin: "api", AuthType: "api", AccountUsername: "ci",
			})
		}

		m.apply(w.run(), with(with(base, args{"start": "2025-06-02T00:00:00Z"}), arguments))
		m.fails("Entries kept so far", "allow_shrink = true")

		if diff := cmp.Diff(before, w.content(".")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The log of another account is another one, however much it holds.
func TestAMovedExportOfAnotherAccountTakesNothingAway(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 34, NoExamples: true})
	run := func(account string) configured {
		return w.provider(t, with(w.settings(),
			args{"upcloud": with(w.settings()["upcloud"].(args), args{"account": account})}))
	}
	base := with(w.exportArgs("june"), args{"keep_on_destroy": false})

	m := newManaged(run("first"), provider.ExportType)
	m.apply(run("first"), base)
	m.apply(run("second"), with(base, args{"path": w.file("july")}))
	m.warns("The audit log export was left where it is", w.file("june"), "is another one")

	if got := w.files("."); len(got) != 6 {
		t.Errorf("files are %v", got)
	}
}

// Nothing but the manifest remembers an export whose state was lost, and one that does
// not fit to what lies beside it is no memory.
func TestAManifestThatWasChangedGuardsNothing(t *testing.T) {
	t.Parallel()

	for name, change := range map[string]func(string) string{
		"no entries": func(s string) string {
			return regexp.MustCompile(`"entry_count": \d+`).ReplaceAllString(s, `"entry_count": 0`)
		},
		"a few less": func(s string) string {
			return regexp.MustCompile(`"entry_count": \d+`).ReplaceAllString(s, `"entry_count": -1`)
		},
		"another window": func(s string) string {
			return strings.ReplaceAll(s, "2026-06-30T00:00:00.000000Z", "2026-06-02T00:00:00.000000Z")
		},
	} {
		w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
		base := w.exportArgs("june")
		newManaged(w.run(), provider.ExportType).apply(w.run(), base)
		w.write("june.manifest.json", change(w.read("june.manifest.json")))

		before := w.content(".")

		if err := w.fake.Load(strings.NewReader("")); err != nil {
			t.Fatal(err)
		}

		m := newManaged(w.run(), provider.ExportType)
		m.apply(w.run(), base)
		m.fails("Export audit logs", "was changed since")

		if diff := cmp.Diff(before, w.content(".")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What happens between a plan and its apply counts as what happened before the plan.
func TestExportTamperingAfterThePlanIsSaid(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 30, Seed: 38})

	for name, c := range map[string]struct {
		arguments args
		change    func(path string) error
		fails     string
		warns     string
	}{
		"changed, refused": {
			args{"on_changed": "error"},
			func(path string) error { return os.WriteFile(path, []byte("[]"), 0o600) }, "The export was changed", "",
		},
		"manifest, refused": {
			args{"on_changed": "error"},
			func(path string) error { return os.WriteFile(path+".manifest.json", []byte("{}"), 0o600) },
			"The export was changed", "",
		},
		"checksums, refused": {
			args{"on_changed": "error"},
			func(path string) error { return os.WriteFile(path+".sha256", []byte("{}"), 0o600) }, "The export was changed", "",
		},
		"permission, refused": {
			args{"on_changed": "error"},
			func(path string) error { return os.Chmod(path, 0o640) },
			"The export was changed", "",
		},
		"missing, refused": {args{"on_missing": "error"}, os.Remove, "The export is not where it was written", ""},
		"changed":          {args{}, func(path string) error { return os.WriteFile(path, []byte("[]"), 0o600) }, "", "Found SHA-256: 4f53cda18c2baa0c"},
		"missing":          {args{"on_changed": "error"}, os.Remove, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := strings.ReplaceAll(name, " ", "-")
			base := with(w.exportArgs(dir+"/x"), c.arguments)

			m := newManaged(w.run(), provider.ExportType)
			m.apply(w.run(), base)

			arguments := with(base, args{"triggers": args{"again": "1"}})
			planned := m.plan(w.run(), arguments)

			if err := c.change(w.file(dir + "/x")); err != nil {
				t.Fatal(err)
			}

			changed := w.content(dir)
			m.finish(w.run(), arguments, m.state, planned)

			switch {
			case c.fails != "":
				m.fails("Look at the audit log export", "Path: "+w.file(dir+"/x"), c.fails)

				if diff := cmp.Diff(changed, w.content(dir)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			case c.warns != "":
				m.warns("The audit log export was changed", c.warns)
			default:
				m.quiet()
			}
		})
	}
}

// A run that was killed between its decision and its end has changed the files, and that
// is no tampering: the next one finishes it, whatever on_changed says.
func TestAnInterruptedExportIsNoTampering(t *testing.T) {
	t.Parallel()

	for _, onChanged := range []string{"error", "recreate", "keep"} {
		w := newWorld(t, fakeapi.Options{Entries: 120, Seed: 34, NoExamples: true})
		base := with(w.exportArgs("a/june"), args{"on_changed": onChanged})
		again := args{"triggers": args{"again": "1"}}

		m := newManaged(w.run(), provider.ExportType)
		m.apply(w.run(), base)

		// What the run that was killed had decided on.
		w.later.Store(int64(time.Hour))
		newManaged(w.run(), provider.ExportType).apply(w.run(), with(with(base, again), args{"path": w.file("b/june")}))

		var members []string

		for i, suffix := range []string{"", ".manifest.json", ".sha256"} {
			temp, text := fmt.Sprintf(".june.audit-tmp-ABCDEFGHIJKLMNO%c", 'A'+i), w.read("b/june"+suffix)
			w.write("a/"+temp, text)

			members = append(members,
				fmt.Sprintf(`{"temp":%q,"final":%q,"size":%d,"sha256":"%x"}`, temp, "june"+suffix, len(text),
					sha256.Sum256([]byte(text))))
		}

		w.write("a/.june.audit-commit", `{"version":1,"members":[`+strings.Join(members, ",")+`]}`+"\n")
		w.later.Store(int64(2 * time.Hour))

		m.apply(w.run(), with(base, again))

		if got := m.errors(); len(got) > 0 {
			t.Errorf("%s: %v", onChanged, got)
		}

		m.plan(w.run(), with(base, again))
		m.does("none")
		m.quiet()
	}
}

// Asterisks that a user has typed hide nothing.
func TestAsterisksInAQueryHideNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 34, NoExamples: true})
	base := with(w.exportArgs("june"), args{"where": `entry.resource_id != "***"`})
	newManaged(w.run(), provider.ExportType).apply(w.run(), base)

	m := newManaged(w.run(), provider.ExportType)
	m.plan(w.run(), base)
	m.does("create")

	m = newManaged(w.run(), provider.ExportType)
	m.imports(w.run(), w.file("june"))
	m.quiet()
	m.plan(w.run(), base)
	m.does("none")
}

// A data file that is missing hides nothing that became of the others.
func TestTamperingBesideAMissingFileIsSaid(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 30, Seed: 38})

	for name, c := range map[string]struct {
		onMissing, onChanged string
		does                 string
		fails                bool
	}{
		"kept":               {"keep", "keep", "none", false},
		"changed, made":      {"keep", "recreate", "update", false},
		"missing, made":      {"recreate", "keep", "update", false},
		"changed, an error":  {"keep", "error", "", true},
		"missing, an error":  {"error", "keep", "", true},
		"an error and made":  {"recreate", "error", "", true},
		"made, and an error": {"error", "recreate", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := strings.ReplaceAll(name, " ", "-")
			base := with(w.exportArgs(dir+"/x"), args{"on_missing": c.onMissing, "on_changed": c.onChanged})

			m := newManaged(w.run(), provider.ExportType)
			m.apply(w.run(), base)

			// The data alone, which went elsewhere, is no tampering.
			w.remove(dir + "/x")
			m.refresh(w.run())
			m.quiet()

			w.write(dir+"/x.manifest.json", "{}")
			m.refresh(w.run())
			m.warns("The audit log export was changed", "x.manifest.json", "Found SHA-256: 44136fa355b3678a")

			if m.plan(w.run(), base); c.fails {
				m.fails("Look at the audit log export", "what is left of it was changed")
			} else {
				m.does(c.does)
			}
		})
	}
}

// An export replaces only itself, from whichever state.
func TestExportReplacesOnlyItself(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 60, Seed: 35})
	base := w.exportArgs("x")

	first := newManaged(w.run(), provider.ExportType)
	first.apply(w.run(), base)

	before := w.content(".")

	for name, arguments := range map[string]args{
		"window": {"start": "2026-06-02T00:00:00Z"}, "filter": {"operations": list("delete")},
		"columns": {"columns": list("id", "time")},
		"format":  {"format": "csv"}, "last": {"start": nil, "end": nil, "last": "30d"},
		"spelling of the path": {"path": w.dir + "/./x", "end": nil},
	} {
		second := newManaged(w.run(), provider.ExportType)
		second.plan(w.run(), with(base, arguments))
		second.fails("Another export is in the way", "Differs in: ", "set overwrite = true")

		second.apply(w.run(), with(base, arguments))

		if diff := cmp.Diff(before, w.content(".")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	// The same export, whose state was lost, spelled in another way.
	second := newManaged(w.run(), provider.ExportType)
	second.apply(w.run(), with(base, args{"start": "2026-06-01T02:00:00+02:00"}))
	second.does("create")
	second.quiet()

	// Another state took the path over, which the first one does not take back.
	third := newManaged(w.run(), provider.ExportType)
	third.apply(w.run(), with(base, args{"format": "csv", "overwrite": true}))

	before = w.content(".")

	first.apply(w.run(), base)
	first.fails("Another export is in the way", "Differs in: format")

	if diff := cmp.Diff(before, w.content(".")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Two resources of one run with one path: the second is refused, whatever the order.
func TestExportPathsOfOneRun(t *testing.T) {
	t.Parallel()

	for name, other := range map[string]string{
		"the same": "x", "spelled otherwise": "./x",
		"its manifest": "x.manifest.json", "its checksums": "x.sha256",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 36})
			a, b := w.exportArgs("x"), with(w.exportArgs("x"), args{"path": w.dir + "/" + other})
			refused := []string{"Another resource writes to the same path", `AttributeName("path")`}

			// Both planned first.
			run := w.run()
			first, second := newManaged(run, provider.ExportType), newManaged(run, provider.ExportType)
			planned := first.plan(run, a)
			second.plan(run, b)
			second.fails(refused...)

			// One after the other.
			first.finish(run, a, first.state, planned)
			first.quiet()
			second.plan(run, b)
			second.fails(refused...)

			// The first one stays as it is.
			run = w.run()
			first.plan(run, a)
			first.does("none")
			second.plan(run, b)
			second.fails(refused...)

			// The other way round; the one that exists is refused then.
			run = w.run()
			second.plan(run, b)
			first.plan(run, a)
			first.fails(refused...)

			// Both were planned in runs of their own.
			run = w.run()
			third, fourth := newManaged(run, provider.ExportType), newManaged(run, provider.ExportType)
			one, two := third.plan(w.run(), with(a, args{"path": w.dir + "/new"})),
				fourth.plan(w.run(), with(a, args{"path": w.dir + "/./new"}))
			third.finish(run, with(a, args{"path": w.dir + "/new"}), third.state, one)
			third.quiet()
			fourth.finish(run, with(a, args{"path": w.dir + "/./new"}), fourth.state, two)
			fourth.fails(refused...)

			// Several provider configurations, each in a process of its own.
			run, alias := w.run(), w.run()
			w.later.Add(int64(time.Second))

			base := with(a, args{"path": w.dir + "/alias"})
			fifth, sixth := newManaged(run, provider.ExportType), newManaged(alias, provider.ExportType)
			one, two = fifth.plan(run, base), sixth.plan(alias, base)
			fifth.finish(run, base, fifth.state, one)
			fifth.quiet()
			sixth.finish(alias, base, sixth.state, two)
			sixth.fails("Another resource or another run has written an export there since this run began")

			// One resource is planned several times, and replaced.
			run = w.run()
			first.plan(run, a)
			first.apply(run, with(a, args{"path": w.file("elsewhere")}))
			first.does("replace")
		})
	}
}

// Deleting deletes what this instance wrote.
func TestExportDeletesWhatItWrote(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 37})

	for name, c := range map[string]struct {
		change func(base args)
		left   bool
		warns  string
	}{
		"as written":    {func(args) {}, false, ""},
		"nothing there": {func(base args) { w.removeAll(filepath.Dir(base["path"].(string))) }, false, ""},
		"another's since": {func(base args) {
			w.later.Add(int64(time.Second))

			other := newManaged(w.run(), provider.ExportType)
			other.apply(w.run(), base)
			other.quiet()
		}, true, "Found SHA-256: "},
		"manifest gone": {func(base args) {
			if err := os.Remove(base["path"].(string) + ".manifest.json"); err != nil {
				t.Fatal(err)
			}
		}, true, "Found SHA-256: no file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			run := func() configured { return w.provider(t, w.settings()) }
			dir := strings.ReplaceAll(name, " ", "-")
			base := with(w.exportArgs(dir+"/x"), args{"keep_on_destroy": false})

			m := newManaged(run(), provider.ExportType)
			m.apply(run(), base)
			c.change(base)
			m.destroy(run())

			if c.warns == "" {
				m.quiet()
			} else {
				m.warns("The audit log export was left where it is", w.file(dir+"/x"), "Expected SHA-256", c.warns)
			}

			if files, err := os.ReadDir(w.file(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) ||
				(len(files) > 0) != c.left {
				t.Errorf("files are %v, %v", files, err)
			}
		})
	}

	// A new one at the same path before the old one goes, at the very same time.
	base := with(w.exportArgs("before/x"), args{"keep_on_destroy": false})
	run := w.run()
	old := newManaged(run, provider.ExportType)
	old.apply(w.run(), base)

	run = w.run()
	young := newManaged(run, provider.ExportType)
	young.apply(run, base)
	young.quiet()
	old.destroy(run)
	old.warns("The audit log export was left where it is")

	if got := w.files("before"); len(got) != 3 {
		t.Errorf("files are %v", got)
	}

	// A kept export is forgotten whatever is at its path.
	kept := newManaged(run, provider.ExportType)
	kept.apply(w.run(), w.exportArgs("kept/x"))
	w.removeAll(w.file("kept"))
	w.write("kept", "a file where there was a directory")
	kept.refresh(w.run())
	kept.warns("Look at the audit log export")
	kept.destroy(w.run())
	kept.quiet()
}

func (w *world) removeAll(dir string) {
	w.t.Helper()

	if err := os.RemoveAll(dir); err != nil {
		w.t.Fatal(err)
	}
}

// Tampering is said, and what follows from it is for on_changed to say.
func TestExportTamperingIsSaid(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 30, Seed: 38})

	for name, c := range map[string]struct {
		change func(path string) error
		says   []string
		unix   bool
	}{
		"changed": {
			func(path string) error { return os.WriteFile(path, []byte("[]"), 0o600) },
			[]string{"Expected SHA-256: ", "Found SHA-256: 4f53cda18c2baa0c"},
			false,
		},
		"truncated": {func(path string) error { return os.Truncate(path, 10) }, []string{"Expected SHA-256: ", "Found SHA-256: "}, false},
		"manifest changed": {
			func(path string) error { return os.WriteFile(path+".manifest.json", []byte("{}"), 0o600) },
			[]string{"x.manifest.json", "Found SHA-256: 44136fa355b3678a"},
			false,
		},
		"manifest gone": {
			func(path string) error { return os.Remove(path + ".manifest.json") },
			[]string{"x.manifest.json", "Found SHA-256: no file"},
			false,
		},
		"checksums gone": {
			func(path string) error { return os.Remove(path + ".sha256") },
			[]string{"x.sha256", "Found SHA-256: no file"},
			false,
		},
		"checksums": {
			func(path string) error { return os.WriteFile(path+".sha256", nil, 0o600) },
			[]string{"x.sha256", "Found SHA-256: e3b0c44298fc1c14"},
			false,
		},
		"permission": {func(path string) error { return os.Chmod(path, 0o644) }, []string{"Expected permission: 0600", "Found permission: 0644"}, true},
		"setuid":     {func(path string) error { return os.Chmod(path, 0o600|fs.ModeSetuid) }, []string{"Expected permission: 0600", "Found permission: 4600"}, true},
		"of the manifest": {
			func(path string) error { return os.Chmod(path+".manifest.json", 0o666) },
			[]string{"x.manifest.json", "Found permission: 0666"},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if c.unix && runtime.GOOS == "windows" {
				t.Skip("no permissions")
			}

			run := func() configured { return w.provider(t, w.settings()) }
			dir := strings.ReplaceAll(name, " ", "-")
			base := w.exportArgs(dir + "/x")

			m := newManaged(run(), provider.ExportType)
			m.apply(run(), base)
			m.is("drift", nil)

			before := w.content(dir)
			tamper := func() {
				t.Helper()

				if err := c.change(w.file(dir + "/x")); err != nil {
					t.Fatal(err)
				}
			}

			tamper()

			changed := w.content(dir)
			says := append([]string{"The audit log export was changed", w.file(dir + "/x")}, c.says...)

			// A refresh alone says it, every time.
			for range 2 {
				m.refresh(run())
				m.warns(says...)

				if m.at("drift") == nil {
					t.Error("the state says nothing")
				}
			}

			m.apply(run(), with(base, args{"on_changed": "error"}))
			m.fails("Look at the audit log export", "Path: "+w.file(dir+"/x"), "The export was changed", "on_changed")

			m.apply(run(), with(base, args{"on_changed": "keep"}))
			m.warns(says...)
			m.apply(run(), with(base, args{"on_changed": "keep"}))
			m.does("none")

			if diff := cmp.Diff(changed, w.content(dir)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}

			m.apply(run(), base)
			m.does("update")
			m.warns(says...)
			m.is("drift", nil)

			if diff := cmp.Diff(before, w.content(dir)); diff != "" {
				t.Errorf("made again (-want +got):\n%s", diff)
			}

			if info, err := os.Stat(w.file(dir + "/x")); err == nil && c.unix && info.Mode() != 0o600 {
				t.Errorf("permission is %v", info.Mode())
			}

			m.plan(run(), base)
			m.does("none")
			m.quiet()
		})
	}
}

// What holds for exports holds for the arguments of archives that look like theirs.
func TestArchiveSpellingsWriteNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 60, Seed: 39})
	base := args{
		"service": "upcloud", "destination": w.file("archive"), "start": "30d", "settle_delay": "1m", "overlap": "10m",
		"operations": list("read", "update"), "where": `entry.actor != "a  b" && entry.resource_id != "x"`,
		"redact": args{"actor": "drop"},
	}

	m := newManaged(w.run(), provider.ArchiveType)
	m.apply(w.run(), base)

	if len(m.errors()) > 0 {
		t.Fatal(m.errors())
	}

	before, head := w.filesBelow(), m.at("head_sha256")

	for name, c := range map[string]struct {
		after  args
		action string
	}{
		"path":          {args{"destination": w.dir + "/./archive/"}, "none"},
		"another way":   {args{"destination": w.dir + "/no/../archive"}, "none"},
		"spans":         {args{"settle_delay": "60s", "overlap": "600s", "start": "720h"}, "none"},
		"order":         {args{"operations": list("update", "read", "read")}, "none"},
		"white space":   {args{"where": "entry.actor!=\"a  b\"&&\nentry.resource_id!='x'"}, "none"},
		"implied rules": {args{"redact": args{"actor": "drop", "message": "drop"}}, "none"},
		"defaults":      {args{"settle_delay": nil, "overlap": nil}, "update"},
		"timeouts":      {args{"timeouts": args{"update": "1h"}}, "update"},
	} {
		m.apply(w.run(), with(base, c.after))

		if m.action != c.action || m.at("head_sha256") != head {
			t.Errorf("%s: the plan is to %s, want %s; %s", name, m.action, c.action, m.errors())
		}

		m.apply(w.run(), base)
	}

	if diff := cmp.Diff(before, w.filesBelow()); diff != "" {
		t.Errorf("the archive (-want +got):\n%s", diff)
	}

	for name, after := range map[string]args{
		"another place": {"destination": w.file("archive2")}, "a part of it": {"destination": w.file("archive/sub")},
	} {
		if m.plan(w.run(), with(base, after)); m.action != "replace" {
			t.Errorf("%s: the plan is to %s", name, m.action)
		}
	}

	for _, destination := range []string{"~/archive", "$HOME/archive", "file:///archive", "s3:/evidence", " archive"} {
		m.plan(w.run(), with(base, args{"destination": destination}))
		m.fails("The value of destination cannot be used", `AttributeName("destination")`)
	}
}

// An import takes over what the manifest says, so that a plan with the configuration
// that made the export is empty.
// A plain name that is compared with another field is one of a person once the log has
// shown it to be: exports hide it, and archives, whose segments all show the same filters,
// say so. What the state says of a reading is what the manifest says.
func TestNamesThatTheLogShowsToBePeople(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 40, Seed: 34, NoExamples: true})
	w.env["AUDIT_REDACTION_KEY"] = "a random text of some length"

	name := w.fake.UpCloudRecords()[0].AccountUsername
	arguments := args{
		"where":  fmt.Sprintf("entry.resource_id != %q && entry.resource_id != \"web-1\"", name),
		"redact": args{"actor": "hash"},
	}

	m := newManaged(w.run(), provider.ExportType)
	m.apply(w.run(), with(w.exportArgs("x"), arguments))

	if text := w.read("x.manifest.json"); strings.Contains(text, name) || !strings.Contains(text, "web-1") {
		t.Errorf("the manifest has %q:\n%s", name, text)
	}

	if got := fmt.Sprint(m.at("completeness")); strings.Contains(got, name) {
		t.Errorf("the state has %q: %s", name, got)
	}

	archive := args{"service": "upcloud", "destination": w.file("archive"), "start": "60d"}

	kept := newManaged(w.run(), provider.ArchiveType)
	kept.apply(w.run(), with(archive, arguments))
	kept.warns("The archive's manifests name what is redacted", "Arguments: where")

	delete(arguments, "where")
	kept.apply(w.run(), with(archive, arguments))
	kept.quiet()
}

func TestExportIsImported(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 80, Seed: 40})
	w.env["AUDIT_REDACTION_KEY"] = "a random text of some length"

	for name, more := range map[string]args{
		"plain":     {},
		"bounds":    {"start": nil},
		"last":      {"start": nil, "end": nil, "last": "30d"},
		"no bounds": {"start": nil, "end": nil},
		"delay":     {"settle_delay": "5m"},
		"filters": {
			"operations": list("read", "update"), "actors": list("a"), "ip_addresses": list("203.0.113.0/24"),
			"search": "<x>",
		},
		"condition":    {"where": "entry.actor != \"a  b\"\n && entry.resource_id != \"x\""},
		"csv":          {"format": "csv", "columns": list("time", "id"), "compression": "gzip", "spreadsheet_safe": false},
		"parquet":      {"format": "parquet", "compression": "none"},
		"ocsf":         {"shape": "ocsf", "compression": "zstd"},
		"redacted":     {"redact": args{"actor": "hash", "ip_address": "mask", "message": "keep"}},
		"permission":   {"file_permission": "0640"},
		"other cloud":  {"service": "cloudscale"},
		"nothing left": {"operations": list("delete"), "search": "no such entry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			run := func() configured { return w.provider(t, w.settings()) }
			base := with(with(w.exportArgs(strings.ReplaceAll(name, " ", "-")), more), args{"keep_on_destroy": true})

			made := newManaged(run(), provider.ExportType)
			made.apply(run(), base)

			if len(made.errors()) > 0 {
				t.Fatal(made.errors())
			}

			m := newManaged(run(), provider.ExportType)
			m.imports(run(), base["path"].(string))
			m.quiet()

			for attribute := range m.answer.state {
				if fmt.Sprint(m.at(attribute)) != fmt.Sprint(made.at(attribute)) {
					t.Errorf("%s is %v, want %v", attribute, m.at(attribute), made.at(attribute))
				}
			}

			m.plan(run(), base)
			m.does("none")
		})
	}

	// Of a redacted query a manifest shows pseudonyms, which stand for one text each, or
	// what stands for many.
	for name, c := range map[string]struct {
		arguments args
		does      string
		warns     string
	}{
		"actors, hashed": {
			args{"actors": list("alice@example.com", "bob"), "redact": args{"actor": "hash"}},
			"none",
			"",
		},
		"a condition, hashed": {
			args{"where": `entry.actor != "alice@example.com"`, "redact": args{"actor": "hash"}},
			"none",
			"",
		},
		"a search, dropped": {args{"search": "alice", "redact": args{"actor": "drop"}}, "update", "Arguments: search"},
		"an address, masked": {
			args{"ip_addresses": list("203.0.113.7"), "redact": args{"ip_address": "mask"}},
			"update",
			"",
		},
		"both in a condition": {args{"where": `entry.actor != "alice@example.com" && entry.ip_address != "203.0.113.7"`, "redact": args{"actor": "hash", "ip_address": "mask"}}, "update", ""},
	} {
		base := with(w.exportArgs("shown/"+strings.ReplaceAll(name, " ", "-")), c.arguments)
		newManaged(w.run(), provider.ExportType).apply(w.run(), base)

		m := newManaged(w.run(), provider.ExportType)
		m.imports(w.run(), base["path"].(string))

		if c.warns == "" {
			m.quiet()
		} else {
			m.warns("The query of the audit log export is not known", c.warns)
		}

		m.plan(w.run(), base)
		m.does(c.does)

		others := args{"actors": list("alice@example.com", "carol"), "where": `entry.actor != "carol@example.com"`}
		for argument, other := range others {
			if c.arguments[argument] != nil {
				m.plan(w.run(), with(base, args{argument: other}))
				m.does("update")
			}
		}
	}

	for id, says := range map[string]string{
		"~/x": "a path that a shell would replace", "s3://bucket/x": "an address, not a path", "": "it is empty",
		w.file("missing"): "No manifest of this provider describes an export at the path", w.dir: "No manifest",
	} {
		m := newManaged(w.run(), provider.ExportType)
		m.imports(w.run(), id)
		m.fails("Import the audit log export", says)
	}

	// What was changed before the import is said, and not taken for what was written.
	base := w.exportArgs("tampered")
	newManaged(w.run(), provider.ExportType).apply(w.run(), base)
	w.write("tampered", "{}")

	m := newManaged(w.run(), provider.ExportType)
	m.imports(w.run(), w.dir+"/./tampered")
	m.warns("The audit log export was changed", "Expected SHA-256", "Found SHA-256")
}

// A replacement that comes before the end of the old resource keeps its files, also
// where both are written at the very same time.
func TestAccExport_createBeforeDestroy(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 41})
	config := func(input, path string) string {
		return fmt.Sprintf("resource \"terraform_data\" \"test\" {\n  input = %q\n}\n", input) +
			w.export(path, "json", month+"  keep_on_destroy = false\n  lifecycle {\n    create_before_destroy = true\n    replace_triggered_by = [terraform_data.test]\n  }\n")
	}
	there := func(names ...string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			if got := w.files("."); !slices.Equal(got, names) {
				return fmt.Errorf("files are %v", got)
			}

			w.verify(".", names[2])

			return nil
		}
	}

	w.test(
		resource.TestStep{Config: config("1", "a"), Check: there("a", "a.manifest.json", "a.sha256")},
		resource.TestStep{
			Config:           config("2", "a"),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionCreateBeforeDestroy),
			Check:            there("a", "a.manifest.json", "a.sha256"),
		},
		resource.TestStep{ // Another path is another export, and the old one goes.
			Config:           config("2", "b"),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionCreateBeforeDestroy),
			Check:            there("b", "b.manifest.json", "b.sha256"),
		},
	)

	if got := w.files("."); len(got) != 0 {
		t.Errorf("files are %v", got)
	}
}

// The same where Terraform itself ends the old resource and makes the new one.
func TestAccExport_replacementTakesNothingAway(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		input, path string
		taint       bool
		fails       bool
	}{
		"triggered": {"2", "a", false, true},
		"tainted":   {"1", "a", true, true},
		"moved":     {"1", "b", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 41, NoExamples: true})
			config := func(input, path string) string {
				return fmt.Sprintf("resource \"terraform_data\" \"test\" {\n  input = %q\n}\n", input) +
					w.export(path, "json", month+"  keep_on_destroy = false\n  lifecycle {\n    replace_triggered_by = [terraform_data.test]\n  }\n")
			}

			var before string

			next := resource.TestStep{
				PreConfig: func() {
					before = w.read("a")
					if err := w.fake.Load(strings.NewReader("")); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(c.input, c.path),
				Check: func(*terraform.State) error {
					if got := w.files("."); len(got) != 6 {
						return fmt.Errorf("files are %v", got)
					}

					return nil
				},
			}
			if c.taint {
				next.Taint = []string{exported}
			}

			if c.fails {
				next.ExpectError = regexp.MustCompile(`Entries read now: 0`)
			}

			w.test(resource.TestStep{Config: config("1", "a")}, next)

			if got := w.read("a"); got != before {
				t.Errorf("the export is %q", got)
			}
		})
	}
}

func TestAccExport_twoResourcesOnePath(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 42})
	second := func(path, more string) string {
		return fmt.Sprintf("\nresource \"audit_log_export\" \"second\" {\n  path   = %q\n  format = \"json\"\n%s}\n", path, month+more)
	}
	refused := diagnostic("Export audit logs", `Another resource writes to the same path, or to one of the files beside it.

Path: … Give each export a path of its own.`)

	w.test(
		resource.TestStep{Config: w.export("a", "json", month) + second(w.dir+"/./a", ""), ExpectError: refused},
		resource.TestStep{ // Whatever is known only in the apply.
			Config: "resource \"terraform_data\" \"test\" {\n  input = \"a\"\n}\n" +
				strings.ReplaceAll(w.export("a", "json", month), `/a"`, `/${terraform_data.test.output}"`) +
				strings.ReplaceAll(second(w.file("a"), "  depends_on = [audit_log_export.test]\n"), `/a"`,
					`/${terraform_data.test.output}"`),
			ExpectError: refused,
		},
		resource.TestStep{Config: w.export("a", "json", month)},
		resource.TestStep{Config: w.export("a", "json", month) + second(w.file("a"), ""), ExpectError: refused},
	)
}

func TestAccExport_import(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, Seed: 43})
	config := w.export("a", "csv", month+"  operations = [\"update\", \"read\"]\n  where = \"entry.actor != \\\"a  b\\\"\"\n")

	w.test(resource.TestStep{Config: config})
	w.test(
		resource.TestStep{
			Config: config, ResourceName: exported, ImportState: true, ImportStateId: w.dir + "/./a",
			ImportStatePersist: true,
		},
		resource.TestStep{
			Config:           config,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
	)
}
