// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// part is a log that holds entries of some minutes.
type part struct {
	info    auditlog.Info
	entries []auditlog.Entry
	known   []auditlog.Window // In minutes since noon.
	source  auditlog.Source
	fails   error
	proof   auditlog.Proof
	// running counts the readings that have begun and not ended.
	running *int
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

func (p *part) Info() auditlog.Info { return p.info }

func (p *part) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{Actions: []string{"b", p.info.Name}}, p.fails
}

func (p *part) gaps(w auditlog.Window) []auditlog.Window {
	from, gaps := w.Start, []auditlog.Window{}
	for _, k := range auditlog.Union(p.known, w) {
		gaps, from = append(gaps, auditlog.Window{Start: from, End: k.Start}), k.End
	}

	return auditlog.Union(append(gaps, auditlog.Window{Start: from, End: w.End}), w)
}

func (p *part) Read(
	_ context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		if p.running != nil {
			*p.running++
			defer func() { *p.running-- }()
		}

		for _, e := range p.entries {
			if !yield(e, nil) {
				return
			}
		}

		if p.fails != nil {
			yield(auditlog.Entry{}, p.fails)

			return
		}

		*c = auditlog.Completeness{
			Window: q.Window, Gaps: p.gaps(q.Window), Proof: p.proof, RowsFetched: int64(len(p.entries)), Pages: 1,
			Source: p.source,
		}
	}
}

// TestLogsOfOneCloudAreReadAsOne holds the reading of several logs against sets: each entry that one of them holds
// comes once, in order, and what none of them knows is a gap.
func TestLogsOfOneCloudAreReadAsOne(t *testing.T) {
	t.Parallel()

	const minutes = 40

	ctx, w := t.Context(), auditlog.Window{Start: minute(0), End: minute(minutes)}

	rapid.Check(t, func(t *rapid.T) {
		history := make([]auditlog.Entry, 0, minutes)
		for i := range rapid.IntRange(0, minutes).Draw(t, "entries") {
			history = append(history, auditlog.Entry{
				ID: fmt.Sprint(i), Time: minute(rapid.IntRange(0, minutes-1).Draw(t, "minute")),
			})
		}

		slices.SortFunc(history, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

		knownAt := make([]bool, minutes)
		rows := 0

		var logs []auditlog.Service

		for i := range rapid.IntRange(2, 4).Draw(t, "logs") {
			p := &part{info: auditlog.Info{Name: "archive", ArchivedFrom: "upcloud"}, proof: auditlog.ProofChain}
			if i == 1 {
				p.info, p.proof = auditlog.Info{Name: "upcloud"}, auditlog.ProofTotal
			}

			for range rapid.IntRange(0, 3).Draw(t, "spans") {
				from := rapid.IntRange(0, minutes-1).Draw(t, "from")
				to := rapid.IntRange(from, minutes).Draw(t, "to")
				p.known = append(p.known, auditlog.Window{Start: minute(from), End: minute(to)})

				for m := from; m < to; m++ {
					knownAt[m] = true
				}
			}

			for _, e := range history {
				if slices.ContainsFunc(p.known, func(k auditlog.Window) bool { return k.Contains(e.Time) }) {
					p.entries = append(p.entries, e)
				}
			}

			rows += len(p.entries)
			logs = append(logs, p)
		}

		joined := auditlog.ByCloud(func() time.Time { return w.End }, logs)
		if len(joined) != 1 || joined[0].Info().Name != "upcloud" {
			t.Fatalf("the logs of one cloud became %d services", len(joined))
		}

		var got []auditlog.Entry

		c, err := auditlog.ReadAll(ctx, joined[0], auditlog.Query{Window: w}, func(e *auditlog.Entry) error {
			got = append(got, *e)

			return nil
		})
		if err != nil {
			t.Fatal(err)
		}

		at := func(m time.Time) bool { return knownAt[int(m.Sub(noon)/time.Minute)] }

		want := slices.DeleteFunc(slices.Clone(history), func(e auditlog.Entry) bool { return !at(e.Time) })
		if diff := cmp.Diff(len(want), len(got)); diff != "" {
			t.Fatal(diff)
		}

		for i := range want {
			if want[i].ID != got[i].ID {
				t.Fatalf("entry %d is %s, want %s", i, got[i].ID, want[i].ID)
			}
		}

		if c.RowsFetched != int64(rows) || c.RowsFetched != c.DuplicatesDropped+int64(len(got)) {
			t.Fatalf("%d rows, %d duplicates, %d entries", c.RowsFetched, c.DuplicatesDropped, len(got))
		}

		for m := range minutes {
			inGap := slices.ContainsFunc(c.Gaps, func(g auditlog.Window) bool { return g.Contains(minute(m)) })
			if inGap == knownAt[m] {
				t.Fatalf("minute %d is known: %v, and in a gap: %v", m, knownAt[m], inGap)
			}
		}

		if c.Window != w || c.Proof != auditlog.ProofEach {
			t.Fatalf("the statement is %+v", c)
		}
	})
}

// TestLogsThatDoNotGoTogether: a reading of several logs fails with any of them, and where they are of two accounts.
func TestLogsThatDoNotGoTogether(t *testing.T) {
	t.Parallel()

	w := auditlog.Window{Start: minute(0), End: minute(10)}
	broken, running := errors.New("broken"), 0

	log := func(change func(*part)) *part {
		p := &part{
			info: auditlog.Info{Name: "upcloud"}, proof: auditlog.ProofTotal, known: []auditlog.Window{w},
			entries: []auditlog.Entry{{ID: "1", Time: minute(1)}, {ID: "2", Time: minute(2)}},
			source:  auditlog.Source{Service: "upcloud", Account: "one"},
			running: &running,
		}
		change(p)

		return p
	}

	for name, test := range map[string]struct {
		change func(*part)
		want   func(error) bool
	}{
		"one fails": {func(p *part) { p.fails = broken }, func(err error) bool { return errors.Is(err, broken) }},
		"one is of another account": {
			func(p *part) { p.source.Account = "two" },
			func(err error) bool { return errors.As(err, new(*auditlog.SourceError)) },
		},
		"one is not proven": {
			func(p *part) { p.proof = "" }, func(err error) bool { return errors.Is(err, auditlog.ErrUnproven) },
		},
	} {
		for _, first := range []bool{true, false} {
			logs := []auditlog.Service{log(func(*part) {}), log(test.change)}
			if first {
				slices.Reverse(logs)
			}

			s := auditlog.ByCloud(func() time.Time { return w.End }, logs)[0]

			_, err := auditlog.ReadAll(t.Context(), s, auditlog.Query{Window: w}, func(*auditlog.Entry) error { return nil })
			if !test.want(err) {
				t.Errorf("%s, first %v: %v", name, first, err)
			}

			if running != 0 {
				t.Errorf("%s, first %v: %d readings go on", name, first, running)
			}
		}
	}

	// Whoever stops is called no more, and all readings end.
	both := []auditlog.Service{log(func(*part) {}), log(func(*part) {})}
	s := auditlog.ByCloud(func() time.Time { return w.End }, both)[0]

	_, err := auditlog.ReadAll(t.Context(), s, auditlog.Query{Window: w}, func(*auditlog.Entry) error { return broken })
	if !errors.Is(err, broken) || running != 0 {
		t.Errorf("%v, and %d readings go on", err, running)
	}
}

// TestStatementsOfSeveralLogs: what another log reaches is no gap, and what lies before the retention and in no archive
// is one.
func TestStatementsOfSeveralLogs(t *testing.T) {
	t.Parallel()

	w := auditlog.Window{Start: minute(0), End: minute(60)}
	now := func() time.Time { return minute(60) }

	// The cloud keeps half an hour, and the archive ends in the middle of that or before it.
	cloud := &expiring{part: part{
		info: auditlog.Info{Name: "upcloud", Retention: 30 * time.Minute}, proof: auditlog.ProofTotal,
		known: []auditlog.Window{w}, source: auditlog.Source{Service: "upcloud", Account: "one"},
	}}
	archive := func(from, to int) *part {
		return &part{
			info:  auditlog.Info{Name: "archive", ArchivedFrom: "upcloud", Redacted: []string{"actor"}},
			proof: auditlog.ProofChain, known: []auditlog.Window{{Start: minute(from), End: minute(to)}},
		}
	}

	for _, test := range []struct {
		logs []auditlog.Service
		want []auditlog.Window
	}{
		{[]auditlog.Service{cloud, archive(-10, 45)}, nil},
		{[]auditlog.Service{archive(-10, 45), cloud}, nil},
		{[]auditlog.Service{archive(-10, 20), cloud}, []auditlog.Window{{Start: minute(20), End: minute(30)}}},
		{[]auditlog.Service{archive(10, 45), cloud}, []auditlog.Window{{Start: minute(0), End: minute(10)}}},
		{[]auditlog.Service{archive(-10, 20), archive(15, 50)}, []auditlog.Window{{Start: minute(50), End: minute(60)}}},
	} {
		s := auditlog.ByCloud(now, test.logs)[0]

		c, err := auditlog.ReadAll(t.Context(), s, auditlog.Query{Window: w}, func(*auditlog.Entry) error { return nil })
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(test.want, c.Gaps, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}

		if c.Conclusive() != (test.want == nil) {
			t.Errorf("conclusive: %v, gaps: %v", c.Conclusive(), c.Gaps)
		}

		// What a log has lost to redaction another one may have.
		info := s.Info()
		if want := slices.Contains(test.logs, auditlog.Service(cloud)); info.Records("actor") != want ||
			slices.Contains(info.RedactedInPart, "actor") != want {
			t.Errorf("redacted: %v, in part: %v", info.Redacted, info.RedactedInPart)
		}

		options, err := s.FilterOptions(t.Context(), auditlog.Query{Window: w})
		if err != nil || options.Actions[0] != "archive" {
			t.Errorf("%v, %v", options, err)
		}
	}

	// Clouds stay apart, and are in the order in which they were named.
	other := &part{info: auditlog.Info{Name: "cloudscale"}}
	named := []auditlog.Service{other, cloud}
	if all := auditlog.ByCloud(now, named); !slices.Equal(all, named) {
		t.Errorf("two clouds became %v", all)
	}
}

// expiring is a log that forgets.
type expiring struct {
	part

	// skew is how far its clock is ahead.
	skew time.Duration
}

func (p *expiring) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		p.part.Read(ctx, q, c)(yield)

		c.Retention, c.BeyondRetention, c.ClockSkew = p.info.Retention, true, &p.skew
	}
}

// TestStatementsOfSeveralClouds: what one of them lacks is missing.
func TestStatementsOfSeveralClouds(t *testing.T) {
	t.Parallel()

	a := auditlog.Completeness{
		Window: auditlog.Window{Start: minute(0), End: minute(60)}, Proof: auditlog.ProofTotal, RowsFetched: 1,
	}
	b := auditlog.Completeness{
		Window: auditlog.Window{Start: minute(0), End: minute(59)}, Proof: auditlog.ProofCursor, RowsFetched: 2,
	}

	if c := auditlog.All(a); c.Proof != auditlog.ProofTotal {
		t.Errorf("one statement became %+v", c)
	}

	if c := auditlog.All(a, b); !c.Conclusive() || c.RowsFetched != 3 || c.Window != b.Window {
		t.Errorf("two statements became %+v", c)
	}

	for name, change := range map[string]func(*auditlog.Completeness){
		"no proof": func(c *auditlog.Completeness) { c.Proof = "" },
		"a gap": func(c *auditlog.Completeness) {
			c.Gaps = []auditlog.Window{{Start: minute(1), End: minute(2)}}
		},
		"a caveat":          func(c *auditlog.Completeness) { c.Caveats = []string{"There are others."} },
		"retention":         func(c *auditlog.Completeness) { c.BeyondRetention = true },
		"an unknown action": func(c *auditlog.Completeness) { c.UnknownMatters = true },
		"an unknown value":  func(c *auditlog.Completeness) { c.UnverifiedValues = []string{"actors: x"} },
	} {
		changed := b
		change(&changed)

		if c := auditlog.All(a, changed); c.Conclusive() {
			t.Errorf("%s: conclusive", name)
		}

		if c := auditlog.All(changed, a); c.Conclusive() {
			t.Errorf("%s, first: conclusive", name)
		}
	}
}

// TestLogsThatSayDifferentThings: the cloud's own is taken, or else that of the log which has lost least, and that the
// other one says something else is said.
func TestLogsThatSayDifferentThings(t *testing.T) {
	t.Parallel()

	w := auditlog.Window{Start: minute(0), End: minute(10)}
	cloud := auditlog.Info{Name: "upcloud", Title: "UpCloud"}
	archived := auditlog.Info{Name: "archive", ArchivedFrom: "upcloud"}
	redacted := archived
	redacted.RedactedInPart = []string{"actor"}

	log := func(info auditlog.Info, actor, action, raw string) auditlog.Service {
		return &part{
			info: info, proof: auditlog.ProofTotal, known: []auditlog.Window{w}, entries: []auditlog.Entry{
				{ID: "1", Time: minute(1), Service: "upcloud", Action: "create", Actor: "ci"},
				{
					ID: "2", Time: minute(2), Service: "upcloud", Action: action, Actor: actor, Raw: []byte(raw),
					Endpoint: info.Name, Operation: auditlog.Operation(info.Name),
				},
			},
		}
	}

	for name, test := range map[string]struct {
		logs []auditlog.Service
		same bool
	}{
		"the same":          {[]auditlog.Service{log(archived, "mia", "delete", `{"a": 1}`), log(cloud, "mia", "delete", `{"a":1}`)}, true},
		"another actor":     {[]auditlog.Service{log(archived, "ci", "delete", `{}`), log(cloud, "mia", "delete", `{}`)}, false},
		"another record":    {[]auditlog.Service{log(archived, "mia", "delete", `{"a":2}`), log(cloud, "mia", "delete", `{"a":1}`)}, false},
		"no record":         {[]auditlog.Service{log(archived, "mia", "delete", ``), log(cloud, "mia", "delete", `{}`)}, false},
		"a pseudonym":       {[]auditlog.Service{log(redacted, "hmac:X", "delete", ``), log(cloud, "mia", "delete", `{}`)}, true},
		"a pseudonym first": {[]auditlog.Service{log(redacted, "hmac:X", "delete", ``), log(archived, "mia", "delete", `{}`)}, true},
		"another action":    {[]auditlog.Service{log(redacted, "hmac:X", "update", ``), log(cloud, "mia", "delete", `{}`)}, false},
	} {
		var got []auditlog.Entry

		s := auditlog.ByCloud(func() time.Time { return w.End }, test.logs)[0]

		c, err := auditlog.ReadAll(t.Context(), s, auditlog.Query{Window: w}, func(e *auditlog.Entry) error {
			got = append(got, *e)

			return nil
		})
		if err != nil || len(got) != 2 || got[1].Actor != "mia" || got[1].Action != "delete" {
			t.Errorf("%s: %v, %v", name, got, err)
		}

		if c.Conclusive() != test.same {
			t.Errorf("%s: the caveats are %v", name, c.Caveats)
		}
	}
}

// TestRetentionGoesByTheClockOfTheService: where it is ahead, the service has forgotten more than our clock says.
func TestRetentionGoesByTheClockOfTheService(t *testing.T) {
	t.Parallel()

	w := auditlog.Window{Start: minute(0), End: minute(60)}

	for skew, want := range map[time.Duration]int{10 * time.Minute: 40, 0: 30, -10 * time.Minute: 30} {
		cloud := &expiring{part: part{
			info: auditlog.Info{Name: "upcloud", Retention: 30 * time.Minute}, proof: auditlog.ProofTotal,
			known: []auditlog.Window{w},
		}, skew: skew}
		archive := &part{
			info: auditlog.Info{Name: "archive", ArchivedFrom: "upcloud"}, proof: auditlog.ProofChain,
			known: []auditlog.Window{{Start: minute(0), End: minute(20)}},
		}
		s := auditlog.ByCloud(func() time.Time { return minute(60) }, []auditlog.Service{cloud, archive})[0]

		c, err := auditlog.ReadAll(t.Context(), s, auditlog.Query{Window: w}, func(*auditlog.Entry) error { return nil })
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff([]auditlog.Window{{Start: minute(20), End: minute(want)}}, c.Gaps); diff != "" {
			t.Errorf("%v ahead: %s", skew, diff)
		}
	}
}

// TestLogsWhoseAccountIsRedacted go together, and that nobody can say whose they are is said.
func TestLogsWhoseAccountIsRedacted(t *testing.T) {
	t.Parallel()

	w := auditlog.Window{Start: minute(0), End: minute(10)}

	for name, test := range map[string]struct {
		accounts   []string
		refused    bool
		conclusive bool
		// entries are those that all of them have.
		entries []auditlog.Entry
	}{
		"the same":           {accounts: []string{"one", "one"}, conclusive: true},
		"one is not known":   {accounts: []string{"", "one"}, conclusive: true},
		"the same pseudonym": {accounts: []string{"hmac:X", "hmac:X"}, conclusive: true},
		"a pseudonym":        {accounts: []string{"hmac:X", "one"}},
		"two pseudonyms":     {accounts: []string{"hmac:X", "hmac:Y"}},
		"a mask":             {accounts: []string{"***@example.com", "one@example.com"}},
		"what several have": {
			accounts: []string{"hmac:X", "one"}, conclusive: true, entries: []auditlog.Entry{{ID: "1", Time: minute(1)}},
		},
		"what several have of two accounts": {
			accounts: []string{"one", "two"}, refused: true, entries: []auditlog.Entry{{ID: "1", Time: minute(1)}},
		},
		"a pseudonym of two accounts": {accounts: []string{"hmac:X", "one", "two"}, refused: true},
	} {
		for range 2 {
			slices.Reverse(test.accounts)

			var logs []auditlog.Service
			for _, account := range test.accounts {
				logs = append(logs, &part{
					info: auditlog.Info{Name: "upcloud"}, proof: auditlog.ProofTotal, known: []auditlog.Window{w},
					entries: test.entries, source: auditlog.Source{Service: "upcloud", Account: account},
				})
			}

			s := auditlog.ByCloud(func() time.Time { return w.End }, logs)[0]

			c, err := auditlog.ReadAll(t.Context(), s, auditlog.Query{Window: w}, func(*auditlog.Entry) error { return nil })
			if errors.As(err, new(*auditlog.SourceError)) != test.refused || c.Conclusive() != test.conclusive {
				t.Errorf("%s, %v: %v, %v", name, test.accounts, err, c.Caveats)
			}
		}
	}
}
