// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

func compiled(t *testing.T, text string) auditlog.Condition {
	t.Helper()

	condition, err := where.Compile(text)
	if err != nil {
		t.Fatal(err)
	}

	return condition
}

// One export after another at the same path, with nothing remembered: only the same
// export may be replaced, however its arguments are spelled.
func TestReplacesOnlyTheSameExport(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		change  func(s *export.Spec)
		differs []string
	}{
		"the same":    {func(*export.Spec) {}, nil},
		"span":        {func(s *export.Spec) { s.QueryAsWritten.SettleDelay = "60s" }, nil},
		"time":        {func(s *export.Spec) { s.QueryAsWritten.Start = "2026-03-13T09:26:53.000Z" }, nil},
		"white space": {func(s *export.Spec) { s.Query.Where = compiled(t, " entry.actor\n!=\"a b\" ") }, nil},
		"order":       {func(s *export.Spec) { slices.Reverse(s.Query.Operations) }, nil},
		"address": {
			func(s *export.Spec) { s.Query.IPAddresses = []string{"2001:DB8::/32", "2001:db8:0::/32"} },
			nil,
		},
		"default columns":   {func(s *export.Spec) { s.Columns = fieldNames() }, nil},
		"redaction":         {func(s *export.Spec) { s.SpreadsheetSafe = false }, nil},
		"another time":      {func(s *export.Spec) { s.ExportedAt = s.ExportedAt.Add(time.Hour) }, nil},
		"another service":   {func(s *export.Spec) { s.Info.Name = auditlog.ServiceArchive }, []string{"service"}},
		"another start":     {func(s *export.Spec) { s.QueryAsWritten.Start = "2026-03-13T10:26:53Z" }, []string{"start"}},
		"an end":            {func(s *export.Spec) { s.QueryAsWritten.End = "2026-03-14T10:26:53Z" }, []string{"end"}},
		"last":              {func(s *export.Spec) { s.QueryAsWritten = export.QueryAsWritten{Last: "24h"} }, []string{"last", "start", "settle_delay"}},
		"another delay":     {func(s *export.Spec) { s.QueryAsWritten.SettleDelay = "2m" }, []string{"settle_delay"}},
		"another filter":    {func(s *export.Spec) { s.Query.Actors = []string{"a"} }, []string{"actors"}},
		"another condition": {func(s *export.Spec) { s.Query.Where = compiled(t, `entry.actor != "a  b"`) }, []string{"where"}},
		"no condition":      {func(s *export.Spec) { s.Query.Where = nil }, []string{"where"}},
		"another format":    {func(s *export.Spec) { s.Format = format.NDJSON }, []string{"format"}},
		"other columns":     {func(s *export.Spec) { s.Columns = []string{"id", "time"} }, []string{"columns"}},
		"order of columns":  {func(s *export.Spec) { s.Columns = slices.Concat(fieldNames()[1:], []string{"id"}) }, []string{"columns"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "out")
			first := spec(path, format.CSV)
			first.Query.Where = compiled(t, `entry.actor != "a b"`)
			mustWrite(t, first, month())

			before := files(t, filepath.Dir(path))

			second := spec(path, format.CSV)
			second.Query.Where = first.Query.Where
			c.change(&second)

			_, err := export.Write(t.Context(), second, all(month()), complete(5))

			var foreign *export.ForeignFileError
			if errors.As(err, &foreign) != (c.differs != nil) || err != nil && foreign == nil {
				t.Fatalf("got %v", err)
			}

			if c.differs == nil {
				return
			}

			if diff := cmp.Diff(c.differs, foreign.Differs); diff != "" {
				t.Errorf("what differs (-want +got):\n%s", diff)
			}

			if diff := cmp.Diff(before, files(t, filepath.Dir(path))); diff != "" {
				t.Errorf("the first export (-want +got):\n%s", diff)
			}

			// Whoever remembers the export that is there, or one that was the same, may.
			for _, sum := range []string{sum(before["out.manifest.json"]), "another"} {
				again := first
				again.Overwrite = true
				mustWrite(t, again, month())

				second.Before = &export.Before{Asked: first.Asked(), ManifestSHA256: sum}
				if err := export.CheckTarget(second); err != nil {
					t.Errorf("remembered: %v", err)
				}
			}

			// Whoever remembers another one may not.
			third := second
			third.QueryAsWritten.End = "2026-03-14T09:00:00Z"
			third.Before = &export.Before{Asked: third.Asked(), ManifestSHA256: "another"}

			if err := export.CheckTarget(third); !errors.As(err, &foreign) {
				t.Errorf("another one is remembered: got %v", err)
			}

			third.Overwrite = true
			mustWrite(t, third, month())
		})
	}
}

// An export that came after the run began is another resource's, though it is the same.
func TestDoesNotReplaceWhatTheSameRunWrote(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out")
	first := spec(path, format.CSV)
	mustWrite(t, first, month())

	text := files(t, filepath.Dir(path))

	for name, c := range map[string]struct {
		begun  time.Time
		before *export.Before
		want   bool
	}{
		"later run":       {first.ExportedAt.Add(time.Second), nil, false},
		"the same moment": {first.ExportedAt.Truncate(time.Microsecond), nil, false},
		"same run":        {first.ExportedAt.Add(-time.Second), nil, true},
		"its own":         {first.ExportedAt.Add(-time.Second), &export.Before{Asked: first.Asked(), ManifestSHA256: sum(text["out.manifest.json"])}, false},
		"another's":       {first.ExportedAt.Add(-time.Second), &export.Before{Asked: first.Asked(), ManifestSHA256: "x"}, true},
	} {
		for _, overwrite := range []bool{false, true} {
			s := spec(path, format.CSV)
			s.Begun, s.Before, s.Overwrite = c.begun, c.before, overwrite

			var foreign *export.ForeignFileError
			if err := export.CheckTarget(s); errors.As(err, &foreign) != c.want || foreign != nil && !foreign.Meanwhile {
				t.Errorf("%s, overwrite %v: got %v", name, overwrite, err)
			}
		}
	}
}

// A fuller export is never replaced by an emptier one.
func TestExportsDoNotShrink(t *testing.T) {
	t.Parallel()

	const day = 24 * time.Hour

	june := auditlog.Window{Start: auditlogtest.At.Add(-30 * day), End: auditlogtest.At}
	written := export.QueryAsWritten{Start: auditlog.FormatTime(june.Start), End: auditlog.FormatTime(june.End)}

	for name, c := range map[string]struct {
		count  int
		change func(s *export.Spec, c *auditlog.Completeness)
		want   bool
	}{
		"as many":         {5, func(*export.Spec, *auditlog.Completeness) {}, false},
		"fewer":           {4, func(*export.Spec, *auditlog.Completeness) {}, true},
		"none":            {0, func(*export.Spec, *auditlog.Completeness) {}, true},
		"more":            {6, func(*export.Spec, *auditlog.Completeness) {}, false},
		"beyond":          {5, func(_ *export.Spec, c *auditlog.Completeness) { c.BeyondRetention = true }, true},
		"more beyond":     {6, func(_ *export.Spec, c *auditlog.Completeness) { c.BeyondRetention = true }, true},
		"fewer are asked": {4, func(s *export.Spec, _ *auditlog.Completeness) { s.Query.Actors = []string{"a"} }, false},
		"another format":  {4, func(s *export.Spec, _ *auditlog.Completeness) { s.Format = format.JSON }, true},
		"a longer window": {
			4, func(_ *export.Spec, c *auditlog.Completeness) { c.Window.Start = c.Window.Start.Add(-day) },
			true,
		},
		"a shorter window": {4, func(s *export.Spec, c *auditlog.Completeness) {
			c.Window.Start = c.Window.Start.Add(day)
			s.QueryAsWritten.Start = auditlog.FormatTime(c.Window.Start)
		}, false},
		"a less settled one": {4, func(s *export.Spec, c *auditlog.Completeness) {
			s.QueryAsWritten.SettleDelay, c.Window.End = "2m", c.Window.End.Add(-time.Minute)
		}, false},
		"an open end that is earlier": {
			4,
			func(_ *export.Spec, c *auditlog.Completeness) { c.Window.End = c.Window.End.Add(-day) }, true,
		},
		"another window": {0, func(_ *export.Spec, c *auditlog.Completeness) {
			c.Window.Start, c.BeyondRetention = c.Window.Start.Add(day), true
		}, true},
		"a window that moves": {0, func(s *export.Spec, c *auditlog.Completeness) {
			s.QueryAsWritten = export.QueryAsWritten{Last: "30d"}
			c.Window.Start, c.BeyondRetention = c.Window.Start.Add(day), true
		}, false},
		"fewer are asked beyond": {4, func(s *export.Spec, c *auditlog.Completeness) {
			s.Query.Actors, c.BeyondRetention = []string{"a"}, true
		}, true},
		"as many beyond as before": {5, func(s *export.Spec, c *auditlog.Completeness) {
			c.BeyondRetention = true
			if s.Before != nil {
				s.Before.BeyondRetention = true
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			// From what is remembered, whatever is there, and from what is there.
			for _, remembered := range []bool{true, false} {
				if !remembered && name == "as many beyond as before" {
					continue
				}

				path := filepath.Join(t.TempDir(), "out")
				s := spec(path, format.CSV)
				s.QueryAsWritten, s.AllowShrink = written, false

				statement := complete(5)
				statement.Window, statement.BeyondRetention = june, false

				if remembered {
					s.Before = &export.Before{Asked: s.Asked(), ManifestSHA256: "x", EntryCount: 5, Window: june}
				} else if _, err := export.Write(t.Context(), s, all(month()), statement); err != nil {
					t.Fatal(err)
				}

				before := files(t, filepath.Dir(path))
				statement = complete(c.count)
				statement.Window, statement.Retention, statement.BeyondRetention = june, 90*day, false

				next := s
				next.Overwrite = true // Which does not say that less is welcome.
				c.change(&next, statement)

				_, err := export.Write(t.Context(), next, many(c.count, func(int) {}), statement)

				var shrink *export.ShrinkError
				if errors.As(err, &shrink) != c.want || err != nil && shrink == nil {
					t.Fatalf("remembered %v: got %v", remembered, err)
				}

				if shrink == nil {
					continue
				}

				if shrink.Kept.EntryCount != 5 || shrink.Count != int64(c.count) {
					t.Errorf("remembered %v: got %+v", remembered, shrink)
				}

				if diff := cmp.Diff(before, files(t, filepath.Dir(path))); diff != "" {
					t.Errorf("remembered %v (-want +got):\n%s", remembered, diff)
				}

				next.AllowShrink = true
				if _, err := export.Write(t.Context(), next, many(c.count, func(int) {}), statement); err != nil {
					t.Errorf("remembered %v, allowed: %v", remembered, err)
				}
			}
		})
	}
}

// Only the export that is remembered is removed.
func TestRemovesOnlyWhatIsRemembered(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		change func(f folder)
		left   bool
	}{
		"as written":       {func(folder) {}, false},
		"nothing there":    {func(f folder) { f.remove(dataName, manifestName, checksumName) }, false},
		"data gone":        {func(f folder) { f.remove(dataName) }, false},
		"checksums gone":   {func(f folder) { f.remove(checksumName) }, false},
		"made again":       {func(f folder) { mustWrite(f.t, later(f.dir), month()) }, true},
		"manifest gone":    {func(f folder) { f.remove(manifestName) }, true},
		"checksums alone":  {func(f folder) { f.remove(dataName, manifestName) }, true},
		"manifest changed": {func(f folder) { f.replace(manifestName, "upcloud", "UpCloud") }, true},
		"another's":        {func(f folder) { f.put(dataName, "mine"); f.remove(manifestName, checksumName) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := newFolder(t)
			written := sum(files(t, f.dir)[manifestName])
			c.change(f)

			before := files(t, f.dir)
			err := export.Remove(filepath.Join(f.dir, dataName), written)

			var other *export.NotWrittenError
			if errors.As(err, &other) != c.left || err != nil && other == nil {
				t.Errorf("got %v", err)
			}

			if after := files(t, f.dir); c.left != (len(after) > 0) || c.left && !cmp.Equal(before, after) {
				t.Errorf("left %v", after)
			}
		})
	}
}

func later(dir string) export.Spec {
	s := spec(filepath.Join(dir, dataName), format.CSV)
	s.ExportedAt = s.ExportedAt.Add(time.Second)

	return s
}

func TestChangesNameFileAndValues(t *testing.T) {
	t.Parallel()

	f := newFolder(t)
	path := filepath.Join(f.dir, dataName)
	text := files(t, f.dir)

	changes := func() []export.Change {
		s, err := export.Inspect(path)
		if err != nil {
			t.Fatal(err)
		}

		return s.Changes(path, sum(text[dataName]), sum(text[manifestName]), 0o640)
	}

	if got := changes(); runtime.GOOS != "windows" && got != nil {
		t.Errorf("as written: %v", got)
	}

	f.put(dataName, text[dataName][:100])
	f.put(manifestName, "{}")
	f.remove(checksumName)

	want := []export.Change{
		{Path: path, Expected: sum(text[dataName]), Found: sum(text[dataName][:100])},
		{Path: path + ".manifest.json", Expected: sum(text[manifestName]), Found: sum("{}")},
		{Path: path + ".sha256", Expected: sum(text[checksumName])},
	}
	if diff := cmp.Diff(want, changes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	s := export.State{Exists: true, SHA256: "a", ManifestSHA256: "b", Permissions: map[string]fs.FileMode{"": 0o666}}
	if got := s.Changes("x", "a", "b", 0o600); runtime.GOOS != "windows" &&
		(len(got) != 2 || got[0] != export.Change{Path: "x", Permission: true, Expected: "0600", Found: "0666"}) {
		t.Errorf("got %v", got)
	}
}
