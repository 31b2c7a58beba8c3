// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
)

// envSamples names a directory to which TestSamples writes files for other
// programs to read. duckdbtest and npmtest, modules of their own, set it.
const envSamples = "EXPORT_SAMPLES"

// sampleLog has entries of a service two seconds apart, about midnight, every
// tenth of them a deletion.
func sampleLog(service string, n int) []auditlog.Entry {
	list := make([]auditlog.Entry, 0, n)
	start := time.Date(2026, time.January, 1, 23, 59, 58, 123_456_000, time.UTC)

	for i := range n {
		list = append(list, auditlogtest.Entry(fmt.Sprintf("%s-%06d", service, i), func(e *auditlog.Entry) {
			e.Time, e.Service = start.Add(time.Duration(i)*2*time.Second), service
			e.Actor, e.Message = "o'brien, \"ops\"", "line\r\nbreak, ünïcödé 👩‍💻"
			e.Raw = json.RawMessage(fmt.Sprintf(`{"n":%d,"nested":{"list":[1,{"deep":"é%d"}]}}`, i, i))

			if i%10 == 0 {
				e.Action, e.Operation, e.Message = "server_delete", auditlog.OperationDelete, ""
				e.Changes = []auditlog.Change{{Field: "labels.env", Before: new(`"dev"`), After: new("null")}}
			}
		}))
	}

	return list
}

// sampleValues fills several row groups, of which one is not sorted, with values
// that are hard on dictionaries, pages and bounds.
func sampleValues() []auditlog.Entry {
	list := sampleLog(auditlog.ServiceCloudscale, 250_000)
	actors := []string{"", "\x00", "'; DROP TABLE x; --", "\ufeffbom", "=1+1", ""}

	for i := range list {
		e := &list[i]
		e.UserAgent = strings.Repeat("x", i%3000/10) + fmt.Sprint(i)
		e.CorrelationID = fmt.Sprintf("%040d", i)
		e.Actor = actors[i%6]
		// A bound must not end within a character.
		e.ScopeName = strings.Repeat("é", 7) + "👩‍💻" + fmt.Sprint(i%10)

		if i%6 == 5 {
			e.Actor = strings.Repeat("é", 40) + fmt.Sprint(i)
		}
	}

	slices.Reverse(list[120_000:130_000])

	return list
}

func TestSamples(t *testing.T) {
	t.Parallel()

	dir := os.Getenv(envSamples)
	if dir == "" {
		t.Skip("nobody asks for samples")
	}

	writeAs := func(path string, f format.Format, o format.EncoderOptions, list []auditlog.Entry) {
		text, _, err := encodeAs(f, nil, o, list...)
		if err != nil {
			t.Fatal(err)
		}

		path = filepath.Join(dir, filepath.FromSlash(path)) + "." + format.Extension(f, o.Compression)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write := func(path string, f format.Format, c format.Compression, list []auditlog.Entry) {
		writeAs(path, f, format.EncoderOptions{Compression: c}, list)
	}

	values := sampleValues()
	write("values/all", format.NDJSON, format.Uncompressed, values)

	for _, c := range format.Compressions() {
		for _, f := range format.All() {
			write(fmt.Sprintf("log/%s/all", c), f, c, sampleLog(auditlog.ServiceUpCloud, 5000))
		}

		write(fmt.Sprintf("values/%s", c), format.Parquet, c, values)
	}

	for _, f := range format.All() {
		write("empty/all", f, "", nil)
	}

	for _, f := range []format.Format{format.NDJSON, format.Parquet} {
		tool := ocsf.Product{Name: "terraform-provider-audit", Version: "0.1.0"}
		writeAs("ocsf/all", f, format.EncoderOptions{Shape: format.ShapeOCSF, Product: tool},
			sampleLog(auditlog.ServiceUpCloud, 100))
	}
}
