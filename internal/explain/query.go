// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// Unanswerable says that a filter would find nothing, whatever happened.
func Unanswerable(u *auditlog.UnanswerableError, info auditlog.Info) Problem {
	at, next := Argument(u.Argument), Text("Remove the argument for this service.")

	switch {
	case u.Index >= 0 && u.Argument == "operations":
		at, next = at.Index(u.Index), "Remove the operation for this service, or filter by actions."
	case u.Index >= 0:
		at, next = at.Index(u.Index), "Correct the value, or remove it for this service."
	}

	switch {
	case u.Argument == "where" && u.Never != "":
		next = "Change the condition for this service, so that it does not need what is never recorded, or leave it out."
	case u.Argument == "where":
		next = "Change the condition, or leave it out."
	}

	return Problem{Summary: CheckQuery, Cause: Plain(u.Reason), Next: next}.With("Service", info.Name).
		With("Did you mean", u.Nearest).
		With("Never recorded", u.Never).At(at)
}

// Condition says why a condition does not compile.
func Condition(err error) Problem {
	p := Problem{
		Summary: CheckConfiguration,
		Cause:   "The condition cannot be used: " + Plain(err.Error()) + ".",
		Next:    "Correct it there; the guide \"Conditions\" lists the fields and functions, with examples.",
	}

	if e := (*where.Error)(nil); errors.As(err, &e) {
		p.Cause = "The condition cannot be used: " + Plain(e.Reason) + "."
		p.Excerpt = e.Pointer()
		p = p.With("Line", strconv.Itoa(e.Line)).With("Column", strconv.Itoa(e.Column))
	}

	return p
}

// evalProblem adds what an entry has shown to be wrong with a condition. Nothing
// of the entry is part of it.
func evalProblem(p Problem, e *where.EvalError) Problem {
	p.Cause = "The condition cannot be evaluated: " + Plain(e.Reason) + "."
	p.Next = Plain(e.Advice) + "; until then nothing is returned, since a condition that fails is not one that is false."

	if e.Line > 0 {
		p.Excerpt = e.Pointer()
		p = p.With("Line", strconv.Itoa(e.Line)).With("Column", strconv.Itoa(e.Column))
	}

	return p
}

// UnknownValue says that no entry has a value that is asked for.
func UnknownValue(u *auditlog.UnknownValue, info auditlog.Info) Problem {
	const mostShown = 30

	p := Problem{
		Summary: CheckQuery,
		Cause:   Plain(u.Reason),
		Next:    "Correct the value; if it is younger than the documentation, set {allow_unknown_values = true}.",
	}.With("Service", info.Name).With("Rule", u.Rule).With("Did you mean", u.Nearest)

	if u.Nearest == "" && len(u.Known) <= mostShown {
		p = p.With("Known", strings.Join(u.Known, ", "))
	}

	if u.Line > 0 {
		p = p.With("Line", strconv.Itoa(u.Line)).With("Column", strconv.Itoa(u.Column))
		p.Excerpt = where.Pointer(u.Excerpt, u.Column)
	}

	switch at := Argument(u.Argument); {
	case u.Rule != "":
		return p.At(Argument("rules").Key(u.Rule))
	case u.Expectation >= 0:
		// Terraform finds the line of the expectation, and nothing inside of it.
		_, inside, _ := strings.Cut(u.Place(), ".")

		return p.With("Argument", inside).At(Argument("expected").Index(u.Expectation))
	case u.Index >= 0:
		return p.At(at.Index(u.Index))
	default:
		return p.At(at)
	}
}

const unknownActions = "The log holds actions that nobody knows"

// unknownActionsProblem says that the log holds what nobody knows.
func unknownActionsProblem(info auditlog.Info, actions []string) Problem {
	return Problem{
		Summary: unknownActions,
		Cause:   "There are actions of which it is not known what they mean, so that they may be what a filter, a condition or a rule looks for by operation.",
		Next:    unknownActionsNext(actions),
	}.With("Service", info.Name).With("Actions", oneLine(strings.Join(actions, ", ")))
}

// unknownActionsNext says what makes an answer one again.
func unknownActionsNext(actions []string) Text {
	// One that can stand in a condition, and that in a configuration, as it is.
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/"

	example := "…"
	if i := slices.IndexFunc(actions, func(a string) bool { return a != "" && strings.Trim(a, plain) == "" }); i >= 0 {
		example = actions[i]
	}

	return Textf("Find out what the actions do. Leave out what is no concern, such as by {where = \"entry.action != '%s'\"}, and ask for the rest by entry.action, not by operation.", example)
}

// unverifiedProblem names the values that nothing was found with and that nothing
// confirms. They are actions, kinds of resources and origins, and of the form that
// these have.
func unverifiedProblem(info auditlog.Info, values []string) Problem {
	p := Problem{
		Summary: "Nothing in the window has a value that was asked for",
		Cause:   "No entry of the window has it, and nothing else confirms that entries can have it, so that it may be misspelt.",
		Next:    "Compare it with {audit_log_filter_options}; if it is right, set {allow_unknown_values = true}.",
	}.With("Service", info.Name)

	for _, v := range values {
		p = p.With("Value", oneLine(v))
	}

	return p
}

// Unconfirmable warns that nobody could say which values entries have.
func Unconfirmable(err error, info auditlog.Info, asked []auditlog.Asked) Problem {
	p := Error(err, Circumstances{Summary: "The values that are asked for could not be checked", Info: info})
	p.Cause = "The service did not say which values its entries have. " + p.Cause
	p.Next = "Look for misspelt values yourself: until they can be checked, that nothing is found with them is not conclusive."

	for i := range asked {
		p = p.With("Argument", asked[i].Place())
	}

	return p.AsWarning()
}
