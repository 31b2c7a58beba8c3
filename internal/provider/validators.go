// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

// form has a value checked, and says what is wrong in the provider's own words, which
// the framework's stock validators do not.
type form struct{ explain.Form }

// Description implements validator.Describer.
func (f form) Description(context.Context) string { return f.Form.Description }

// MarkdownDescription implements validator.Describer.
func (f form) MarkdownDescription(context.Context) string { return f.Form.Description }

// ValidateString implements validator.String.
func (f form) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if p, wrong := f.Problem(req.Path.String(), req.ConfigValue.ValueString()); wrong {
		resp.Diagnostics.Append(diagnose(p.At(placeOf(req.Path)))...)
	}
}

// formOf is a form that is Terraform's alone.
func formOf(description string, check func(value string) error) form {
	return form{explain.Form{Description: description, Check: check}}
}

// texts are the validators of a string argument.
func texts(f explain.Form) []validator.String { return []validator.String{form{f}} }

// filterList checks a list of filter values: each by its own form, none empty,
// and at least one, since an empty list could mean "all" as well as "none".
type filterList struct{ element explain.Form }

// Description implements validator.Describer.
func (v filterList) Description(context.Context) string { return v.element.Description }

// MarkdownDescription implements validator.Describer.
func (v filterList) MarkdownDescription(context.Context) string { return v.element.Description }

// ValidateList implements validator.List.
func (v filterList) ValidateList(_ context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	elements := req.ConfigValue.Elements()
	if len(elements) == 0 {
		without := v.element.Without
		if without == "" {
			without = "read everything"
		}

		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   explain.Textf("The list %s is empty, which could mean everything as well as nothing.", req.Path),
			Next:    "Leave the argument out (or set it to null) to " + explain.Plain(without) + ", or give at least one value.",
		}.At(placeOf(req.Path)))...)
	}

	for i, e := range elements {
		at := req.Path.AtListIndex(i)

		s, ok := e.(interface{ ValueString() string })
		if !ok || e.IsUnknown() {
			continue
		}

		if e.IsNull() {
			resp.Diagnostics.Append(diagnose(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   explain.Textf("The value of %s is null.", at),
				Next:    "Remove it from the list, for example with compact().",
			}.At(placeOf(at)))...)

			continue
		}

		if p, wrong := v.element.Problem(at.String(), s.ValueString()); wrong {
			resp.Diagnostics.Append(diagnose(p.At(placeOf(at)))...)
		}
	}
}

// exportPaths checks the list of files to read: at least one, none empty.
type exportPaths struct{ filterList }

func exportPathsForm() exportPaths {
	return exportPaths{filterList{explain.Form{
		Description: "a path or a pattern, such as \"exports/*.csv\"",
		Check:       durable.CheckPath,
	}}}
}

// ValidateList implements validator.List.
func (v exportPaths) ValidateList(ctx context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	if !req.ConfigValue.IsNull() && !req.ConfigValue.IsUnknown() && len(req.ConfigValue.Elements()) == 0 {
		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   explain.Textf("The list %s is empty, so there is nothing to read.", req.Path),
			Next:    "Give at least one path or pattern, such as \"exports/*.csv\".",
		}.At(placeOf(req.Path)))...)

		return
	}

	v.filterList.ValidateList(ctx, req, resp)
}

// ignoredHeaders checks a list of headers. It may be empty, as a variable is by
// default, since that says no more than no list.
type ignoredHeaders struct{ filterList }

func ignoredHeadersForm() ignoredHeaders {
	return ignoredHeaders{filterList{formOf("a header of the exports as it is spelled there", func(value string) error {
		if strings.TrimSpace(value) == "" {
			return errors.New("empty")
		}

		return nil
	}).Form}}
}

// ValidateList implements validator.List.
func (v ignoredHeaders) ValidateList(ctx context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	if len(req.ConfigValue.Elements()) > 0 {
		v.filterList.ValidateList(ctx, req, resp)
	}
}

// columnMapping checks which header is which field.
type columnMapping struct{}

// Description implements validator.Describer.
func (columnMapping) Description(context.Context) string { return "headers by field" }

// MarkdownDescription implements validator.Describer.
func (v columnMapping) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateMap implements validator.Map.
func (columnMapping) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	for _, key := range slices.Sorted(maps.Keys(req.ConfigValue.Elements())) {
		at := req.Path.AtMapKey(key)

		if !slices.Contains(podstack.ColumnNames(), key) {
			resp.Diagnostics.Append(diagnose(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   explain.Textf("No column can become what %s names.", at),
				Next:    "Give one of " + explain.Plain(strings.Join(podstack.ColumnNames(), ", ")) + ".",
			}.At(placeOf(at)))...)
		}

		header, ok := req.ConfigValue.Elements()[key].(interface{ ValueString() string })
		if ok && !req.ConfigValue.Elements()[key].IsUnknown() && strings.TrimSpace(header.ValueString()) == "" {
			resp.Diagnostics.Append(diagnose(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   explain.Textf("The value of %s is empty or null.", at),
				Next:    "Give a header of the exports as it is spelled there, or leave the key out.",
			}.At(placeOf(at)))...)
		}
	}
}

type intRange struct{ query.Number }

func between(low, high int64) validator.Int64 { return intRange{query.Number{Low: low, High: high}} }

// Description implements validator.Describer.
func (v intRange) Description(context.Context) string { return v.Form() }

// MarkdownDescription implements validator.Describer.
func (v intRange) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateInt64 implements validator.Int64.
func (v intRange) ValidateInt64(_ context.Context, req validator.Int64Request, resp *validator.Int64Response) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if p, wrong := v.Problem(req.Path.String(), req.ConfigValue.ValueInt64()); wrong {
		resp.Diagnostics.Append(diagnose(p.At(placeOf(req.Path)))...)
	}
}
