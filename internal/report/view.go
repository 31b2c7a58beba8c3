// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// view is what the template shows before the entries. Texts in it are fit to be shown.
type view struct {
	Title    string
	Source   string
	Account  string
	Complete bool
	Sentence string
	Doubts   []doubt

	From, To string
	Filters  []filter
	AsFlags  string
	// Written is how the time was asked for, flag by flag.
	Written []string

	Facts    []fact
	Commands []command
	// Once says what can be done only for as long as something is there.
	Once     string
	Redacted []string
	Zone     string

	Figures  []figure
	Chart    chart
	People   []people
	ByOp     breakdown
	ByType   breakdown
	Heat     heat
	Findings findings
	Drift    *drifted

	Count, Notable int64
	Deletions      string
	Permissions    string
	Entries        string
	LeftOut        string
}

// fact is a line of a list: what, and what of it.
type fact struct{ Name, Value string }

// command is a line that a reader can type, and what it shows.
type command struct{ Line, Shows string }

// figure is a number that the first page shows large.
type figure struct{ Number, Noun string }

func newView(s *Subject, t *tally) *view {
	doubts := s.doubts()
	w := s.Completeness.Window

	v := &view{
		Title: "Audit log of " + shown(s.Info.Title), Source: shown(cmp.Or(s.Source.Service, s.Info.Cloud())),
		Account: shown(s.Source.Account), Complete: s.Completeness.Conclusive(), Sentence: s.sentence(doubts), Doubts: doubts,
		From: s.time(w.Start), To: s.time(w.End), Filters: s.filters(), AsFlags: s.askAgain(), Written: s.written(),
		Facts: s.facts(t), Commands: s.commands(), Redacted: s.redacted(), Zone: s.zoneText(),
		Once:    s.once(),
		Figures: figures(s, t), Chart: newChart(s, t), People: newPeople(s, t),
		ByOp: newOperations(s, t), ByType: newTypes(s, t), Heat: newHeat(t), Findings: newFindings(s), Drift: newDrifted(s),
		Count: t.count, Notable: t.notable, Entries: plural64(t.count, "entry", "entries"),
		Deletions: plural(t.deletions, "deletion"), Permissions: plural(t.permissions, "permission change"),
		LeftOut: leftOut(),
	}

	return v
}

// leftOut names the fields of an entry that the table does not show.
func leftOut() string {
	var names []string

	for _, f := range auditlog.Fields() {
		if !slices.Contains(format.HTMLColumns(), f.Name) {
			names = append(names, f.Name)
		}
	}

	return strings.Join(names, ", ")
}

// written says how the time was asked for, flag by flag.
func (s *Subject) written() []string {
	w := s.Asked.AsWritten

	var parts []string

	for _, a := range []fact{{"last", w.Last}, {"start", w.Start}, {"end", w.End}, {"settle-delay", w.SettleDelay}} {
		if a.Value != "" {
			parts = append(parts, option(a.Name, a.Value))
		}
	}

	return parts
}

// askAgain is a command that asks for the same entries of the same time.
func (s *Subject) askAgain() string {
	w := s.Completeness.Window
	parts := []string{"auditlog export", "--service " + quoted(s.Info.Name)}

	switch {
	case s.Destination != "":
		parts = append(parts, option("destination", s.Destination))
	case s.Info.Name == auditlog.ServiceArchive:
		parts = append(parts, "--destination PLACE") // The export does not say where its archive was.
	}

	parts = append(parts, "--start "+auditlog.FormatTime(w.Start), "--end "+auditlog.FormatTime(w.End))

	for _, f := range s.filters() {
		for _, value := range f.values {
			// A comma would divide a value of a list.
			if f.list {
				value = strings.ReplaceAll(value, ",", `\,`)
			}

			parts = append(parts, option(f.flag, value))
		}
	}

	return strings.Join(append(parts, "--format ndjson", "--path entries.ndjson"), " ")
}

// option is a flag with its value, as a shell takes them.
func option(flag, value string) string {
	if strings.HasPrefix(value, "-") {
		return "--" + flag + "=" + quoted(value) // It would be taken for a flag.
	}

	return "--" + flag + " " + quoted(value)
}

// fileName is the name of a file of this directory as a word of a shell, and no flag.
func fileName(name string) string {
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}

	return quoted(name)
}

// facts say who verified what.
func (s *Subject) facts(t *tally) []fact {
	c := &s.Completeness
	facts := []fact{
		{"Log", shown(s.Info.Title) + s.of()},
		{"Read", "on " + s.time(s.ReadAt)},
		{"Proof", upper(s.because()) + "."},
		{"Counted", fmt.Sprintf(
			"%s on %s were fetched. %s repeated, %s not asked for, and %s in this report.",
			plural(c.RowsFetched, "record"), plural(c.Pages, "page"),
			upper(number(c.DuplicatesDropped))+" "+wasWere(int(min(c.DuplicatesDropped, 2))),
			number(c.RowsFilteredOut)+" "+wasWere(int(min(c.RowsFilteredOut, 2))), number(t.count)+" "+isAre(int(min(t.count, 2))))},
	}

	if c.SecondPass {
		facts = append(facts, fact{"Read twice", "A first reading did not add up, so the log was read again."})
	}

	if c.ClockSkew != nil {
		facts = append(facts, fact{"Clock", clockText(*c.ClockSkew)})
	}

	if s.Destination != "" {
		facts = append(facts, fact{"Archive", shown(s.Destination)})
	}

	if k := s.KeptAs; k != nil {
		facts = append(facts, fact{"Made of", "the export " + shown(k.Name) + ", whose SHA-256 is " + shown(k.SHA256) +
			" as its manifest says. The SHA-256 of the manifest is " + shown(k.ManifestSHA256) + "."})
	}

	return append(facts, fact{"Made by", shown(s.Tool) + ", on " + s.time(s.MadeAt) +
		". It counted the entries, held the rules against them and wrote this page. The commands below show whether the page and the files beside it still agree. They do not show whether somebody has replaced all of them: compare the SHA-256 of the manifest with one that was kept elsewhere, such as in Terraform's state."})
}

func (s *Subject) of() string {
	text := ""
	if s.Source.Account != "" {
		text += ", account " + shown(s.Source.Account)
	}

	if s.Source.Endpoint != "" {
		text += ", at " + shown(s.Source.Endpoint)
	}

	return text
}

func clockText(skew time.Duration) string {
	seconds := skew.Round(time.Second)

	switch {
	case seconds == 0:
		return "The service's clock and that of the machine that read it agreed to the second."
	case seconds > 0:
		return "The service's clock was " + lengthText(seconds) + " ahead of that of the machine that read it."
	default:
		return "The service's clock was " + lengthText(-seconds) + " behind that of the machine that read it."
	}
}

// commands are those by which a reader can verify the page without us.
func (s *Subject) commands() []command {
	file := s.File

	all := []command{
		{"sha256sum -c " + fileName(file+export.ChecksumSuffix), "This page and its manifest are as they were written."},
		{
			"jq '{completeness, entry_count, files}' " + fileName(file+export.ManifestSuffix),
			"What the reading says of its completeness, how many entries there are, and the SHA-256 of this page.",
		},
		{
			"auditlog verify " + fileName(file),
			"The page, its manifest and its checksums agree.",
		},
	}

	switch k := s.KeptAs; {
	case k != nil:
		all = append(all,
			command{
				"sha256sum -c " + fileName(k.Name+export.ChecksumSuffix),
				"The export that this page was made of is as it was written. Compare the sums with those above.",
			},
			command{
				"auditlog report --manifest " + fileName(k.Name+export.ManifestSuffix) + " -o again.html",
				"The same page, made again of the export.",
			})
	case s.Destination != "":
		all = append(all,
			command{
				"auditlog verify " + fileName(s.Destination),
				"Every segment and manifest of the archive is what its chain says. With --public-key KEY, also who signed it.",
			})
	}

	return all
}

// once says how to get the same entries again.
func (s *Subject) once() string {
	switch {
	case s.KeptAs != nil:
		return "The export that the page was made of has to be there as well."
	case s.Destination != "":
		return "The command under “What was asked” brings the same entries of the archive again."
	default:
		return "The command under “What was asked” brings the same entries again, as long as the service keeps them."
	}
}

// redacted lists what was taken out of the entries, of an archive or an export before it
// was read as well.
func (s *Subject) redacted() []string {
	words := map[string]string{"drop": "left out", "mask": "masked", "hash": "shown as pseudonyms", "keep": "kept"}

	var all []string

	for _, r := range s.rulesOfRedaction() {
		text := shown(r.Field) + ": " + cmp.Or(words[r.Mode], shown(r.Mode))
		if r.Where != "" {
			text += " where " + shown(r.Where)
		}

		all = append(all, text)
	}

	// What an export says of its own redaction is among the rules above.
	if s.KeptAs == nil {
		for _, field := range s.Info.Redacted {
			all = append(all, shown(field)+": left out, masked or replaced before it was archived")
		}
	} else if s.Info.Name == auditlog.ServiceArchive {
		all = append(all, "what was taken out before the entries were archived is not known, since the export does not tell")
	}

	for _, field := range s.Info.RedactedInPart {
		all = append(all, shown(field)+": of some entries left out, masked or replaced before they were archived")
	}

	return all
}

// rulesOfRedaction are those that changed something.
func (s *Subject) rulesOfRedaction() []redact.Rule {
	if s.Redaction == nil {
		return nil
	}

	return slices.DeleteFunc(slices.Clone(s.Redaction.Rules), func(r redact.Rule) bool { return r.Mode == redact.Keep })
}

// actorsMerged says that several actors may look like one, since their names or ids were
// taken out. A pseudonym is as good as a name.
func (s *Subject) actorsMerged() bool {
	names := []string{"actor", "actor_id"}
	is := func(field string) bool { return slices.Contains(names, field) }

	return slices.ContainsFunc(s.Info.RedactedInPart, is) || s.KeptAs == nil && slices.ContainsFunc(s.Info.Redacted, is) ||
		s.KeptAs != nil && s.Info.Name == auditlog.ServiceArchive ||
		slices.ContainsFunc(s.rulesOfRedaction(), func(r redact.Rule) bool { return is(r.Field) && r.Mode != redact.Hash })
}

// maxOffsets bounds how many offsets of a time zone are named; hardly any zone has had as many.
const maxOffsets = 10

// zoneText names the time zone with the offsets that it has within the window.
func (s *Subject) zoneText() string {
	zone := s.zone()
	if zone == time.UTC {
		return "UTC"
	}

	w := s.Completeness.Window

	var offsets []string

	for at := w.Start.In(zone); len(offsets) < maxOffsets; {
		if offset := at.Format("UTC-07:00"); !slices.Contains(offsets, offset) {
			offsets = append(offsets, offset)
		}

		_, changes := at.ZoneBounds()
		if changes.IsZero() || !changes.Before(w.End) {
			break
		}

		at = changes
	}

	if zone == time.Local { //nolint:gosmopolitan // Only what it is called: somebody has asked for it.
		return "the local time of the machine that made the page, " + strings.Join(offsets, " and ")
	}

	return shown(zone.String()) + ", " + strings.Join(offsets, " and ")
}

func figures(s *Subject, t *tally) []figure {
	people := int64(t.distinct(person))
	programs := int64(t.distinct(program))

	all := []figure{
		{number(t.count), singular(t.count, "entry", "entries")},
		{s.atLeast(t.actors[person], people), singular(people, "user account", "user accounts")},
		{s.atLeast(t.actors[program], programs), singular(programs, "program", "programs")},
		{number(t.deletions), singular(t.deletions, "deletion", "deletions")},
		{number(t.permissions), singular(t.permissions, "permission change", "permission changes")},
	}

	if s.Result != nil {
		n := s.Result.TotalCount
		all = append(all, figure{number(n), singular(n, "finding", "findings")})
	}

	return all
}

// atLeast is how many actors there are, with a sign where there may be more: not all were
// told apart, or not all have a name.
func (s *Subject) atLeast(c *counts[actor], n int64) string {
	nameless := false
	for a := range c.by {
		nameless = nameless || a.name == "" && a.id == ""
	}

	if n > 0 && (c.rest.n > 0 || nameless || s.actorsMerged()) {
		return number(n) + "+"
	}

	return number(n)
}

func singular(n int64, one, many string) string {
	if n == 1 {
		return one
	}

	return many
}

func plural64(n int64, one, many string) string { return number(n) + " " + singular(n, one, many) }

func upper(text string) string {
	if text == "" {
		return ""
	}

	return strings.ToUpper(text[:1]) + text[1:]
}

// findings are what the rules found.
type findings struct {
	// Evaluated says that rules were held against the entries at all.
	Evaluated bool
	Total     string
	Listed    []foundLine
	Truncated bool
	Rules     []ruleLine
	Not       []notLine
	// Baseline says how far back known addresses were looked for, "" where no rule asked.
	Baseline string
}

type foundLine struct {
	Severity string
	Level    int
	Rule     string
	Group    []fact
	Message  string
	First    string
	Last     string
	IDs      []string
	MoreIDs  int64
}

type ruleLine struct {
	Name, Description, Where, Counts, Severity string
	Outcome                                    string
	Found                                      bool
}

type notLine struct{ Rule, Reason string }

func newFindings(s *Subject) findings {
	const shownIDs = 5

	r := s.Result
	if r == nil {
		return findings{}
	}

	f := findings{Evaluated: true, Total: plural64(r.TotalCount, "finding", "findings"), Truncated: r.Truncated}

	for i := range r.Findings {
		found := &r.Findings[i]
		line := foundLine{
			Severity: shown(string(found.Severity)), Level: slices.Index(finding.Severities(), found.Severity),
			Rule: shown(found.Rule), Message: shown(found.Message),
			First: rowTime(found.FirstTime, s.zone()), Last: rowTime(found.LastTime, s.zone()),
			IDs:     screened(found.EntryIDs[:min(shownIDs, len(found.EntryIDs))]),
			MoreIDs: found.Count - int64(min(shownIDs, len(found.EntryIDs))),
		}

		for _, g := range found.Group {
			line.Group = append(line.Group,
				fact{shown(strings.ReplaceAll(g.Field, "_", " ")), shown(cmp.Or(g.Value, "not recorded"))})
		}

		f.Listed = append(f.Listed, line)
	}

	for _, n := range r.NotEvaluable {
		f.Not = append(f.Not, notLine{shown(n.Rule), shown(n.Reason)})
	}

	f.Rules = s.ruleLines()

	if b := r.Baseline; b != nil {
		f.Baseline = "Known addresses are those of the logins " + s.span(b.Window) + "."
		if !b.Conclusive() {
			f.Baseline += " Of that time not everything is known, so that an address may only seem to be new."
		}
	}

	return f
}

// ruleLines lists all rules, with what became of each.
func (s *Subject) ruleLines() []ruleLine {
	var lines []ruleLine

	for _, b := range finding.Builtins() {
		if !slices.Contains(s.Builtins, b.Name) {
			continue
		}

		lines = append(lines, s.ruleLine(b.Name, b.Description, b.Where, b.Severity,
			countsText(b.Threshold, b.Within, b.GroupBy)))
	}

	for i := range s.Rules {
		r := &s.Rules[i]
		within := time.Duration(0)

		if r.Within != nil {
			within = *r.Within
		}

		lines = append(lines, s.ruleLine(r.Name, "A rule of one's own.", r.Condition.String(), r.Severity,
			countsText(r.Threshold, within, r.GroupBy)))
	}

	return lines
}

func (s *Subject) ruleLine(name, description, where string, severity finding.Severity, counts string) ruleLine {
	l := ruleLine{
		Name: shown(name), Description: shown(description), Where: shown(where), Severity: shown(string(severity)),
		Counts: counts, Outcome: "Not evaluated",
	}

	if n, ok := s.Result.CountsByRule[name]; ok {
		l.Outcome, l.Found = plural(n, "finding"), n > 0
	}

	return l
}

// countsText says how many entries make a finding.
func countsText(threshold int64, within time.Duration, groupBy []string) string {
	text := "Every entry counts"
	if threshold > 1 {
		text = number(threshold) + " entries or more"
	}

	if within > 0 {
		text += " within " + lengthText(within)
	}

	if len(groupBy) > 0 {
		text += ", by " + strings.ReplaceAll(strings.Join(groupBy, " and "), "_", " ")
	}

	return text
}
