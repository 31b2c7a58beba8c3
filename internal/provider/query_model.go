// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

func stringValue(s string) types.String { return types.StringValue(s) }

const (
	checkQuery         = "Check the query"
	checkConfiguration = "Check the configuration"

	startBeforeEnd = "Let start be before end; the window includes start and excludes end."
)

// validate reports what is wrong whichever values are still unknown.
func (m *queryModel) validate() diag.Diagnostics {
	diags := m.source().validate()

	if given(m.Last) && (given(m.Start) || given(m.End)) {
		diags.Append(problem{
			summary: checkQuery,
			cause:   "The window is given twice: by last and by start or end.",
			next:    "Give either last, or start and end.",
		}.at(path.Root("last")))
	}

	start, end := parseTime(m.Start), parseTime(m.End)
	if err := auditlog.CheckBounds(start, end); err != nil && !start.IsZero() && !end.IsZero() {
		diags.Append(problem{
			summary: checkQuery,
			cause:   sentence(err.Error()),
			next:    startBeforeEnd,
		}.with("start", m.Start.ValueString()).with("end", m.End.ValueString()).at(path.Root("start")))
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
		diags.Append(unanswerableProblem(u, info))
	}

	return diags
}

func unanswerableProblem(u *auditlog.UnanswerableError, info auditlog.Info) diag.Diagnostic {
	at, next := path.Root(u.Argument), "Remove the argument for this service."

	switch {
	case u.Index >= 0 && u.Argument == "operations":
		at, next = at.AtListIndex(u.Index), "Remove the operation for this service, or filter by actions."
	case u.Index >= 0:
		at, next = at.AtListIndex(u.Index), "Correct the value, or remove it for this service."
	}

	switch {
	case u.Argument == whereName && u.Never != "":
		next = "Change the condition for this service, so that it does not need what is never recorded, or leave it out."
	case u.Argument == whereName:
		next = "Change the condition, or leave it out."
	}

	return problem{summary: checkQuery, cause: u.Reason, next: next}.with("Service", info.Name).with("Did you mean", u.Nearest).
		with("Never recorded", u.Never).at(at)
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

		diags.Append(problem{
			summary: summary,
			cause:   sentence(err.Error()),
			next:    next,
		}.with("start", m.Start.ValueString()).with("end", m.End.ValueString()).
			with("settle_delay", spec.SettleDelay.String()).with("Now", auditlog.FormatTime(now)).at(path.Root("start")))
	}

	if err == nil {
		diags.Append(m.endWarning(window.End, spec.SettleDelay)...)
	}

	query.Window, query.SettleDelay = window, spec.SettleDelay

	return query, diags
}

// endWarning says that the end that was asked for was not reached.
func (m *queryModel) endWarning(until time.Time, settleDelay time.Duration) diag.Diagnostics {
	if !parseTime(m.End).After(until) {
		return nil
	}

	return diag.Diagnostics{problem{
		summary: "The window ends earlier than asked for",
		cause:   "The newest entries are left out, since they have not happened yet or the service may still be filling them in.",
		next:    "Read again later" + orLower(settleDelay) + "; what lies between the two moments was not read.",
	}.with("end", m.End.ValueString()).with("Read until", auditlog.FormatTime(until)).
		with("settle_delay", settleDelay.String()).warning()}
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
	diags := completenessWarnings(info, c)

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
		return query, diag.Diagnostics{conditionProblem(err).at(path.Root(whereName))}
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
