// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
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

	f := built(t, format.Parquet, format.Zstd)
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
