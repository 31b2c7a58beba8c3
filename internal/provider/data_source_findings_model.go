// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// evaluationModel is what the data source and the ephemeral resource share.
type evaluationModel struct {
	queryModel

	BuiltinRules       types.List   `tfsdk:"builtin_rules"`
	Rules              types.Map    `tfsdk:"rules"`
	Expected           types.List   `tfsdk:"expected"`
	Baseline           types.String `tfsdk:"baseline"`
	MaxFindings        types.Int64  `tfsdk:"max_findings"`
	FailOnNotEvaluable types.Bool   `tfsdk:"fail_on_not_evaluable"`
	Redact             types.Map    `tfsdk:"redact"`

	Findings             types.List   `tfsdk:"findings"`
	Clean                types.Bool   `tfsdk:"clean"`
	TotalCount           types.Int64  `tfsdk:"total_count"`
	CountsByRule         types.Map    `tfsdk:"counts_by_rule"`
	CountsBySeverity     types.Map    `tfsdk:"counts_by_severity"`
	NotEvaluable         types.List   `tfsdk:"not_evaluable"`
	EntryCount           types.Int64  `tfsdk:"entry_count"`
	ExpectedCount        types.Int64  `tfsdk:"expected_count"`
	ExpectedCounts       types.List   `tfsdk:"expected_counts"`
	WindowStart          types.String `tfsdk:"window_start"`
	WindowEnd            types.String `tfsdk:"window_end"`
	Completeness         types.Object `tfsdk:"completeness"`
	BaselineCompleteness types.Object `tfsdk:"baseline_completeness"`
}

// validate reports what is wrong whichever values are still unknown.
func (m *evaluationModel) validate() diag.Diagnostics {
	diags := m.queryModel.validate()

	options, wrong := m.options()
	diags.Append(diagnose(wrong...)...)

	if diags.HasError() || !m.decidable() {
		return diags
	}

	info, _ := source.InfoOf(m.Service.ValueString())

	// A relative window is as long as it says, whenever it is.
	window := auditlog.Window{Start: query.ParseTime(m.Start.ValueString()), End: query.ParseTime(m.End.ValueString())}
	if window.Start.IsZero() && window.End.IsZero() {
		window, _ = auditlog.WindowSpec{Last: query.ParseSpan(m.Last.ValueString())}.Resolve(time.Unix(0, 0))
	}

	if window.Start.IsZero() || window.End.IsZero() {
		window = auditlog.Window{Start: time.Time{}, End: time.Unix(1<<40, 0)} // As long as it takes.
	}

	for _, mistake := range options.CheckAgainst(info, window) {
		diags.Append(diagnose(explain.Mistake(mistake))...)
	}

	return diags
}

// decidable says whether everything that rules are held against is known.
func (m *evaluationModel) decidable() bool {
	return known(m.Last, m.Start, m.End, m.BuiltinRules, m.Rules, m.Expected)
}

// options are the rules as far as they are known, with what is wrong with them.
func (m *evaluationModel) options() (finding.Options, explain.Problems) {
	var found explain.Problems

	o := finding.Options{
		Builtins:    stringsOf[string](m.BuiltinRules),
		Baseline:    query.ParseSpan(m.Baseline.ValueString()),
		MaxFindings: int(m.MaxFindings.ValueInt64()),
	}
	if !given(m.BuiltinRules) {
		o.Builtins, o.ByDefault = finding.BuiltinNames(), m.BuiltinRules.IsNull()
	}

	elements := m.Rules.Elements()
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		rule, more := ruleOf(name, elements[name])
		found.Add(more...)

		if rule != nil {
			o.Rules = append(o.Rules, *rule)
		}
	}

	for _, element := range m.Expected.Elements() {
		o.Expected = append(o.Expected, expectationOf(element))
	}

	if found.HasError() || !m.decidable() {
		return o, found
	}

	for _, mistake := range o.Check() {
		found.Add(explain.Mistake(mistake))
	}

	return o, found
}

// ruleOf returns a rule as far as it is known, nil where its condition is not.
func ruleOf(name string, v attr.Value) (*finding.Rule, explain.Problems) {
	object, ok := v.(types.Object)
	at := explain.Argument("rules").Key(name)

	if !ok || object.IsUnknown() {
		return nil, nil
	}

	a := object.Attributes()

	text := stringAt(a, "where")
	if text.IsNull() { // As it is where the rule is null. These are Terraform's words for what is required.
		return nil, explain.Problems{explain.Problem{
			Summary: "Incorrect attribute value type",
			Cause:   explain.Textf("Inappropriate value for attribute \"rules\": element %q: attribute \"where\" is required.", name),
		}.At(at)}
	}

	if !known(text) {
		return nil, nil
	}

	condition, err := where.Compile(text.ValueString())
	if err != nil {
		return nil, explain.Problems{explain.Condition(err).With("Rule", name).At(at)}
	}

	rule := &finding.Rule{
		Name: name, Condition: condition, Severity: finding.SeverityMedium, Threshold: 1,
		Message: stringAt(a, "message").ValueString(),
	}

	if s := stringAt(a, "severity"); given(s) {
		rule.Severity = finding.Severity(s.ValueString())
	}

	if n, ok := a["threshold"].(types.Int64); ok && given(n) {
		rule.Threshold = n.ValueInt64()
	}

	if w := stringAt(a, "within"); given(w) {
		within := query.ParseSpan(w.ValueString())
		rule.Within = &within
	}

	if l, ok := a["group_by"].(types.List); ok {
		rule.GroupBy = stringsOf[string](l)
	}

	return rule, nil
}

func expectationOf(v attr.Value) finding.Expectation {
	object, ok := v.(types.Object)
	if !ok {
		return finding.Expectation{}
	}

	list := func(name string) []string {
		l, ok := object.Attributes()[name].(types.List)
		if !ok {
			return nil
		}

		return stringsOf[string](l)
	}

	return finding.Expectation{
		Rules: list("rules"), Actors: list("actors"), ResourceTypes: list("resource_types"),
		ResourceNames: list("resource_names"),
	}
}

func stringAt(attributes map[string]attr.Value, name string) types.String {
	s, ok := attributes[name].(types.String)
	if !ok {
		return types.StringNull()
	}

	return s
}

func findingTypes() map[string]attr.Type {
	return map[string]attr.Type{
		"rule": types.StringType, "severity": types.StringType, "group": types.MapType{ElemType: types.StringType},
		"count": types.Int64Type, "first_time": types.StringType, "last_time": types.StringType,
		"entry_ids": types.ListType{ElemType: types.StringType}, "message": types.StringType,
	}
}

func notEvaluableTypes() map[string]attr.Type {
	return map[string]attr.Type{"rule": types.StringType, "reason": types.StringType}
}

func (m *evaluationModel) set(r *task.Verdict) {
	if m.Redact.IsNull() {
		m.Redact = types.MapNull(types.StringType) // The zero value has no type, which a state refuses.
	}

	findings := make([]attr.Value, 0, len(r.Findings))
	for i := range r.Findings {
		findings = append(findings, findingValue(&r.Findings[i]))
	}

	not := make([]attr.Value, 0, len(r.NotEvaluable))
	for _, n := range r.NotEvaluable {
		not = append(not, types.ObjectValueMust(notEvaluableTypes(), map[string]attr.Value{
			"rule": types.StringValue(n.Rule), "reason": types.StringValue(n.Reason),
		}))
	}

	bySeverity := map[string]int64{}
	for severity, n := range r.CountsBySeverity {
		bySeverity[string(severity)] = n
	}

	expected := make([]attr.Value, 0, len(r.ExpectedCounts))
	for _, n := range r.ExpectedCounts {
		expected = append(expected, types.Int64Value(n))
	}

	m.Findings = types.ListValueMust(types.ObjectType{AttrTypes: findingTypes()}, findings)
	m.NotEvaluable = types.ListValueMust(types.ObjectType{AttrTypes: notEvaluableTypes()}, not)
	m.Clean = types.BoolValue(r.Clean)
	m.TotalCount, m.EntryCount = types.Int64Value(r.TotalCount), types.Int64Value(r.EntryCount)
	m.CountsByRule, m.CountsBySeverity = countsValue(r.CountsByRule), countsValue(bySeverity)
	m.ExpectedCount, m.ExpectedCounts = types.Int64Value(r.ExpectedCount), types.ListValueMust(types.Int64Type, expected)
	m.WindowStart, m.WindowEnd = timeValue(r.Completeness.Window.Start), timeValue(r.Completeness.Window.End)
	m.Completeness, m.BaselineCompleteness = completenessValue(r.Statement), types.ObjectNull(completenessTypes())

	if r.Before != nil {
		m.BaselineCompleteness = completenessValue(*r.Before)
	}
}

func findingValue(f *finding.Finding) attr.Value {
	group := make(map[string]attr.Value, len(f.Group))
	for _, g := range f.Group {
		group[g.Field] = types.StringValue(g.Value)
	}

	ids := make([]attr.Value, 0, len(f.EntryIDs))
	for _, id := range f.EntryIDs {
		ids = append(ids, types.StringValue(id))
	}

	return types.ObjectValueMust(findingTypes(), map[string]attr.Value{
		"rule": types.StringValue(f.Rule), "severity": types.StringValue(string(f.Severity)),
		"group": types.MapValueMust(types.StringType, group), "count": types.Int64Value(f.Count),
		"first_time": timeValue(f.FirstTime), "last_time": timeValue(f.LastTime),
		"entry_ids": types.ListValueMust(types.StringType, ids), "message": types.StringValue(f.Message),
	})
}
