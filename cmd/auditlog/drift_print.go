// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/sarif"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// The kinds of rows, which are the keys of the result as well.
const (
	driftChanged     = "changed"
	driftDeleted     = "deleted"
	driftCreated     = "created"
	driftUnexplained = "unexplained"
)

// driftKinds say what a kind of row means.
var driftKinds = []struct{ name, title, sentence string }{
	{driftChanged, "CHANGED by hand", "A resource that Terraform manages was changed by hand."},
	{driftDeleted, "DELETED by hand", "A resource that Terraform manages was deleted by hand."},
	{driftCreated, "CREATED by hand, and in no given state", "Something was created by hand that no given state holds."},
	{driftUnexplained, "NOT EXPLAINED", "Terraform saw a change, or the log shows one, and nobody is known to have made it."},
}

func rowsOf(d *task.Drifted, kind string) []drift.Row {
	return map[string][]drift.Row{
		driftChanged: d.Changed, driftDeleted: d.Deleted, driftCreated: d.Created, driftUnexplained: d.Unexplained,
	}[kind]
}

func (c *driftCommand) print(env environment, d *task.Drifted) error {
	var (
		out []byte
		err error
	)

	switch c.Format {
	case "json":
		out, err = exactjson.Marshal(driftReportOf(d), "  ")
	case "ndjson":
		out, err = driftLines(d)
	case "sarif":
		out, err = driftSARIF(d, c.code(d))
	default:
		times := env.local
		if c.UTC {
			times = time.UTC
		}

		out = driftText(d, times)
	}

	if err != nil {
		return err
	}

	to := env.printed()
	if c.Format == "table" {
		to = env.data // Its values are fit to be shown.
	}

	_, err = to.Write(out)

	return err //nolint:wrapcheck // It is the writer's.
}

// driftText is a result for people.
func driftText(d *task.Drifted, times *time.Location) []byte {
	var b bytes.Buffer

	for _, kind := range driftKinds {
		rows := rowsOf(d, kind.name)
		if len(rows) == 0 {
			continue
		}

		if b.Len() > 0 {
			b.WriteByte('\n')
		}

		_, _ = fmt.Fprintf(&b, "%s: %d\n", kind.title, len(rows))

		for i := range rows {
			writeRow(&b, &rows[i], times)
		}
	}

	return b.Bytes()
}

func writeRow(b io.Writer, r *drift.Row, times *time.Location) {
	_, _ = fmt.Fprintf(b, "\n  %s\n", shown(r.Title()))

	line := func(format string, args ...any) { _, _ = fmt.Fprintf(b, "      "+format+"\n", args...) }

	if r.Seen != nil {
		line("Terraform saw: %s", shown(seenText(r.Seen)))
	}

	if r.Reason != "" {
		line("%s", r.Reason.Text())
	}

	if r.AfterState {
		line("It was created after the state was written, which could not hold it yet.")
	}

	if note := r.Doubt(); note != "" {
		line("%s", note)
	}

	if more := r.EventCount - int64(len(r.Events)); more > 0 {
		line("(%s before, which auditlog explain tells)", plural(more, "entry", "entries"))
	}

	for i := range r.Events {
		line("%s", eventText(&r.Events[i], times))
	}

	if r.Reverted && r.EventCount > int64(len(r.Events)) {
		line("All of it was reverted by the pipeline.")
	}
}

func seenText(s *drift.Seen) string {
	if s.Deleted {
		return "it is gone"
	}

	return changesTextOf(s.Changes)
}

func changesTextOf(changes []auditlog.Change) string {
	texts := make([]string, 0, len(changes))
	for _, c := range changes {
		texts = append(texts, fmt.Sprintf("%s: %s -> %s", c.Field, jsonOr(c.Before), jsonOr(c.After)))
	}

	return strings.Join(texts, "; ")
}

// eventText is one line: when, who, from where, what, and what was before and after.
func eventText(e *drift.Event, times *time.Location) string {
	who := cmp.Or(e.Actor, e.ActorID, string(e.ActorType))

	var from []string

	for _, part := range []string{e.Origin, addressText(&e.Entry, times)} {
		if part != "" {
			from = append(from, part)
		}
	}

	text := timeText(&e.Entry, times) + "  " + shown(who)
	if len(from) > 0 {
		text += " (" + shown(strings.Join(from, ", ")) + ")"
	}

	text += "  " + shown(e.Action)
	if changes := e.Telling(); len(changes) > 0 {
		text += "  " + shown(changesTextOf(changes))
	}

	if e.Reverted {
		text += "  [reverted since by the pipeline]"
	}

	return text
}

// The result as programs read it. What is not known is null.
type (
	driftReport struct {
		Changed     []driftRow       `json:"changed"`
		Deleted     []driftRow       `json:"deleted"`
		Created     []driftRow       `json:"created"`
		Unexplained []driftRow       `json:"unexplained"`
		Unmatched   []driftUnmatched `json:"unmatched"`

		Resources    int64            `json:"resource_count"`
		Entries      int64            `json:"entry_count"`
		ByPipeline   int64            `json:"pipeline_entry_count"`
		Unattributed int64            `json:"unattributed_entry_count"`
		Former       int64            `json:"former_count"`
		AsOf         string           `json:"as_of"`
		Completeness export.Statement `json:"completeness"`
	}

	driftRow struct {
		Kind       string       `json:"kind,omitempty"`
		Address    *string      `json:"address"`
		Type       *string      `json:"type"`
		Service    *string      `json:"service"`
		ID         *string      `json:"id"`
		Name       *string      `json:"name"`
		Match      *string      `json:"match"`
		Reason     *string      `json:"reason"`
		Seen       *driftSeen   `json:"seen"`
		Events     []driftEvent `json:"events"`
		EventCount int64        `json:"event_count"`
		Reverted   bool         `json:"reverted"`
		AfterState bool         `json:"after_state"`
	}

	driftSeen struct {
		Deleted bool              `json:"deleted"`
		Changes []auditlog.Change `json:"changes"`
	}

	driftEvent struct {
		ID            string            `json:"id"`
		Time          string            `json:"time"`
		Action        string            `json:"action"`
		Operation     string            `json:"operation"`
		ActorType     string            `json:"actor_type"`
		ActorID       *string           `json:"actor_id"`
		Actor         *string           `json:"actor"`
		ResourceType  *string           `json:"resource_type"`
		ResourceID    *string           `json:"resource_id"`
		ResourceName  *string           `json:"resource_name"`
		Origin        *string           `json:"origin"`
		AuthType      *string           `json:"auth_type"`
		IPAddress     *string           `json:"ip_address"`
		CorrelationID *string           `json:"correlation_id"`
		Message       *string           `json:"message"`
		Changes       []auditlog.Change `json:"changes"`
		Reverted      bool              `json:"reverted"`
	}

	driftLastLine struct {
		Kind      string           `json:"kind"`
		Statement export.Statement `json:"completeness"`
	}

	driftUnmatched struct {
		Kind    string `json:"kind,omitempty"`
		Reason  string `json:"reason"`
		Text    string `json:"text"`
		Type    string `json:"type"`
		Count   int    `json:"count"`
		Example string `json:"example"`
	}
)

func driftReportOf(d *task.Drifted) driftReport {
	rows := func(kind string) []driftRow {
		all := make([]driftRow, 0, len(rowsOf(d, kind)))
		for _, r := range rowsOf(d, kind) {
			all = append(all, driftRowOf(&r))
		}

		return all
	}

	return driftReport{
		Changed: rows(driftChanged), Deleted: rows(driftDeleted), Created: rows(driftCreated),
		Unexplained: rows(driftUnexplained), Unmatched: driftUnmatchedOf(d),
		Resources: d.Resources, Entries: d.Entries, ByPipeline: d.ByPipeline, Unattributed: d.Unattributed, Former: d.Former,
		AsOf: auditlog.FormatTime(d.AsOf), Completeness: d.Statement,
	}
}

func driftUnmatchedOf(d *task.Drifted) []driftUnmatched {
	all := make([]driftUnmatched, 0, len(d.Unmatched))
	for _, u := range d.Unmatched {
		all = append(all, driftUnmatched{
			Reason: string(u.Reason), Text: u.Reason.Text(), Type: u.Type, Count: u.Count, Example: u.Example,
		})
	}

	return all
}

func orNull[T ~string](text T) *string {
	if text == "" {
		return nil
	}

	return new(string(text))
}

func driftRowOf(r *drift.Row) driftRow {
	row := driftRow{
		Address: orNull(r.Address), Type: orNull(r.Type), Service: orNull(r.Service), ID: orNull(r.ID),
		Name: orNull(r.Name), Match: orNull(r.Match), Reason: orNull(r.Reason), Events: []driftEvent{},
		EventCount: r.EventCount, Reverted: r.Reverted, AfterState: r.AfterState,
	}

	if r.Seen != nil {
		row.Seen = &driftSeen{Deleted: r.Seen.Deleted, Changes: append([]auditlog.Change{}, r.Seen.Changes...)}
	}

	for i := range r.Events {
		e := &r.Events[i]
		row.Events = append(row.Events, driftEvent{
			ID: e.ID, Time: auditlog.FormatTime(e.Time), Action: e.Action, Operation: string(e.Operation),
			ActorType: string(e.ActorType), ActorID: orNull(e.ActorID), Actor: orNull(e.Actor),
			ResourceType: orNull(e.ResourceType), ResourceID: orNull(e.ResourceID), ResourceName: orNull(e.ResourceName),
			Origin: orNull(e.Origin), AuthType: orNull(e.AuthType), IPAddress: orNull(e.IPAddress),
			CorrelationID: orNull(e.CorrelationID), Message: orNull(e.Message),
			Changes: append([]auditlog.Change{}, e.Changes...), Reverted: e.Reverted,
		})
	}

	return row
}

// driftLines are the rows, one a line, then what could not be matched, then the completeness.
func driftLines(d *task.Drifted) ([]byte, error) {
	var out []byte

	add := func(v any) error {
		line, err := exactjson.Marshal(v, "")
		out = append(append(out, line...), '\n')

		return err
	}

	for _, kind := range driftKinds {
		for _, r := range rowsOf(d, kind.name) {
			row := driftRowOf(&r)
			row.Kind = kind.name

			if err := add(row); err != nil {
				return nil, err
			}
		}
	}

	for _, u := range driftUnmatchedOf(d) {
		u.Kind = "unmatched"

		if err := add(u); err != nil {
			return nil, err
		}
	}

	err := add(driftLastLine{"completeness", d.Statement})

	return out, err
}

// driftSARIF are the rows as results of SARIF 2.1.0, whose places are the addresses.
func driftSARIF(d *task.Drifted, code int) ([]byte, error) {
	run := sarif.NewRun(version, "drift")
	run.Invocations = []sarif.Invocation{{ExecutionSuccessful: code != exitUnknown, ExitCode: code}}

	for _, kind := range driftKinds {
		id := "drift/" + kind.name
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarif.Rule{
			ID: id, Name: id, ShortDescription: sarif.Text{Text: kind.sentence},
			DefaultConfiguration: sarif.Level{Level: "warning"},
		})

		for _, r := range rowsOf(d, kind.name) {
			run.Results = append(run.Results, sarif.Result{
				RuleID: id, Level: "warning", Message: sarif.Text{Text: screen.Text(sarifText(&r, kind.sentence))},
				Locations: sarif.Resource("", screen.Text(r.Title())), OccurrenceCount: r.EventCount,
			})
		}
	}

	return run.Marshal()
}

func sarifText(r *drift.Row, sentence string) string {
	texts := []string{sentence, r.Title() + "."}

	if r.Seen != nil {
		texts = append(texts, "Terraform saw: "+seenText(r.Seen)+".")
	}

	if r.Reason != "" {
		texts = append(texts, r.Reason.Text())
	}

	for i := range r.Events {
		texts = append(texts, eventText(&r.Events[i], time.UTC)+".")
	}

	return strings.Join(texts, " ")
}
