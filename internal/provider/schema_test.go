// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// TestEntryIsOneShape holds together what Terraform, CSV and JSON call a field.
func TestEntryIsOneShape(t *testing.T) {
	t.Parallel()

	want := []string{}
	for _, f := range auditlog.Fields() {
		want = append(want, f.Name)
	}

	entries, ok := auditLogsSchema(t.Context()).Attributes[entriesName].(schema.ListNestedAttribute)
	if !ok {
		t.Fatal("entries is no list")
	}

	attributes := []string{}
	for name := range entries.NestedObject.Attributes {
		attributes = append(attributes, name)
	}

	columns := []string{}

	var csv strings.Builder

	encoder, err := format.NewEncoder(&csv, format.CSV, nil, format.EncoderOptions{})
	if err != nil {
		t.Fatal(err)
	}

	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}

	columns = append(columns, strings.Split(strings.TrimSpace(csv.String()), ",")...)
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Errorf("CSV: %s", diff)
	}

	slices.Sort(want)
	slices.Sort(attributes)

	if diff := cmp.Diff(want, attributes); diff != "" {
		t.Errorf("Terraform: %s", diff)
	}
}

// TestRowsFitTheSchema compares the rows that are written by hand with what the
// framework's own reflection makes of them.
func TestRowsFitTheSchema(t *testing.T) {
	t.Parallel()

	before := "1"
	full := auditlog.Entry{
		ID: "1", Time: time.Unix(1, 2000), Service: "2", Endpoint: "2a", Account: "2b", Action: "3", Operation: "4",
		ActorType: "5", ActorID: "6", Actor: "7",
		ResourceType: "8", ResourceID: "9", ResourceName: "10", ScopeType: "11", ScopeID: "12", ScopeName: "13", Origin: "14",
		AuthType: "15", IPAddress: "16", UserAgent: "17", CorrelationID: "18", Message: "19",
		Changes: []auditlog.Change{{Field: "a", Before: &before}}, Raw: []byte(`{}`),
	}

	state := withoutRows(t)
	wire := putRows(t, state.Raw, []auditlog.Entry{full, {ID: "x"}}, false)

	var err error
	if state.Raw, err = wire.Unmarshal(state.Raw.Type()); err != nil {
		t.Fatal(err)
	}

	var rows []struct {
		ID            types.String `tfsdk:"id"`
		Time          types.String `tfsdk:"time"`
		Service       types.String `tfsdk:"service"`
		Endpoint      types.String `tfsdk:"endpoint"`
		Account       types.String `tfsdk:"account"`
		Action        types.String `tfsdk:"action"`
		Operation     types.String `tfsdk:"operation"`
		ActorType     types.String `tfsdk:"actor_type"`
		ActorID       types.String `tfsdk:"actor_id"`
		Actor         types.String `tfsdk:"actor"`
		ResourceType  types.String `tfsdk:"resource_type"`
		ResourceID    types.String `tfsdk:"resource_id"`
		ResourceName  types.String `tfsdk:"resource_name"`
		ScopeType     types.String `tfsdk:"scope_type"`
		ScopeID       types.String `tfsdk:"scope_id"`
		ScopeName     types.String `tfsdk:"scope_name"`
		Origin        types.String `tfsdk:"origin"`
		AuthType      types.String `tfsdk:"auth_type"`
		IPAddress     types.String `tfsdk:"ip_address"`
		UserAgent     types.String `tfsdk:"user_agent"`
		CorrelationID types.String `tfsdk:"correlation_id"`
		Message       types.String `tfsdk:"message"`
		Changes       []struct {
			Field  types.String `tfsdk:"field"`
			Before types.String `tfsdk:"before"`
			After  types.String `tfsdk:"after"`
		} `tfsdk:"changes"`
		Raw types.String `tfsdk:"raw"`
	}

	if diags := state.GetAttribute(t.Context(), path.Root(entriesName), &rows); diags.HasError() {
		t.Fatal(diags)
	}

	if len(rows) != 2 || len(rows[0].Changes) != 1 || rows[1].Changes != nil || !rows[0].Raw.IsNull() {
		t.Fatalf("rows are %+v", rows)
	}

	value := reflect.ValueOf(rows[0])
	for i, f := range auditlog.Fields() {
		text, ok := reflect.TypeAssert[types.String](value.Field(i))
		if ok && f.Kind != auditlog.KindRaw && text.ValueString() != f.Text(&full) {
			t.Errorf("%s is %s", f.Name, text)
		}
	}

	if rows[0].Changes[0].Before.ValueString() != "1" || !rows[0].Changes[0].After.IsNull() || !rows[1].Actor.IsNull() {
		t.Errorf("rows are %+v", rows)
	}
}

// TestCompletenessIsOneShape holds Terraform's attributes against the manifest's keys.
func TestCompletenessIsOneShape(t *testing.T) {
	t.Parallel()

	want := []string{}
	for f := range reflect.TypeFor[export.Statement]().Fields() {
		want = append(want, f.Tag.Get("json"))
	}

	got := []string{}
	for _, f := range completenessFields() {
		got = append(got, f.name)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	total := int64(1)
	c := auditlog.Completeness{
		ClaimedTotal: &total, Proof: auditlog.ProofTotal, SecondPass: true, BeyondRetention: true,
		Gaps: []auditlog.Window{{End: time.Unix(1, 0)}},
	}

	var back export.Statement
	if diags := completenessValue(export.NewStatement(c)).As(t.Context(), &back,
		basetypes.ObjectAsOptions{}); diags.HasError() {
		t.Fatal(diags)
	}

	if diff := cmp.Diff(export.NewStatement(c), back); diff != "" {
		t.Error(diff)
	}
}

// TestSummariesAreShort reads them off the source, since not each can be provoked.
func TestSummariesAreShort(t *testing.T) {
	t.Parallel()

	for _, summary := range []string{
		task.LookUpLogs, filterOptionsSummary, explain.ExportLogs, explain.ConfigureProvider, explain.CheckQuery,
		explain.CheckConfiguration,
		explain.Retention(upcloud.Info(), auditlog.Completeness{}).Summary, driftProblem("x", "").Summary,
		driftErrorProblem("x", "").Summary,
		driftProblem(driftPermission, "").Summary, leftWarning("").Summary, changedWarning(nil).Summary,
		explain.Export(&export.ShrinkError{}, upcloud.Info(), auditlog.Window{}).Summary,
	} {
		if len(summary) > 60 || strings.HasSuffix(summary, ".") {
			t.Errorf("%q", summary)
		}
	}
}

// TestSchemasAreDescribed: every attribute that users see says what it is.
func TestSchemasAreDescribed(t *testing.T) {
	t.Parallel()

	check := func(name, description string) {
		if !strings.HasSuffix(description, ".") {
			t.Errorf("%s: %q", name, description)
		}
	}

	for name, a := range auditLogsSchema(t.Context()).Attributes {
		if name != "timeouts" {
			check(name, a.GetMarkdownDescription())
		}
	}

	for name, a := range exportSchema(t.Context()).Attributes {
		if name != "timeouts" {
			check(name, a.GetMarkdownDescription())
		}
	}

	for name, a := range providerSchema().Attributes {
		check(name, a.GetMarkdownDescription())
	}

	// One query drives every type: the arguments must not drift apart.
	for _, a := range slices.Concat(source.Table(), query.Table("0s")) {
		_, inExport := exportSchema(t.Context()).Attributes[a.Name]
		_, inLogs := auditLogsSchema(t.Context()).Attributes[a.Name]

		if !inExport || !inLogs {
			t.Errorf("%s is not an argument of every type", a.Name)
		}
	}
}

// emptyQuery is a query without any argument.
func emptyQuery() queryModel {
	none := types.ListNull(types.StringType)

	return queryModel{PublicKeys: none, filterModel: filterModel{
		Actions: none, Operations: none, ResourceTypes: none, ResourceIDs: none, Actors: none, Origins: none,
		IPAddresses: none,
	}}
}
