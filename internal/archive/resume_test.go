// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Who reads an archive on from position to position gets every entry once, however much was archived in between, and
// what was archived late as well.
func TestResumeBringsEveryEntryOnce(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	always := auditlog.Query{Window: auditlog.Window{Start: begin.AddDate(-1, 0, 0), End: begin.AddDate(1, 0, 0)}}

	var (
		position auditlog.Position
		ids      []string
		steps    int
	)

	for run := range 30 {
		w.happen(5, w.now.Add(-30*time.Second))
		w.happen(1, w.now.Add(-5*time.Minute)) // Late.
		w.now = w.now.Add(10 * time.Minute)
		w.mustApply(w.options(store))

		if run < 20 && run%5 != 0 {
			continue
		}

		for {
			r, err := archive.OpenReader(t.Context(), store, archive.ReaderOptions{InfoOf: infoOf(w.service.Info())})
			if err != nil {
				t.Fatal(err)
			}

			var c auditlog.Completeness

			for e, err := range r.Resume(t.Context(), position, always, &c) {
				if err != nil {
					t.Fatal(err)
				}

				ids = append(ids, e.ID)
			}

			steps++

			if c.Proof != auditlog.ProofChain || c.Resume == nil {
				t.Fatalf("the reading says %+v", c)
			}

			if position.Link == c.Resume.Link {
				break
			}

			position = *c.Resume
		}
	}

	slices.Sort(ids)

	if all := len(ids); all != 30*6 || len(slices.Compact(ids)) != all {
		t.Errorf("%d entries came, in %d steps", all, steps)
	}
}

// A position of another archive, or of more than there is, is refused.
func TestResumeOfAnotherLog(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 2)
	store := newMemory()

	w.happen(5, w.now.Add(-time.Hour))
	w.mustApply(w.options(store))

	r, err := archive.OpenReader(t.Context(), store, archive.ReaderOptions{InfoOf: infoOf(w.service.Info())})
	if err != nil {
		t.Fatal(err)
	}

	head := r.Head()

	for link, broken := range map[string]bool{
		head.String(): false, "": false, "0:": false,
		"1:" + head.SHA256[1:] + "0": true, "2:" + head.SHA256: true, "0:" + head.SHA256: true,
		"-1:": true, "x": true, "1": true,
	} {
		var c auditlog.Completeness

		var got error

		q := auditlog.Query{Window: auditlog.Window{Start: begin.AddDate(-1, 0, 0), End: begin.AddDate(1, 0, 0)}}
		for _, err := range r.Resume(t.Context(), auditlog.Position{Link: link}, q, &c) {
			got = err
		}

		if broken != (got != nil) || broken && c.Proof != "" || errors.Is(got, auditlog.ErrPositionLost) {
			t.Errorf("%q: got %v, %s", link, got, c.Proof)
		}
	}
}
