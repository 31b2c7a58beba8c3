// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// unix and windows are what programs make of line endings.
func unix(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func windows(text string) string { return strings.ReplaceAll(unix(text), "\n", "\r\n") }

const restored = "; it matches after line endings are restored, which programs such as Git change"

// TestVerifyTellsAccidentsFromChanges: both fail, and only what changes nothing but
// line endings is excused.
func TestVerifyTellsAccidentsFromChanges(t *testing.T) {
	t.Parallel()

	for _, as := range []struct {
		format      format.Format
		compression format.Compression
	}{
		{format.CSV, ""},
		{format.NDJSON, ""},
		{format.JSON, ""},
		{format.Parquet, ""},
		{format.CSV, format.Gzip},
		{format.NDJSON, format.Zstd},
	} {
		name := "out." + format.Extension(as.format, as.compression)
		dir := t.TempDir()
		path := filepath.Join(dir, name)

		s := spec(path, as.format)
		s.Compression = as.compression

		// Cells with line feeds, as names and records have them.
		list := []auditlog.Entry{
			auditlogtest.Hostile()[1], auditlogtest.Hostile()[4],
			auditlogtest.Entry("lines", func(e *auditlog.Entry) {
				e.ScopeID, e.Message, e.Raw = "", "a\n\"b\"\n", []byte("{\n  \"a\": 1\n}")
			}),
		}
		list[0].ScopeID = ""

		result := mustWrite(t, s, list)
		written := files(t, dir)

		verify := func(change map[string]string) []export.Problem {
			t.Helper()

			now := maps.Clone(written)
			maps.Copy(now, change)

			for name, text := range now {
				if text == "" {
					_ = os.Remove(filepath.Join(dir, name))

					continue
				}

				put(t, filepath.Join(dir, name), text)
			}

			report, err := export.Verify(path)
			if err != nil {
				t.Fatal(err)
			}

			if report.Valid != (len(report.Problems) == 0) || report.Path != path {
				t.Errorf("%s: got %+v", name, report)
			}

			return report.Problems
		}
		expect := func(what string, change map[string]string, want ...export.Problem) {
			t.Helper()

			if diff := cmp.Diff(append([]export.Problem{}, want...), verify(change)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, what, diff)
			}
		}

		expect("untouched", nil)

		if r, err := export.Verify(path); err != nil || r.SHA256 != result.SHA256 ||
			r.ManifestSHA256 != result.ManifestSHA256 || r.EntryCount != 3 || r.Service != "upcloud" || r.Format != as.format {
			t.Errorf("got %+v, %v", r, err)
		}

		manifest, sums := name+export.ManifestSuffix, name+export.ChecksumSuffix
		data := export.Problem{Finding: export.FindingAltered, Path: path, Detail: "it is not what the manifest says"}

		for what, change := range map[string]func(string) string{"LF": unix, "CRLF": windows} {
			all := map[string]string{}

			var want []export.Problem

			for _, file := range []string{sums, manifest, name} {
				// A compressed file may have both kinds of line endings by chance.
				if all[file] = change(written[file]); all[file] == written[file] || file == name &&
					unix(all[file]) != unix(written[file]) {
					all[file] = written[file]

					continue
				}

				detail := map[string]string{
					sums: restored[2:], manifest: "it is not what the checksum file says" + restored,
					name: data.Detail + restored,
				}[file]
				want = append(want, export.Problem{Finding: export.FindingAltered, Path: filepath.Join(dir, file), Detail: detail})
			}

			binary := as.format == format.Parquet || as.compression != ""
			if !binary {
				expect("all with "+what, all, want...)
			}
		}

		expect("a byte", map[string]string{name: written[name][:len(written[name])/2] + "~" +
			written[name][len(written[name])/2+1:]}, data)
		expect("a line", map[string]string{name: written[name] + "x\n"}, data)
		expect("cut off", map[string]string{name: written[name][:len(written[name])-1]}, data)
		expect("no data", map[string]string{name: ""}, export.Problem{Finding: export.FindingMissing, Path: path, Detail: "it is not there"})
		expect("no manifest", map[string]string{manifest: ""}, export.Problem{Finding: export.FindingMissing, Path: path + export.ManifestSuffix, Detail: "it is not there"})
		expect("no sums", map[string]string{sums: ""}, export.Problem{Finding: export.FindingMissing, Path: path + export.ChecksumSuffix, Detail: "it is not there"})
		expect("a manifest of nothing", map[string]string{manifest: "{}"},
			export.Problem{
				Finding: export.FindingAltered, Path: path + export.ManifestSuffix,
				Detail: "it is not what the checksum file says",
			},
			export.Problem{Finding: export.FindingAltered, Path: path + export.ManifestSuffix, Detail: "it says nothing of " +
				name})
		expect("a manifest that is none", map[string]string{manifest: "x"},
			export.Problem{
				Finding: export.FindingAltered, Path: path + export.ManifestSuffix,
				Detail: "it is not what the checksum file says",
			},
			export.Problem{
				Finding: export.FindingUnreadable, Path: path + export.ManifestSuffix,
				Detail: "it is not a manifest",
			})
		expect("other sums", map[string]string{sums: strings.Repeat("0", 64) + written[sums][64:]},
			export.Problem{
				Finding: export.FindingAltered, Path: path + export.ChecksumSuffix,
				Detail: "it names another SHA-256 of the data than the manifest",
			})
		expect("sums and more", map[string]string{sums: written[sums] + "x"},
			export.Problem{
				Finding: export.FindingUnreadable, Path: path + export.ChecksumSuffix,
				Detail: "it is not a checksum file of " + name + " and its manifest",
			})
	}
}

// Any file of an export names it.
func TestDataPath(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	path := filepath.Join(dir, "out.csv")
	mustWrite(t, spec(path, format.CSV), nil)

	for _, file := range []string{path, path + export.ManifestSuffix, path + export.ChecksumSuffix} {
		if got := export.DataPath(file); got != path {
			t.Errorf("%s: got %s", file, got)
		}
	}

	for _, suffix := range []string{"", export.ManifestSuffix, export.ChecksumSuffix} {
		if ok, err := export.IsAt(path); !ok || err != nil {
			t.Errorf("before %q: got %t, %v", suffix, ok, err)
		}

		if err := os.Remove(path + suffix); err != nil {
			t.Fatal(err)
		}
	}

	for _, nothing := range []string{path, dir} {
		if ok, err := export.IsAt(nothing); ok || err != nil {
			t.Errorf("%s: got %t, %v", nothing, ok, err)
		}
	}
}
