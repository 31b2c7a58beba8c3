// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/gate"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// checkCommand holds rules against a log, as audit_log_findings does.
type checkCommand struct {
	filtering
	asking
	redacting

	Rules        string   `group:"Which rules" placeholder:"FILE" help:"YAML file with the rules, by the names of audit_log_findings: builtin_rules, rules, expected, baseline, max_findings, fail_on_not_evaluable. The guide \"Gates\" shows one. Default: every built-in rule that the service's log can answer."`
	BuiltinRules []string `group:"Which rules" placeholder:"NAME" help:"Built-in rules to apply: ${builtin_rules}. Default: every one that the service's log can answer."`
	Baseline     *string  `group:"Which rules" placeholder:"DURATION" help:"How far before the window login_from_new_address looks for addresses that are known. Default: 14d."`
	MaxFindings  *int64   `group:"Which rules" placeholder:"NUMBER" help:"How many findings are listed, the worst first. Counts cover all of them. Default: ${max_findings}."`
	Strict       bool     `group:"Which rules" help:"Take it for no answer when a rule cannot find anything in this service's log, whatever happened, also a built-in one that nobody named."`

	State   string        `placeholder:"FILE" help:"Remember until where the log has been checked, and begin there the next time, so that nothing stays unchecked when a run was skipped. --start or --last then say where the first check begins."`
	Format  string        `enum:"table,json,sarif,junit" default:"table" help:"How findings are printed: table, json with the keys of audit_log_findings, sarif (2.1.0) or junit." placeholder:"FORMAT"`
	UTC     bool          `name:"utc" help:"Print times of a table in UTC. By default it has them in the time zone of this machine; everything else is in UTC."`
	Timeout time.Duration `default:"1h" help:"How long the command may take." placeholder:"DURATION"`
}

// Help says what the exit codes are.
func (*checkCommand) Help() string {
	return "Exit code: 0 when it is clean: nothing was found, and that means that nothing happened; 1 when something was found; " +
		"2 when that cannot be told: a rule that was asked for cannot be evaluated, a part of the window is not known or no longer kept, or an error." +
		`

Examples:

    # What do the built-in rules find in the last day?
    auditlog check --service upcloud --last 24h

    # Every night from where the last check ended, for a CI that shows SARIF
    auditlog check --service upcloud --rules rules.yaml --last 24h \
        --state check.state --format sarif > findings.sarif`
}

// settleWithState is the settle delay of a check that goes on from another one: what comes late would be in neither.
const settleWithState = time.Minute

// Run prints what the rules find, and remembers how far it has come only then.
func (c *checkCommand) Run(ctx context.Context, env environment) (err error) {
	rules, options, found := c.rules()
	if found.HasError() {
		return &problemsError{found}
	}

	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	service, sources, err := c.open(ctx, env, explain.EvaluateRules)
	if err != nil {
		return err
	}

	e := task.Evaluation{
		Question: c.question(env, explain.EvaluateRules, 0), Rules: options, Named: rules.Named(),
		FailOnNotEvaluable: rules.FailOnNotEvaluable != nil && *rules.FailOnNotEvaluable, Redact: c.redaction(sources),
	}

	kept, err := c.begin(&e, service.Info(), rules, env.now())
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, kept.close()) }()

	report := gate.Report{Tool: version, Info: service.Info(), Rules: options}

	env.watch(ctx, "Checking", func(ctx context.Context) { report.Verdict, report.Problems = e.Run(ctx, service) })

	report.Problems = c.placed(rules.Locate(report.Problems))
	kept.confirm(&report)

	if err := c.print(env, &report); err != nil {
		return fmt.Errorf("print what was found: %w", err)
	}

	env.tell(report.Problems)

	if report.Verdict == nil {
		return errUnchecked
	}

	env.conclude(report.Verdict)

	if err := kept.save(&report, env.now()); err != nil {
		return err
	}

	switch gate.Code(report.Verdict, report.Problems) {
	case gate.Clean:
		return nil
	case gate.Found:
		return &negativeError{}
	default:
		return errUnchecked
	}
}

// errUnchecked says that a check has no answer; why has been printed.
var errUnchecked = errors.New("not everything could be checked, so that this is no answer")

// rules are those of the file and of the flags.
func (c *checkCommand) rules() (*gate.Rules, finding.Options, explain.Problems) {
	rules := &gate.Rules{}

	if c.Rules != "" {
		data, err := durable.Read(c.Rules, gate.MaxFile)
		if err != nil {
			return nil, finding.Options{}, explain.Problems{explain.Problem{
				Summary: "Read the rules", Cause: explain.Sentence(err.Error()), Next: "Name a file with rules in YAML.",
			}.At(explain.Argument("rules"))}
		}

		var wrong explain.Problems
		if rules, wrong = gate.Read(c.Rules, data); len(wrong) > 0 {
			return nil, finding.Options{}, wrong
		}
	}

	found := c.add(rules)
	if found.HasError() {
		return nil, finding.Options{}, found
	}

	options, wrong := rules.Options()

	return rules, options, append(found, wrong...)
}

// add adds what the flags say. What the file says as well would have two meanings.
func (c *checkCommand) add(rules *gate.Rules) explain.Problems {
	var found explain.Problems

	set := func(name string, given, inFile bool, do func()) {
		switch {
		case given && inFile:
			found.Add(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   "The flag is given, and the file with the rules says the same in another way.",
				Next:    "Leave one of them out.",
			}.With("File", c.Rules).At(explain.Argument(name)))
		case given:
			do()
		}
	}

	set("builtin_rules", c.BuiltinRules != nil, rules.Builtins != nil, func() { rules.Builtins = &c.BuiltinRules })
	set("baseline", c.Baseline != nil, rules.Baseline != nil, func() { rules.Baseline = c.Baseline })
	set("max_findings", c.MaxFindings != nil, rules.MaxFindings != nil, func() { rules.MaxFindings = c.MaxFindings })
	set("strict", c.Strict, rules.FailOnNotEvaluable != nil, func() { rules.FailOnNotEvaluable = &c.Strict })

	return found
}

// placed puts problems on the flag that is another's word for an argument.
func (c *checkCommand) placed(found explain.Problems) explain.Problems {
	for i := range found {
		if c.Strict && slices.Equal(found[i].Place, explain.Argument("fail_on_not_evaluable")) {
			found[i].Place = explain.Argument("strict")
		}
	}

	return found
}

// keeping is a state that a check goes on from; a nil one keeps nothing.
type keeping struct {
	state  *gate.State
	info   auditlog.Info
	digest string
}

// begin lets the check begin where the last one ended.
func (c *checkCommand) begin(
	e *task.Evaluation, info auditlog.Info, rules *gate.Rules, now time.Time,
) (*keeping, error) {
	if c.State == "" {
		return nil, nil //nolint:nilnil // There is nothing to keep.
	}

	if c.End != "" {
		return nil, &problemsError{explain.Problems{explain.Problem{
			Summary: explain.CheckQuery,
			Cause:   "A check with a state always ends now, since the next one begins where it ends.",
			Next:    "Leave --end out, or --state.",
		}.At(explain.Argument("end"))}}
	}

	filters := e.Arguments.Filters
	filters.SettleDelay = ""

	digest, err := rules.Digest(filters)
	if err != nil {
		return nil, err
	}

	state, wrong := gate.OpenState(c.State)
	if len(wrong) > 0 {
		return nil, &problemsError{wrong}
	}

	from, wrong := state.Begin(info, digest, now.Add(-e.Arguments.Delay(settleWithState)), now)
	if len(wrong) > 0 {
		return nil, errors.Join(&problemsError{wrong}, state.Close())
	}

	if e.SettleDelay = settleWithState; !from.IsZero() {
		e.Arguments.Start, e.Arguments.Last = from.Format(time.RFC3339Nano), ""
	}

	return &keeping{state, info, digest}, nil
}

// confirm drops a verdict on another log.
func (k *keeping) confirm(r *gate.Report) {
	if k == nil || r.Verdict == nil {
		return
	}

	wrong := k.state.Confirm(r.Verdict.Completeness.Source)
	if r.Problems.Add(wrong...); wrong.HasError() {
		r.Verdict = nil
	}
}

// save remembers how far the check has come. Where something is to be mended first, it is made again.
func (k *keeping) save(r *gate.Report, now time.Time) error {
	if k == nil || r.Problems.HasError() {
		return nil
	}

	if wrong := k.state.Save(k.info, &r.Verdict.Completeness, k.digest, now); len(wrong) > 0 {
		return &problemsError{wrong}
	}

	return nil
}

func (k *keeping) close() error {
	if k == nil {
		return nil
	}

	return k.state.Close()
}

// print prints the report. Of a check that came to no verdict there is one only for programs that have a word for that.
func (c *checkCommand) print(env environment, r *gate.Report) error {
	var (
		out []byte
		err error
	)

	switch {
	case c.Format == "sarif":
		out, err = r.SARIF()
	case c.Format == "junit":
		out, err = r.JUnit()
	case r.Verdict == nil:
	case c.Format == "json":
		out, err = r.JSON()
	default:
		times := env.local
		if c.UTC {
			times = time.UTC
		}

		out = env.findings(r.Verdict.Findings, times)
	}

	if err != nil || len(out) == 0 {
		return err
	}

	to := env.printed()
	if c.Format == "table" {
		to = env.data // Its cells are fit to be shown, and colours are no accident.
	}

	_, err = to.Write(out)

	return err //nolint:wrapcheck // It is the writer's.
}

// findings is a table of findings for people: how bad, when, who, what, and by which rule.
func (env environment) findings(found []finding.Finding, times *time.Location) []byte {
	if len(found) == 0 {
		return nil
	}

	titles := []string{"severity", "when", "who", "what", "rule"}
	laidOut := make([]row, 0, len(found))

	for i := range found {
		f := &found[i]
		what := f.Message

		if where := gate.Where(f); where != "" {
			what += " (" + where + ")"
		}

		laidOut = append(laidOut, row{cells: []string{
			string(f.Severity), spanOf(f, times), cmp.Or(shown(gate.Who(f)), "-"), shown(what), shown(f.Rule),
		}})
	}

	var b strings.Builder

	width := cmp.Or(env.columns, fileWidth)

	widths, tooWide := fit(titles, laidOut, width, func(i int) bool { return titles[i] == "when" })
	if tooWide || width < narrow {
		for _, r := range laidOut {
			for i, cell := range r.cells {
				_, _ = fmt.Fprintf(&b, "%s: %s\n", titles[i], cell)
			}

			b.WriteByte('\n')
		}

		return []byte(b.String())
	}

	t := newGrid(widths)
	t.AppendHeader(rowOf(titles))

	for _, r := range laidOut {
		cells := rowOf(r.cells)
		if env.colours() {
			cells[0] = severityColour(r.cells[0]).Sprint(r.cells[0])
		}

		t.AppendRow(cells)
	}

	_, _ = io.WriteString(&b, t.Render()+"\n")

	return []byte(b.String())
}

// spanOf is when a finding happened, to the second.
func spanOf(f *finding.Finding, times *time.Location) string {
	const layout = "2006-01-02 15:04:05Z07:00"

	first, last := f.FirstTime.In(times), f.LastTime.In(times)
	if first.Truncate(time.Second).Equal(last.Truncate(time.Second)) {
		return first.Format(layout)
	}

	if first.Format(time.DateOnly) == last.Format(time.DateOnly) {
		return first.Format("2006-01-02 15:04:05") + "-" + last.Format("15:04:05Z07:00")
	}

	return first.Format(layout) + " - " + last.Format(layout)
}

func severityColour(severity string) text.Colors {
	switch finding.Severity(severity) {
	case finding.SeverityCritical, finding.SeverityHigh:
		return text.Colors{text.FgRed}
	case finding.SeverityMedium:
		return text.Colors{text.FgYellow}
	default:
		return text.Colors{}
	}
}

// conclude says on standard error what was found, in which time, and why nothing is missing.
func (env environment) conclude(v *task.Verdict) {
	what := "Nothing was found"

	if v.TotalCount > 0 {
		var parts []string

		for _, severity := range finding.Severities() {
			if n := v.CountsBySeverity[severity]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", task.Grouped(n), severity))
			}
		}

		what = plural(v.TotalCount, "finding", "findings") + " (" + strings.Join(parts, ", ") + ")"
	}

	c := &v.Completeness
	_, _ = fmt.Fprintf(env.stderr, "%s in %s, from %s to %s. %s\n", what, plural(v.EntryCount, "entry", "entries"),
		auditlog.FormatTime(c.Window.Start), auditlog.FormatTime(c.Window.End), proven(c))
}

// checkVars are what the flags' help texts refer to.
func checkVars() map[string]string {
	return map[string]string{
		"builtin_rules": strings.Join(finding.BuiltinNames(), ", "),
		"max_findings":  fmt.Sprint(finding.DefaultMaxFindings),
	}
}
