// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// growing is a log that holds one entry more at each reading.
type growing struct {
	auditlog.Service

	entries  []auditlog.Entry
	readings int
}

func (g *growing) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	g.readings++
	entries := g.entries[:min(g.readings, len(g.entries))]

	return func(yield func(auditlog.Entry, error) bool) {
		*c = auditlog.Completeness{Window: q.Window}

		for _, e := range entries {
			c.RowsFetched++

			if !yield(e, nil) {
				return
			}
		}

		c.Proof = auditlog.ProofCursor
	}
}

// TestExportReadsAgain: a person who shows only at the second reading is taken out
// of what comes before all the same, and a log that never settles is an error.
func TestExportReadsAgain(t *testing.T) {
	t.Parallel()

	r, err := redact.New(map[string]string{"actor": redact.Drop}, nil)
	if err != nil {
		t.Fatal(err)
	}

	window := auditlog.Window{Start: time.Unix(0, 0), End: time.Unix(1000, 0)}

	for n, want := range map[int]error{1: nil, 2: nil, 3: nil, 9: redact.ErrLateValue} {
		s := &growing{}

		for i := range n {
			s.entries = append(s.entries, auditlog.Entry{
				ID: strconv.Itoa(i), Time: time.Unix(int64(i), 0), Action: "x", Operation: auditlog.OperationOther,
				ActorType: auditlog.ActorUser,
				Actor:     fmt.Sprintf("person-%d", i), ResourceName: fmt.Sprintf("person-%d", i+1),
			})
		}

		spec := export.Spec{
			Path: filepath.Join(t.TempDir(), "x"), Format: format.NDJSON, Query: auditlog.Query{Window: window},
			Scrubber: r.Scrubber(),
		}

		if _, err := exportTo(t.Context(), s, spec); !errors.Is(err, want) {
			t.Errorf("%d: %v", n, err)
		}

		text, _ := os.ReadFile(spec.Path)
		if lines := strings.Count(string(text), "\n"); want == nil && lines != n ||
			strings.Count(string(text), "person-") > 1 {
			t.Errorf("%d: %s", n, text)
		}
	}
}

// TestRedactionProblems: what redaction cannot do is said where it is asked for.
func TestRedactionProblems(t *testing.T) {
	t.Parallel()

	for err, want := range map[error]string{
		redact.ErrTooManyValues: `Redaction would have to remember more than 1000000 values, or 64 MiB of them, to take each out of every entry.

Service: upcloud

Ask for a shorter window, or redact fewer fields whose values are all different, such as correlation_id.`,
		redact.ErrLateValue: `A value to redact came that had not come when the log was read before, so that what is written already may hold it.

Service: upcloud

Try again, or end the window earlier with settle_delay, so that the log has settled; nothing was written.`,
	} {
		info := auditlog.Info{Name: "upcloud", Title: "UpCloud"}
		for _, got := range []explain.Problem{
			(&LookUp{}).explain(err, info, auditlog.Window{}), explain.Evaluation(err, info, auditlog.Window{}),
			explain.Export(err, info, auditlog.Window{}), explain.Archive(err, "archive", info),
		} {
			if !slices.Equal(got.Place, explain.Argument("redact")) || got.Detail() != want {
				t.Errorf("got %v", got)
			}
		}
	}
}

// broken is a log that cannot be read.
type broken struct{ auditlog.Service }

func (broken) Info() auditlog.Info { return auditlog.Info{Name: "broken", Title: "Broken"} }

func (broken) Read(context.Context, auditlog.Query, *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) { yield(auditlog.Entry{}, errors.New("it is broken")) }
}

// TestAFailedExportKeepsItsWarnings: what was found before an export failed is said with the failure.
func TestAFailedExportKeepsItsWarnings(t *testing.T) {
	t.Parallel()

	x := Export{
		Question: Question{
			Arguments: &query.Arguments{Last: "1h"}, Now: time.Unix(1_000_000, 0),
			Found: explain.Problems{explain.Problem{Summary: "Found before"}.AsWarning()},
		},
		Spec:   export.Spec{Path: filepath.Join(t.TempDir(), "x"), Format: format.NDJSON},
		Redact: func() (*redact.Redactor, explain.Problems) { return nil, nil },
	}

	_, found := x.Run(t.Context(), broken{})
	if len(found) != 2 || found[0].Summary != "Found before" || !found.HasError() {
		t.Errorf("%+v", found)
	}
}
