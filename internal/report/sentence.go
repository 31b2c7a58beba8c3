// SPDX-License-Identifier: MPL-2.0

package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// maxDoubts bounds how many gaps, caveats, actions and values are listed, each. The
// manifest has them all.
const maxDoubts = 40

// doubt is one thing that keeps the answer from being complete, with what it is about.
type doubt struct {
	// reason is the end of a sentence that begins with "because".
	reason  string
	Title   string
	Details []string
	More    int
}

// doubts lists them, the worst first.
func (s *Subject) doubts() []doubt {
	var all []doubt

	c := &s.Completeness
	title := shown(s.Info.Title)

	if len(c.Gaps) > 0 {
		var length time.Duration

		details := make([]string, 0, len(c.Gaps))

		for _, g := range c.Gaps {
			length += g.End.Sub(g.Start)
			details = append(details, s.span(g))
		}

		all = append(all, newDoubt(
			fmt.Sprintf("%s holds nothing about %s of this time, %s in all",
				title, plural(int64(len(c.Gaps)), "part"), lengthText(length)),
			"What happened in these parts is not known", details))
	}

	if c.BeyondRetention {
		all = append(all, newDoubt(
			fmt.Sprintf("%s keeps entries for %s, and this time begins before that",
				title, plural(int64(c.Retention/(24*time.Hour)), "day")),
			"What has been dropped by the service is not known",
			[]string{"Entries from before " + s.time(s.ReadAt.Add(-c.Retention)) +
				" may have been dropped before the log was read."}))
	}

	if c.UnknownMatters {
		all = append(all, newDoubt(
			plural(int64(len(c.UnknownActions)), "action")+" in the log "+isAre(len(c.UnknownActions))+
				" not known to mean any operation",
			"Actions whose meaning is not known", screened(c.UnknownActions)))
	}

	if len(c.UnverifiedValues) > 0 {
		all = append(all, newDoubt(
			"nothing confirms that entries have "+plural(int64(len(c.UnverifiedValues)), "value")+" that "+
				wasWere(len(c.UnverifiedValues))+" asked for",
			"Values that may be misspelt", screened(c.UnverifiedValues)))
	}

	if len(c.Caveats) > 0 {
		all = append(all, newDoubt("the log cannot show everything that was asked for",
			"What the log cannot show", screened(c.Caveats)))
	}

	return all
}

func newDoubt(reason, title string, details []string) doubt {
	d := doubt{reason: reason, Title: title, Details: details}
	if len(details) > maxDoubts {
		d.Details, d.More = details[:maxDoubts], len(details)-maxDoubts
	}

	return d
}

func screened(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = shown(text)
	}

	return all
}

// sentence says how complete the answer is.
func (s *Subject) sentence(doubts []doubt) string {
	w := s.Completeness.Window
	between := "between " + s.time(w.Start) + " and " + s.time(w.End)

	// The statement is what decides, whatever the doubts are called.
	if s.Completeness.Conclusive() {
		nothing := "Nothing is missing "
		if s.filtered() {
			nothing = "Nothing that was asked for is missing "
		}

		return nothing + between + ", because " + s.because() + "."
	}

	if len(doubts) == 0 {
		return "Something may be missing " + between + ", because nothing proves that the log was read in full."
	}

	reasons := make([]string, len(doubts))
	for i, d := range doubts {
		reasons[i] = d.reason
	}

	return "Something may be missing " + between + ", because " + strings.Join(reasons, ", and because ") +
		"; what the log does hold was read in full, since " + s.because() + "."
}

// because is the end of a sentence: why nothing of what the log holds is missing.
func (s *Subject) because() string {
	title := shown(s.Info.Title)

	var reason string

	switch c := &s.Completeness; c.Proof {
	case auditlog.ProofTotal:
		reason = "as many different records came as " + title + " said there are"
		if c.ClaimedTotal != nil {
			reason += " (" + number(*c.ClaimedTotal) + ")"
		}
	case auditlog.ProofCursor:
		reason = "the list of " + title + " was followed to its end"
	case auditlog.ProofExports:
		reason = "every record in the exports of " + title + "'s console was read"
	case auditlog.ProofChain:
		reason = "every segment and every manifest of " + title + " is what its chain of hashes says"
	default:
		reason = "the reading has the proof " + shown(string(c.Proof))
	}

	if s.KeptAs != nil {
		reason += ", as the manifest of the export says, which describes this very data"
	}

	return reason
}

// filtered says whether less than everything was asked for.
func (s *Subject) filtered() bool { return len(s.filters()) > 0 }

// filter is an argument of the query that leaves something out.
type filter struct {
	// Words are the begin of a sentence about an entry, such as "the operation is".
	Words  string
	Values []string
	// Code says that the value is an expression.
	Code bool
	// flag is the name of the argument, as a flag, and list says that it takes several values.
	flag string
	list bool
	// values are those of the flag, as they were written.
	values []string
}

// filters are those of the query that were given.
func (s *Subject) filters() []filter { return filtersOf(&s.Asked.Query) }

func filtersOf(q *auditlog.Query) []filter {
	where := ""
	if q.Where != nil {
		where = q.Where.String()
	}

	var all []filter

	add := func(flag, words string, values []string) {
		values = without(values, "")
		if len(values) > 0 {
			all = append(all, filter{
				Words: words, Values: screened(values), flag: flag, values: values, Code: flag == "where",
				list: flag != "where" && flag != "search",
			})
		}
	}

	add("actions", "the action is", q.Actions)
	add("operations", "the operation is", auditlog.Texts(q.Operations))
	add("resource-types", "the resource type is", q.ResourceTypes)
	add("resource-ids", "the id of the resource is", q.ResourceIDs)
	add("actors", "the actor's name or id is", q.Actors)
	add("origins", "the origin is", q.Origins)
	add("ip-addresses", "the address is, or lies in,", q.IPAddresses)
	add("search", "one of the texts holds", []string{q.Search})
	add("where", "this condition holds:", []string{where})

	return all
}

func without(values []string, not string) []string {
	var all []string

	for _, v := range values {
		if v != not {
			all = append(all, v)
		}
	}

	return all
}

// time is a time in a sentence, with its zone.
func (s *Subject) time(t time.Time) string {
	zone := s.zone()
	if zone == time.UTC {
		return t.In(zone).Format("2006-01-02 15:04:05.999999 UTC")
	}

	return t.In(zone).Format("2006-01-02 15:04:05.999999 -07:00")
}

func (s *Subject) span(w auditlog.Window) string {
	return "from " + s.time(w.Start) + " to " + s.time(w.End)
}

// lengthText is a length of time in its two largest units.
func lengthText(d time.Duration) string {
	day := 24 * time.Hour

	switch {
	case d >= day:
		return units2(d, day, "day", time.Hour, "hour")
	case d >= time.Hour:
		return units2(d, time.Hour, "hour", time.Minute, "minute")
	case d >= time.Minute:
		return units2(d, time.Minute, "minute", time.Second, "second")
	default:
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " seconds"
	}
}

func units2(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := plural(int64(d/large), largeName)
	if rest := d % large / small; rest > 0 {
		text += " " + plural(int64(rest), smallName)
	}

	return text
}

// plural is a number with its noun.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}

	return number(n) + " " + noun + "s"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}

	return "are"
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}

	return "were"
}

// number writes a count with commas between thousands.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)

	var b strings.Builder

	for i, d := range digits {
		if i > 0 && digits[i-1] != '-' && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}

		b.WriteRune(d)
	}

	return b.String()
}

// quoted is a text as one word of a shell.
func quoted(text string) string {
	text = screen.Text(text)

	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:@%+,-", r)
	}

	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}

	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
