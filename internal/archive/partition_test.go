// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// partitions are the names of a key's partitions.
func partitions(key string) []string {
	var names []string

	for part := range strings.SplitSeq(key, "/") {
		if name, _, ok := strings.Cut(part, "="); ok {
			names = append(names, name)
		}
	}

	return names
}

// Many engines refuse a table whose partitions are named like columns of its files.
func TestPartitionsAreNamedLikeNoColumn(t *testing.T) {
	t.Parallel()

	f := built(t, export.FormatParquet, export.CompressionZstd)
	segments := 0

	for key, data := range f.store.objects {
		if !strings.HasPrefix(key, "entries/") {
			continue
		}

		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}

		segments++

		if names := partitions(key); !slices.Equal(names, []string{"cloud", "date"}) {
			t.Errorf("%s has partitions %v", key, names)
		}

		for _, c := range file.Root().Columns() {
			if slices.ContainsFunc(partitions(key), func(name string) bool { return strings.EqualFold(name, c.Name()) }) {
				t.Errorf("%s: %s is a column as well", key, c.Name())
			}
		}
	}

	for _, field := range auditlog.Fields() {
		if slices.Contains([]string{"cloud", "date"}, field.Name) {
			t.Errorf("%s is a field", field.Name)
		}
	}

	if segments != 6 {
		t.Errorf("%d segments", segments)
	}
}

// earlier is an archive as an earlier version has written it: its first partition has
// the name of a column.
func earlier(t *testing.T, store *memory) *memory {
	t.Helper()

	older := newMemory()
	previous, origin := "", ""

	for n := 1; ; n++ {
		text, ok := store.objects[fmt.Sprintf("manifests/%08d.json", n)]
		if !ok {
			sum, err := hex.DecodeString(previous)
			if err != nil {
				t.Fatal(err)
			}

			older.objects["checkpoint"] = fmt.Appendf(nil, "auditlogs.audit/%s\n%d\n%s\n", origin, n-1, base64.StdEncoding.EncodeToString(sum))

			return older
		}

		var m archive.Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}

		key := strings.Replace(m.Segment.Key, "/cloud=", "/service=", 1)
		older.objects[key] = store.objects[m.Segment.Key]
		m.Segment.Key, m.Previous = key, previous

		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}

		if previous = hash(text); n == 1 {
			origin = m.Service + "/" + previous[:16]
		}

		older.objects[fmt.Sprintf("manifests/%08d.json", n)] = text
	}
}

// An archive goes on under the name that it was begun with: engines refuse a mixture.
func TestArchiveOfAnEarlierVersionGoesOn(t *testing.T) {
	t.Parallel()

	f := built(t, export.FormatParquet, export.CompressionZstd)
	store := earlier(t, f.store)

	checkVerifies(t, store, archive.VerifyOptions{})

	f.w.now = f.w.now.Add(24 * time.Hour)
	f.w.happen(4, f.w.now.Add(-time.Hour))

	o := f.w.options(store)
	o.Format = export.FormatParquet

	if r := f.w.mustApply(o); r.Added != 4 || r.Head.Sequence != 7 {
		t.Errorf("got %+v", r)
	}

	checkVerifies(t, store, archive.VerifyOptions{})

	for key := range store.objects {
		if strings.HasPrefix(key, "entries/") && !strings.HasPrefix(key, "entries/service=upcloud/date=") {
			t.Errorf("%s lies elsewhere than the others", key)
		}
	}

	r, err := archive.OpenReader(t.Context(), store, archive.ReaderOptions{InfoOf: infoOf(f.w.service.Info())})
	if err != nil {
		t.Fatal(err)
	}

	var c auditlog.Completeness

	got, err := collect(r.Read(t.Context(), auditlog.Query{Window: auditlog.Window{Start: begin, End: f.w.now}}, &c))
	if err != nil || len(got) != 28 {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

// The directory testdata/older holds an archive that an earlier version has written: JSON is
// annotated as such, and a partition is named like a column.
func TestArchiveOfAnEarlierVersionIsRead(t *testing.T) {
	t.Parallel()

	older, err := durable.OpenStore(t.Context(), filepath.Join("testdata", "older"), durable.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}

	report := checkVerifies(t, older, archive.VerifyOptions{})
	if !report.Valid || report.EntryCount != 22 || report.Segments != 3 {
		t.Errorf("the report is %+v", report)
	}

	if records := archived(t, older); len(records) != 22 {
		t.Errorf("%d entries", len(records))
	}

	w := newWorld(t, auditlog.ServiceUpCloud, 1)

	r, err := archive.OpenReader(t.Context(), older, archive.ReaderOptions{InfoOf: infoOf(w.service.Info())})
	if err != nil {
		t.Fatal(err)
	}

	var c auditlog.Completeness

	got, err := collect(r.Read(t.Context(), auditlog.Query{Window: auditlog.Window{Start: begin, End: begin.Add(48 * time.Hour)}}, &c))
	if err != nil || len(got) != 22 || got[0].Service != auditlog.ServiceUpCloud || !json.Valid(got[0].Raw) {
		t.Errorf("%d entries, %v", len(got), err)
	}
}
