// SPDX-License-Identifier: MPL-2.0

package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/doctor"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

func file(t *testing.T, path, text string) {
	t.Helper()

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPodStack(t *testing.T) {
	t.Parallel()

	const head = "Timestamp,User,Action,Resource,IP Address"

	for name, tc := range map[string]struct {
		files map[string]string
		code  int
		want  []string
	}{
		"one export": {map[string]string{
			"a.csv": head + "\n2026-06-01 10:00:00,maria@example.com,Create,Pod web,192.0.2.1\n" +
				"2026-06-03 10:00:00,maria@example.com,Delete,Pod web,192.0.2.1\n",
		}, 0, []string{
			"exports: ok: 1 file, 2 rows", "columns: ok: known", "coverage: ok: 2026-06-01 to 2026-06-03",
			"fields: note: lacks…",
		}},
		"a gap and a column that is not read": {map[string]string{
			"a.csv": head + ",Nutzername\n2026-06-01 10:00:00,maria@example.com,Create,Pod web,192.0.2.1,maria\n",
			"b.csv": head + ",Nutzername\n2026-06-03 10:00:00,maria@example.com,Delete,Pod web,192.0.2.1,maria\n",
		}, 0, []string{"coverage: note: 2026-06-01 to 2026-06-03, 1 gap", "columns: note: 1 unread column"}},
		"no rows":   {map[string]string{"a.csv": head + "\n"}, 0, []string{"coverage: unknown: no rows"}},
		"no export": {map[string]string{}, 1, []string{"exports: problem: not readable"}},
		"no table":  {map[string]string{"a.csv": "<html>maria"}, 1, []string{"exports: problem: not readable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			for name, text := range tc.files {
				file(t, filepath.Join(dir, name), text)
			}

			reports := (&world{}).run(t.Context(), source.Log{Service: auditlog.ServicePodStack},
				source.Config{PodStack: &source.PodStack{Exports: []string{filepath.Join(dir, "*.csv")}}})
			want(t, reports[0], tc.want...)

			if code := doctor.ExitCode(reports); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}

			if text, err := json.Marshal(reports); err != nil || bytes.Contains(text, []byte("maria")) ||
				bytes.Contains(text, []byte(dir)) {
				t.Errorf("%v, or it shows a person or a place: %s", err, text)
			}
		})
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()

	private, public, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	_, other, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	now := fakeapi.DefaultNow()
	signed, unsigned, stale, broken := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()

	archived(t, signed, private, now.Add(-time.Hour))
	archived(t, unsigned, "", now.Add(-time.Hour))
	archived(t, stale, private, now.Add(-10*24*time.Hour))
	archived(t, broken, private, now.Add(-time.Hour))
	alter(t, broken)

	for name, tc := range map[string]struct {
		dir  string
		keys []string
		code int
		want []string
	}{
		"signed": {signed, []string{public}, 0, []string{
			"archive: ok: 1 entry", "signature: ok: valid", "newest_entry: ok: …", "covered_until: ok: 1 hour ago",
		}},
		"nobody checks":    {signed, nil, 0, []string{"signature: note: not checked"}},
		"not signed":       {unsigned, nil, 0, []string{"signature: note: none"}},
		"signed by others": {signed, []string{other}, 1, []string{"archive: problem: signature"}},
		"signed by nobody": {unsigned, []string{public}, 1, []string{"archive: problem: signature"}},
		"old":              {stale, []string{public}, 0, []string{"covered_until: note: 10 days ago"}},
		"broken":           {broken, []string{public}, 1, []string{"archive: problem: broken"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			reports := (&world{}).run(t.Context(), source.Log{
				Service: auditlog.ServiceArchive, Destination: tc.dir, PublicKeys: tc.keys,
			}, source.Config{})
			want(t, reports[0], tc.want...)

			if code := doctor.ExitCode(reports); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}

			if text := doctor.Paste("", reports); strings.Contains(text, tc.dir) {
				t.Errorf("it shows the place: %s", text)
			}
		})
	}
}

// single is a log of one entry.
type single struct{}

func (single) Info() auditlog.Info {
	return auditlog.Info{Name: auditlog.ServiceUpCloud, Title: "UpCloud", Retention: 180 * 24 * time.Hour}
}

func (single) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (single) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, time.Hour, q.Window.End)
	c.RowsFetched, c.Proof = 1, auditlog.ProofTotal

	return func(yield func(auditlog.Entry, error) bool) {
		yield(auditlogtest.Entry("01HQXYZ123456789ABCDEFGHJK", func(e *auditlog.Entry) { e.Time = q.Window.Start }), nil)
	}
}

// archived makes an archive of one entry at a time.
func archived(t *testing.T, dir, private string, now time.Time) {
	t.Helper()

	o := archive.Options{
		Service: single{}, Format: format.NDJSON, Compression: format.Uncompressed, Start: now.Add(-time.Hour),
		Clock: func() time.Time { return now }, Tool: "test",
	}

	var err error

	if o.Store, err = durable.OpenStore(t.Context(), dir, durable.StoreOptions{}); err != nil {
		t.Fatal(err)
	}

	if private != "" {
		if o.Signer, err = archive.ParsePrivateKey(private); err != nil {
			t.Fatal(err)
		}
	}

	a, err := archive.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}

	if _, err := a.Append(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// alter changes a manifest of an archive.
func alter(t *testing.T, dir string) {
	t.Helper()

	altered := 0

	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}

		text, err := os.ReadFile(path)
		if changed := bytes.ReplaceAll(text, []byte(`"test"`), []byte(`"else"`)); !bytes.Equal(changed, text) {
			altered++

			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}

			file(t, path, string(changed))
		}

		return err
	})
	if err != nil || altered == 0 {
		t.Fatalf("%v, %d files altered", err, altered)
	}
}
