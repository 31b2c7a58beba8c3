// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// confirmValues holds the values that are asked for against what the service knows:
// one that no entry has is an error, or a warning where that is allowed. Those that
// nothing confirms are looked out for while the query is read.
func confirmValues(ctx context.Context, s auditlog.Service, q *auditlog.Query, more []auditlog.Asked) diag.Diagnostics {
	info := s.Info()
	always := auditlog.Window{Start: time.Unix(0, 0).UTC(), End: time.Unix(math.MaxInt32*100, 0).UTC()}

	unknown, unconfirmed, err := auditlog.CheckValues(info, append(q.Asked(), more...), func() (auditlog.FilterOptions, error) {
		return s.FilterOptions(ctx, auditlog.Query{Window: always})
	})

	q.Unconfirmed = unconfirmed

	var diags diag.Diagnostics

	for i := range unknown {
		p, at := unknownValueProblem(&unknown[i], info)
		if q.AllowUnknownValues {
			diags.Append(p.warningAt(at))
		} else {
			diags.Append(p.at(at))
		}
	}

	if err != nil {
		p := explain(err, circumstances{summary: "The values that are asked for could not be checked", info: info})
		p.cause = "The service did not say which values its entries have. " + p.cause
		p.next = "Look for misspelt values yourself: until they can be checked, that nothing is found with them is not conclusive."

		for i := range unconfirmed {
			p = p.with("Argument", unconfirmed[i].Place())
		}

		diags.Append(p.warning())
	}

	return diags
}

// oneLine returns a text of the configuration without line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func unknownValueProblem(u *auditlog.UnknownValue, info auditlog.Info) (problem, path.Path) {
	const mostShown = 30

	p := problem{
		summary: checkQuery,
		cause:   u.Reason,
		next:    "Correct the value; if it is younger than the documentation, set allow_unknown_values = true.",
	}.with("Service", info.Name).with("Rule", u.Rule).with("Did you mean", u.Nearest)

	if u.Nearest == "" && len(u.Known) <= mostShown {
		p = p.with("Known", strings.Join(u.Known, ", "))
	}

	if u.Line > 0 {
		p = p.with("Line", strconv.Itoa(u.Line)).with("Column", strconv.Itoa(u.Column))
		p.excerpt = where.Pointer(u.Excerpt, u.Column)
	}

	switch at := path.Root(u.Argument); {
	case u.Rule != "":
		return p, path.Root("rules").AtMapKey(u.Rule)
	case u.Expectation >= 0:
		// Terraform finds the line of the expectation, and nothing inside of it.
		_, inside, _ := strings.Cut(u.Place(), ".")

		return p.with("Argument", inside), path.Root("expected").AtListIndex(u.Expectation)
	case u.Index >= 0:
		return p, at.AtListIndex(u.Index)
	default:
		return p, at
	}
}

// unknownActionsProblem says that the log holds what nobody knows.
func unknownActionsProblem(info auditlog.Info, actions []string) problem {
	return problem{
		summary: "The log holds actions that nobody knows",
		cause:   "There are actions of which it is not known what they mean, so that they may be what a filter, a condition or a rule looks for by operation.",
		next:    unknownActionsNext(actions),
	}.with("Service", info.Name).with("Actions", oneLine(strings.Join(actions, ", ")))
}

// unknownActionsNext says what makes an answer one again.
func unknownActionsNext(actions []string) string {
	// One that can stand in a condition, and that in a configuration, as it is.
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/"

	example := "…"
	if i := slices.IndexFunc(actions, func(a string) bool { return a != "" && strings.Trim(a, plain) == "" }); i >= 0 {
		example = actions[i]
	}

	return fmt.Sprintf("Find out what the actions do. Leave out what is no concern, such as by where = \"entry.action != '%s'\", and ask for the rest by entry.action, not by operation.", example)
}

// unverifiedProblem names the values that nothing was found with and that nothing
// confirms. They are actions, kinds of resources and origins, and of the form that
// these have.
func unverifiedProblem(info auditlog.Info, values []string) problem {
	p := problem{
		summary: "Nothing in the window has a value that was asked for",
		cause:   "No entry of the window has it, and nothing else confirms that entries can have it, so that it may be misspelt.",
		next:    "Compare it with audit_log_filter_options; if it is right, set allow_unknown_values = true.",
	}.with("Service", info.Name)

	for _, v := range values {
		p = p.with("Value", oneLine(v))
	}

	return p
}
