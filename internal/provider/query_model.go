// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

func stringValue(s string) types.String { return types.StringValue(s) }

const (
	startBeforeEnd = "Let start be before end; the window includes start and excludes end."
)

// validate reports what is wrong whichever values are still unknown.
func (m *queryModel) validate() diag.Diagnostics {
	diags := m.source().validate()

	if given(m.Last) && (given(m.Start) || given(m.End)) {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.CheckQuery,
			Cause:   "The window is given twice: by last and by start or end.",
			Next:    "Give either last, or start and end.",
		}.At(explain.Argument("last")))...)
	}

	start, end := parseTime(m.Start), parseTime(m.End)
	if err := auditlog.CheckBounds(start, end); err != nil && !start.IsZero() && !end.IsZero() {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.CheckQuery,
			Cause:   explain.Sentence(err.Error()),
			Next:    startBeforeEnd,
		}.With("start", m.Start.ValueString()).With("end", m.End.ValueString()).At(explain.Argument("start")))...)
	}

	if info, ok := infoOf(m.Service.ValueString()); ok {
		diags.Append(m.checkFields(info)...)
	}

	return diags
}

func infoOf(name string) (auditlog.Info, bool) {
	switch name {
	case auditlog.ServiceUpCloud:
		return upcloud.Info(), true
	case auditlog.ServiceCloudscale:
		return cloudscale.Info(), true
	case auditlog.ServicePodStack:
		return podstack.Info(), true
	default:
		return auditlog.Info{}, false
	}
}

// checkFields refuses a filter on a field that the service never records: it
// would find nothing, and nothing has to mean that nothing happened.
func (m *filterModel) checkFields(info auditlog.Info) diag.Diagnostics {
	query, err := m.filters()
	if err != nil {
		return nil // A validator has seen to it, or resolve does.
	}

	return checkAnswerable(query, info)
}

func checkAnswerable(query auditlog.Query, info auditlog.Info) diag.Diagnostics {
	var diags diag.Diagnostics

	for _, u := range query.Unanswerable(info) {
		diags.Append(diagnose(explain.Unanswerable(u, info))...)
	}

	return diags
}

func parseTime(v types.String) time.Time {
	t, err := time.Parse(time.RFC3339Nano, v.ValueString())
	if err != nil {
		return time.Time{} // Not given; a validator has seen to the rest.
	}

	return t
}

// spanOf reads a length of time, zero where none is given; a validator has seen to
// the rest.
func spanOf(v types.String) time.Duration {
	d, err := auditlog.ParseSpan(v.ValueString())
	if err != nil {
		return 0
	}

	return d
}

// stringsOf returns the values of a list. One that is not known as a whole has none
// yet, like one that is not given.
func stringsOf[T ~string](list types.List) []T {
	if !given(list) {
		return nil
	}

	values := make([]T, 0, len(list.Elements()))

	for _, e := range list.Elements() {
		if s, ok := e.(types.String); ok {
			values = append(values, T(s.ValueString()))
		}
	}

	return values
}

// resolve turns the arguments into a query as of now. Every value must be known.
func (m *queryModel) resolve(info auditlog.Info, now time.Time, settleDelay time.Duration, summary string) (auditlog.Query, diag.Diagnostics) {
	query, diags := m.checkedFilters(info)

	spec := auditlog.WindowSpec{Last: spanOf(m.Last), Start: parseTime(m.Start), End: parseTime(m.End), SettleDelay: settleDelay}

	if d, err := auditlog.ParseSpan(m.SettleDelay.ValueString()); err == nil {
		spec.SettleDelay = d
	}

	window, err := spec.Resolve(now)
	if err != nil {
		next := startBeforeEnd
		if errors.Is(err, auditlog.ErrWindowNotSettled) {
			next = "Let start lie further back" + orLower(spec.SettleDelay) + "."
		}

		diags.Append(diagnose(explain.Problem{
			Summary: summary,
			Cause:   explain.Sentence(err.Error()),
			Next:    next,
		}.With("start", m.Start.ValueString()).With("end", m.End.ValueString()).
			With("settle_delay", spec.SettleDelay.String()).With("Now", auditlog.FormatTime(now)).At(explain.Argument("start")))...)
	}

	if err == nil {
		diags.Append(m.endWarning(window.End, spec.SettleDelay)...)
	}

	before := query.Unanswerable(info)
	query.Window, query.SettleDelay = window, spec.SettleDelay

	// What only the window rules out.
	for _, u := range query.Unanswerable(info) {
		if err == nil && !slices.ContainsFunc(before, func(b *auditlog.UnanswerableError) bool { return *b == *u }) {
			diags.Append(diagnose(explain.Unanswerable(u, info))...)
		}
	}

	return query, diags
}

// endWarning says that the end that was asked for was not reached.
func (m *queryModel) endWarning(until time.Time, settleDelay time.Duration) diag.Diagnostics {
	if !parseTime(m.End).After(until) {
		return nil
	}

	return diagnose(explain.Problem{
		Summary: "The window ends earlier than asked for",
		Cause:   "The newest entries are left out, since they have not happened yet or the service may still be filling them in.",
		Next:    "Read again later" + orLower(settleDelay) + "; what lies between the two moments was not read.",
	}.With("end", m.End.ValueString()).With("Read until", auditlog.FormatTime(until)).
		With("settle_delay", settleDelay.String()).AsWarning())
}

// orLower offers to lower a delay, where there is one.
func orLower(settleDelay time.Duration) string {
	if settleDelay == 0 {
		return ""
	}

	return ", or lower settle_delay"
}

// readWarnings name what a complete reading could not see all the same, also of the
// end that was asked for, where the service's own clock has not reached it.
func (m *queryModel) readWarnings(info auditlog.Info, q auditlog.Query, c auditlog.Completeness) diag.Diagnostics {
	diags := diagnose(explain.Completeness(info, c)...)

	if !parseTime(m.End).After(q.Window.End) { // Else resolve has said so.
		diags.Append(m.endWarning(c.Window.End, q.SettleDelay)...)
	}

	return diags
}

// checkedFilters are the filters when every value is known: what is wrong with
// them now was not seen before.
func (m *filterModel) checkedFilters(info auditlog.Info) (auditlog.Query, diag.Diagnostics) {
	query, err := m.filters()
	if err != nil {
		return query, diagnose(explain.Condition(err).At(explain.Argument(whereName)))
	}

	return query, checkAnswerable(query, info)
}

// filters are the part of the query that does not say when. The error is that of
// compiling the condition.
func (m *filterModel) filters() (auditlog.Query, error) {
	query := auditlog.Query{
		Actions:       stringsOf[string](m.Actions),
		Operations:    stringsOf[auditlog.Operation](m.Operations),
		ResourceTypes: stringsOf[string](m.ResourceTypes),
		ResourceIDs:   stringsOf[string](m.ResourceIDs),
		Actors:        stringsOf[string](m.Actors),
		Origins:       stringsOf[string](m.Origins),
		IPAddresses:   stringsOf[string](m.IPAddresses),
		Search:        m.Search.ValueString(),

		AllowUnknownValues:   m.AllowUnknownValues.ValueBool(),
		FailOnUnknownActions: m.FailOnUnknownActions.ValueBool(),
	}

	if !given(m.Where) {
		return query, nil
	}

	condition, err := where.Compile(m.Where.ValueString())
	if err != nil {
		return query, err
	}

	query.Where = condition

	return query, nil
}
