// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

// stringForm checks a string by a function and reports in the provider's own
// form, which the framework's stock validators do not. No validator says what the
// value is, and neither does what the function returns: it may come from a variable
// that is sensitive, which only Terraform knows. Terraform shows it where it may.
type stringForm struct {
	description string
	check       func(value string) error
}

// Description implements validator.Describer.
func (v stringForm) Description(context.Context) string { return v.description }

// MarkdownDescription implements validator.Describer.
func (v stringForm) MarkdownDescription(context.Context) string { return v.description }

// ValidateString implements validator.String.
func (v stringForm) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if err := v.check(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   fmt.Sprintf("The value of %s cannot be used: it is %s.", req.Path, err),
			Next:    "Give " + v.description + ".",
		}.At(placeOf(req.Path)))...)
	}
}

func oneOf(values ...string) validator.String {
	return oneOfOr(func(value string) string { return auditlog.Nearest(value, values) }, values)
}

// oneOfOr is oneOf that is told what a value may have been meant to be, "" where
// that cannot be told.
func oneOfOr(meant func(value string) string, values []string) validator.String {
	return stringForm{"one of " + strings.Join(values, ", "), func(value string) error {
		switch {
		case slices.Contains(values, value):
			return nil
		case meant(value) != "":
			return fmt.Errorf("unknown (did you mean %s?)", meant(value))
		default:
			return errors.New("unknown")
		}
	}}
}

// operationForm knows the words that clouds have for an operation, such as removed.
func operationForm(operations []string) validator.String {
	return oneOfOr(func(value string) string {
		if op, ok := auditlog.Verbs[strings.ToLower(value)]; ok {
			return string(op)
		}

		return auditlog.Nearest(value, operations)
	}, operations)
}

func spanForm() validator.String {
	return stringForm{auditlog.SpanForms, func(value string) error {
		_, err := auditlog.ParseSpan(value)

		return err
	}}
}

func positiveSpanForm() validator.String {
	return stringForm{auditlog.SpanForms, func(value string) error {
		d, err := auditlog.ParseSpan(value)
		if err == nil && d == 0 {
			return errors.New("no length of time at all")
		}

		return err
	}}
}

func durationForm() validator.String {
	return stringForm{`a length of time such as "500ms", "30s" or "2m"`, func(value string) error {
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return errors.New("no length of time")
		}

		return nil
	}}
}

func clockSkewForm() validator.String {
	return stringForm{`a length of time up to 24h, such as "30s" or "2m"`, func(value string) error {
		switch d, err := time.ParseDuration(value); {
		case err != nil || d <= 0:
			return errors.New("no length of time")
		case d > largestClockSkew:
			return errors.New("longer than a day, which no clock should be off")
		default:
			return nil
		}
	}}
}

func timeForm() validator.String {
	return stringForm{`a time as in RFC 3339, such as "2026-01-31T00:00:00Z"`, func(value string) error {
		t, err := time.Parse(time.RFC3339Nano, value)

		switch {
		case err != nil:
			return errors.New("not a time as in RFC 3339")
		case t.Before(time.Unix(0, 0)):
			// One of these would also stand for no time at all.
			return errors.New("before any audit log")
		default:
			return nil
		}
	}}
}

func addressForm() validator.String {
	return stringForm{`an address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32"`, func(value string) error {
		switch _, err := auditlog.ParseAddress(value); {
		case errors.Is(err, auditlog.ErrZone):
			return auditlog.ErrZone
		case err != nil:
			return errors.New("neither an IP address nor a CIDR block")
		default:
			return nil
		}
	}}
}

func endpointForm() validator.String {
	return stringForm{`the root of the API, such as "https://api.example.com"; plain http is only for this machine itself`, func(value string) error {
		_, err := client.ParseEndpoint(value, "")

		return err
	}}
}

// filePathForm checks the path of a file to write.
func filePathForm() validator.String {
	return stringForm{`the path of a file on this machine, such as "evidence/audit.ndjson"; for "~" write pathexpand("~/audit.ndjson")`, func(value string) error {
		if err := durable.CheckPath(value); err != nil {
			return err
		}

		if durable.IsDirectoryPath(value) {
			return errors.New("the path of a directory")
		}

		return nil
	}}
}

func notEmpty() validator.String {
	return stringForm{"a value of at least one character, or leave the argument out", func(value string) error {
		if value == "" {
			return errors.New("empty")
		}

		return nil
	}}
}

// accountForm refuses names that cannot be told from another one by looking at
// them. It is no stringForm, since Terraform would show the line that the name is
// written in, and a token may stand there as well.
type accountForm struct{}

// Description implements validator.Describer.
func (accountForm) Description(context.Context) string {
	return "a name without spaces around it and without control characters"
}

// MarkdownDescription implements validator.Describer.
func (v accountForm) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v accountForm) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	name := req.ConfigValue.ValueString()
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() ||
		name != "" && name == strings.TrimSpace(name) && !strings.ContainsFunc(name, unicode.IsControl) {
		return
	}

	resp.Diagnostics.Append(diagnose(explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   fmt.Sprintf("The value of %s is no name for an account.", req.Path),
		Next:    "Give " + v.Description(ctx) + ", or leave the argument out.",
	})...)
}

// filterList checks a list of filter values: each by its own form, none empty,
// and at least one, since an empty list could mean "all" as well as "none".
type filterList struct{ element validator.String }

// Description implements validator.Describer.
func (v filterList) Description(ctx context.Context) string { return v.element.Description(ctx) }

// MarkdownDescription implements validator.Describer.
func (v filterList) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateList implements validator.List.
func (v filterList) ValidateList(ctx context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	elements := req.ConfigValue.Elements()
	if len(elements) == 0 {
		without := "read everything"
		if e, ok := v.element.(interface{ without() string }); ok {
			without = e.without()
		}

		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   fmt.Sprintf("The list %s is empty, which could mean everything as well as nothing.", req.Path),
			Next:    "Leave the argument out (or set it to null) to " + without + ", or give at least one value.",
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
				Cause:   fmt.Sprintf("The value of %s is null.", at),
				Next:    "Remove it from the list, for example with compact().",
			}.At(placeOf(at)))...)

			continue
		}

		sub := &validator.StringResponse{}
		v.element.ValidateString(ctx, validator.StringRequest{Path: at, Config: req.Config, ConfigValue: stringValue(s.ValueString())}, sub)
		resp.Diagnostics.Append(sub.Diagnostics...)
	}
}

// exportPaths checks the list of files to read: at least one, none empty.
type exportPaths struct{}

// Description implements validator.Describer.
func (exportPaths) Description(context.Context) string {
	return "at least one path or pattern, such as \"exports/*.csv\""
}

// MarkdownDescription implements validator.Describer.
func (v exportPaths) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateList implements validator.List.
func (v exportPaths) ValidateList(ctx context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if len(req.ConfigValue.Elements()) == 0 {
		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   fmt.Sprintf("The list %s is empty, so there is nothing to read.", req.Path),
			Next:    "Give " + v.Description(ctx) + ".",
		}.At(placeOf(req.Path)))...)

		return
	}

	filterList{stringForm{"a path or a pattern, such as \"exports/*.csv\"", durable.CheckPath}}.ValidateList(ctx, req, resp)
}

// ignoredHeaders checks a list of headers. It may be empty, as a variable is by
// default, since that says no more than no list.
type ignoredHeaders struct{}

// Description implements validator.Describer.
func (ignoredHeaders) Description(context.Context) string { return "headers of the exports" }

// MarkdownDescription implements validator.Describer.
func (v ignoredHeaders) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateList implements validator.List.
func (ignoredHeaders) ValidateList(ctx context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	if len(req.ConfigValue.Elements()) == 0 {
		return
	}

	filterList{stringForm{"a header of the exports as it is spelled there", func(value string) error {
		if strings.TrimSpace(value) == "" {
			return errors.New("empty")
		}

		return nil
	}}}.ValidateList(ctx, req, resp)
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
				Cause:   fmt.Sprintf("No column can become what %s names.", at),
				Next:    "Give one of " + strings.Join(podstack.ColumnNames(), ", ") + ".",
			}.At(placeOf(at)))...)
		}

		header, ok := req.ConfigValue.Elements()[key].(interface{ ValueString() string })
		if ok && !req.ConfigValue.Elements()[key].IsUnknown() && strings.TrimSpace(header.ValueString()) == "" {
			resp.Diagnostics.Append(diagnose(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   fmt.Sprintf("The value of %s is empty or null.", at),
				Next:    "Give a header of the exports as it is spelled there, or leave the key out.",
			}.At(placeOf(at)))...)
		}
	}
}

type intRange struct{ low, high int64 }

func between(low, high int64) validator.Int64 { return intRange{low, high} }

// Description implements validator.Describer.
func (v intRange) Description(context.Context) string {
	return fmt.Sprintf("a whole number from %d to %d", v.low, v.high)
}

// MarkdownDescription implements validator.Describer.
func (v intRange) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateInt64 implements validator.Int64.
func (v intRange) ValidateInt64(ctx context.Context, req validator.Int64Request, resp *validator.Int64Response) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if n := req.ConfigValue.ValueInt64(); n < v.low || n > v.high {
		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   fmt.Sprintf("The value of %s is out of range.", req.Path),
			Next:    "Give " + v.Description(ctx) + ".",
		}.At(placeOf(req.Path)))...)
	}
}

// permissionForm checks an octal permission that gives the owner at least what
// is needed.
func permissionForm(needed uint64, example string) validator.String {
	return stringForm{"an octal permission that lets the owner use it, such as \"" + example + "\"", func(value string) error {
		n, err := strconv.ParseUint(value, 8, 32)
		if err != nil || n > 0o777 || n&needed != needed {
			return errors.New("no such permission")
		}

		return nil
	}}
}
