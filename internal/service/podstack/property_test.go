// SPDX-License-Identifier: MPL-2.0

package podstack_test

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

// TestMain shortens property tests where the race detector slows them; make
// simulate runs them in full.
func TestMain(m *testing.M) {
	raceflag.Shorten()
	os.Exit(m.Run())
}

// happened is an event of a generated log, to the second.
type happened struct {
	at                    time.Time
	actor, action, detail string
}

// genLog makes a log in which events share times and some are identical.
func genLog(t *rapid.T) []happened {
	start := time.Date(2026, 5, 20, 22, 0, 0, 0, time.UTC)

	log := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) happened {
		return happened{
			// Over days, a step at a time.
			at:     start.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "at")) * 97 * time.Minute),
			actor:  rapid.SampledFrom([]string{"", "jane@example.com", "jörg ✓"}).Draw(t, "actor"),
			action: rapid.SampledFrom([]string{"Delete", "create", "Token Created"}).Draw(t, "action"),
			detail: rapid.SampledFrom([]string{"", "a,b;c\td", "two\nlines", `"quoted"`}).Draw(t, "detail"),
		}
	}), 0, 60).Draw(t, "log")

	slices.SortStableFunc(log, func(a, b happened) int { return a.at.Compare(b.at) })

	return log
}

// genExport writes events as a console might, in any order and dress.
func genExport(t *rapid.T, events []happened) string {
	events = slices.Clone(events)

	switch rapid.SampledFrom([]string{"newest first", "oldest first", "shuffled"}).Draw(t, "order") {
	case "newest first":
		slices.Reverse(events)
	case "shuffled":
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}

	form := rapid.SampledFrom([]func(time.Time) string{
		func(at time.Time) string { return at.Format(time.RFC3339) },
		func(at time.Time) string { return at.In(time.FixedZone("", 7200)).Format("2006-01-02 15:04:05 -0700") },
		func(at time.Time) string { return at.Format("02.01.2006 15:04:05") },
		func(at time.Time) string { return at.Format("Jan 2, 2006, 3:04:05 PM") },
		func(at time.Time) string { return at.Format("1/2/2006 15:04") }, // No day of the log is before the 13th.
		func(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) },
	}).Draw(t, "form")

	headers := rapid.SampledFrom([][]string{
		{"Timestamp", "User", "Action", "Details"},
		{"date_time", "user-email", "EVENT", "Description"},
		{"Time (UTC)", "performed by", "activity", "message"},
	}).Draw(t, "headers")
	order := rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "columns")

	var b strings.Builder

	b.WriteString(rapid.SampledFrom([]string{"", "\ufeff"}).Draw(t, "BOM"))

	w := csv.NewWriter(&b)
	w.Comma = rapid.SampledFrom([]rune{',', ';', '\t'}).Draw(t, "delimiter")
	w.UseCRLF = rapid.Bool().Draw(t, "CRLF")

	write := func(cells []string) {
		row := make([]string, len(cells))
		for i, column := range order {
			row[i] = cells[column]
		}

		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}

	write(headers)

	for _, e := range events {
		write([]string{form(e.at), e.actor, e.action, e.detail})
	}

	w.Flush()

	return b.String()
}

// between returns the events of a span, both ends included.
func between(log []happened, from, to time.Time) []happened {
	return slices.DeleteFunc(slices.Clone(log), func(e happened) bool { return e.at.Before(from) || e.at.After(to) })
}

func tell(e *auditlog.Entry) happened {
	return happened{at: e.Time, actor: e.Actor, action: e.Action, detail: e.Message}
}

func compareHappened(a, b happened) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.actor, b.actor), cmp.Compare(a.action, b.action),
		cmp.Compare(a.detail, b.detail))
}

// TestAnySplitIsTheLog: however a log is cut into exports, what is read of them is
// every event that is in one of them, once, under the id it has in the whole log,
// and the gaps are what no export spans.
func TestAnySplitIsTheLog(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		log := genLog(t)
		small := func(texts map[string]string) *podstack.Service {
			return podstack.New(podstack.Options{Clock: now}).Texts(texts).
				Small(rapid.IntRange(1, 7).Draw(t, "chunk"), 4096, rapid.IntRange(1, 5000).Draw(t, "batch"))
		}

		exports := map[string]string{}
		covered := [][2]time.Time{}
		exported := map[happened]bool{}

		for i := range rapid.IntRange(1, 5).Draw(t, "exports") {
			bound := func(name string) time.Time {
				return time.Date(2026, 5, 20, 0, rapid.IntRange(0, 5000).Draw(t, name), 0, 0, time.UTC)
			}

			part := between(log, bound("from"), bound("to"))
			exports[fmt.Sprint(i)] = genExport(t, part)

			if len(part) > 0 {
				covered = append(covered, [2]time.Time{part[0].at, part[len(part)-1].at})
			}

			for _, e := range part {
				exported[e] = true
			}
		}

		window := auditlog.Window{
			Start: time.Date(2026, 5, 21, 0, 0, 0, 0, time.UTC),
			End:   time.Date(2026, 5, 22, 18, 0, 0, 0, time.UTC),
		}

		want := slices.DeleteFunc(slices.Clone(log), func(e happened) bool { return !exported[e] || !window.Contains(e.at) })
		slices.SortFunc(want, compareHappened)

		entries, c, err := read(t.Context(), small(exports), auditlog.Query{Window: window})
		if err != nil {
			t.Fatal(err)
		}

		got := []happened{}
		ids := map[string]happened{}

		for i := range entries {
			got = append(got, tell(&entries[i]))
			ids[entries[i].ID] = tell(&entries[i])

			if i > 0 && entries[i].Time.Before(entries[i-1].Time) {
				t.Fatal("not oldest first")
			}
		}

		slices.SortFunc(got, compareHappened)

		if !slices.Equal(want, got) {
			t.Fatalf("want %v\ngot  %v", want, got)
		}

		whole, _, err := read(t.Context(), small(map[string]string{"all": genExport(t, log)}), auditlog.Query{Window: window})
		if err != nil {
			t.Fatal(err)
		}

		known := map[string]happened{}
		for i := range whole {
			known[whole[i].ID] = tell(&whole[i])
		}

		for id, e := range ids {
			if known[id] != e {
				t.Fatalf("%v has another id than in the whole log", e)
			}
		}

		if len(ids) != len(entries) {
			t.Fatal("two entries share an id")
		}

		if c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+int64(len(entries)) || c.Proof != auditlog.ProofExports {
			t.Fatalf("the statement is %+v", c)
		}

		checkGaps(t, window, covered, c.Gaps)
	})
}

// checkGaps looks at every minute by itself.
func checkGaps(t *rapid.T, w auditlog.Window, covered [][2]time.Time, gaps []auditlog.Window) {
	for at := w.Start; at.Before(w.End); at = at.Add(time.Minute) {
		spanned := slices.ContainsFunc(covered, func(s [2]time.Time) bool { return !at.Before(s[0]) && !at.After(s[1]) })
		inGap := slices.ContainsFunc(gaps, func(g auditlog.Window) bool { return g.Contains(at) })

		if spanned == inGap {
			t.Fatalf("%s: spanned %v, in a gap %v of %v", at, spanned, inGap, gaps)
		}
	}

	for i, g := range gaps {
		if !g.Start.Before(g.End) || g.Start.Before(w.Start) || g.End.After(w.End) || i > 0 &&
			!gaps[i-1].End.Before(g.Start) {
			t.Fatalf("gaps are %v in %v", gaps, w)
		}
	}
}

// FuzzRead: whatever a file holds, it is read in a way that adds up, the same each
// time and however it is cut into chunks and batches, or refused with a place.
func FuzzRead(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add([]byte(text), uint8(3))
	}

	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		q := auditlog.Query{Window: always()}
		service := func(texts map[string]string) *podstack.Service {
			return podstack.New(podstack.Options{Clock: now}).Texts(texts).Small(1+int(size%8), 1<<12, 1+int(size)*16)
		}

		entries, c, err := read(t.Context(), service(map[string]string{"a": string(data)}), q)
		again, _, errAgain := read(t.Context(), service(map[string]string{"a": string(data)}), q)
		twice, c2, errTwice := read(t.Context(), service(map[string]string{"a": string(data), "b": string(data)}), q)
		atOnce, _, errAtOnce := read(t.Context(),
			podstack.New(podstack.Options{Clock: now}).Texts(map[string]string{"a": string(data)}), q)

		if err != nil {
			if e := (*podstack.Error)(nil); !errors.As(err, &e) || e.File != "a" || e.Line < 1 || e.Reason == "" ||
				e.Next == "" {
				t.Fatalf("refused with %#v", err)
			}

			if errAgain == nil || errAgain.Error() != err.Error() || errTwice == nil || c.Proof != "" {
				t.Fatalf("refused once with %v, then with %v and %v", err, errAgain, errTwice)
			}

			return
		}

		if errAgain != nil || errTwice != nil || errAtOnce != nil {
			t.Fatalf("read once, then refused with %v, %v and %v", errAgain, errTwice, errAtOnce)
		}

		for _, other := range [][]auditlog.Entry{again, twice, atOnce} {
			if diff := gocmp.Diff(entries, other); diff != "" {
				t.Fatal(diff)
			}
		}

		n := int64(len(entries))
		if c.Proof != auditlog.ProofExports || c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+n ||
			c2.RowsFetched != 2*c.RowsFetched || c2.RowsFetched != c2.DuplicatesDropped+c2.RowsFilteredOut+n {
			t.Fatalf("the statements are %+v and %+v", c, c2)
		}

		for i := range entries {
			if e := &entries[i]; e.ID == "" || e.Time.IsZero() || e.Action == "" || i > 0 && e.Time.Before(entries[i-1].Time) {
				t.Fatalf("entry %d is %+v", i, e)
			}
		}
	})
}
