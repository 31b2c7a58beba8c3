// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Expectation says which entries are supposed to happen, so that rules do not
// count them. The patterns of a list are alternatives, and the lists that are
// given must all match. A field that an entry lacks matches no pattern, not even
// "*": what was not recorded cannot have been expected.
type Expectation struct {
	// Rules names the rules that do not count the entries. Without any, these are
	// deletion and mass_deletion.
	Rules []string
	// Actors match an entry's actor_id, and its actor where the cloud keeps such names
	// unique (auditlog.Info.UniqueActor). In a pattern, * stands for any
	// characters, also for none, ? for exactly one, and everything else for itself,
	// brackets and backslashes included. Case matters.
	Actors        []string
	ResourceTypes []string
	ResourceNames []string
}

// criterion is one of the lists of an expectation.
type criterion struct {
	name     string
	patterns []string
	fields   []string // one of which must be recorded
}

func (x *Expectation) criteria() []criterion {
	return []criterion{
		{"actors", x.Actors, []string{fieldActor, "actor_id"}},
		{"resource_types", x.ResourceTypes, []string{"resource_type"}},
		{"resource_names", x.ResourceNames, []string{"resource_name"}},
	}
}

// rules returns the names of the rules that the expectation is about.
func (x *Expectation) rules(o Options) []string {
	if len(x.Rules) > 0 {
		return x.Rules
	}

	return slices.DeleteFunc([]string{RuleDeletion, RuleMassDeletion}, func(name string) bool {
		return !slices.Contains(o.Builtins, name)
	})
}

// asked lists the values that the expectation compares fields with whose values a
// service may know.
func (x *Expectation) asked(i int) []auditlog.Asked {
	all := make([]auditlog.Asked, 0, len(x.ResourceTypes))

	for j, p := range x.ResourceTypes {
		all = append(all, auditlog.Asked{
			Argument: "resource_types", Expectation: i, Index: j, Field: "resource_type", Value: p,
			Matches: func(value string) bool { return globMatch(p, value) },
		})
	}

	return all
}

func (x *Expectation) check(found *mistakes, i int, o Options) {
	everything, in, wildcard, index := true, "", "", -1

	for _, c := range x.criteria() {
		for j, p := range c.patterns {
			if p == "" {
				found.expectationf(i, c.name, j, "An empty text is not a pattern, such as \"ci-*\".")
			}
		}

		at := slices.IndexFunc(c.patterns, func(p string) bool { return p != "" && strings.Trim(p, "*?") == "" })
		everything = everything && (len(c.patterns) == 0 || at >= 0)

		if at >= 0 && wildcard == "" {
			in, wildcard, index = c.name, c.patterns[at], at
		}
	}

	switch {
	case everything && wildcard != "":
		found.expectationf(i, in, index, "%q is made of wildcards alone, so the expectation leaves nothing out: write more into actors, resource_types or resource_names.", wildcard)
	case everything:
		found.expectationf(i, "actors", -1, "The expectation leaves nothing out: give actors, resource_types or resource_names.")
	}

	if len(x.rules(o)) == 0 {
		found.expectationf(i, "rules", -1, "Neither deletion nor mass_deletion is evaluated, so name the rules that the expectation is about.")
	}

	for j, name := range x.Rules {
		own := slices.ContainsFunc(o.Rules, func(r Rule) bool { return r.Name == name })
		if !own && !slices.Contains(o.Builtins, name) {
			found.expectationf(i, "rules", j, "There is no such rule among those to evaluate.")
		}
	}
}

func (x *Expectation) checkAgainst(found *mistakes, i int, info auditlog.Info) {
	for _, c := range x.criteria() {
		if len(c.patterns) > 0 && !slices.ContainsFunc(c.fields, info.Records) {
			found.expectationf(i, c.name, -1, "%s never records %s, so the expectation would never be met.", info.Title,
				c.fields[0])
		}
	}
}

// matches says whether the entry is expected. Where only its actor's name meets the
// expectation, and anybody could have chosen that name, it is not, and chosen.
func (x *Expectation) matches(e *auditlog.Entry, unique bool) (expected, chosen bool) {
	if !matchesAny(x.ResourceTypes, e.ResourceType) || !matchesAny(x.ResourceNames, e.ResourceName) {
		return false, false
	}

	byID, byName := matchesAny(x.Actors, e.ActorID), matchesAny(x.Actors, e.Actor)

	return byID || byName && unique, byName && !byID && !unique
}

func matchesAny(patterns []string, text string) bool {
	if len(patterns) == 0 {
		return true
	}

	text = auditlog.Normal(text)

	return text != "" && slices.ContainsFunc(patterns, func(p string) bool { return globMatch(auditlog.Normal(p), text) })
}

// globs are the patterns that were compiled. Configurations have few.
var globs sync.Map

// globMatch matches the whole text, in a time that does not depend on how many stars
// there are.
func globMatch(pattern, text string) bool {
	compiled, ok := globs.Load(pattern)
	if !ok {
		meant := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))

		glob, err := regexp.Compile(`(?s)^` + meant + `$`)
		if err != nil {
			return false // It is larger than any text that it could match.
		}

		compiled, _ = globs.LoadOrStore(pattern, glob)
	}

	glob, ok := compiled.(*regexp.Regexp)

	return ok && glob.MatchString(text)
}
