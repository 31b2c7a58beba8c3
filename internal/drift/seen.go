// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// change is the "change" of a resource in a plan.
type change struct {
	actions                                  []string
	before, after, hiddenBefore, hiddenAfter exactjson.Node
}

func readChange(in *exactjson.Reader) change {
	var c change

	for key := range in.Members() {
		switch string(key) {
		case "actions":
			for range in.Elements() {
				c.actions = append(c.actions, in.Text())
			}
		case "before":
			c.before = in.Node()
		case "after":
			c.after = in.Node()
		case "before_sensitive":
			c.hiddenBefore = in.Node()
		case "after_sensitive":
			c.hiddenAfter = in.Node()
		}
	}

	return c
}

// seen is what changed, nil where nothing did.
func (c *change) seen() (*Seen, error) {
	if slices.Contains(c.actions, "delete") {
		return &Seen{Deleted: true}, nil // All attributes changed, which says nothing.
	}

	before, after, h := c.hidden()

	changes, err := auditlog.ChangesOf(before, after)
	if err != nil || len(changes) == 0 {
		return nil, err
	}

	return &Seen{Changes: h.shown(withoutContainers(changes))}, nil
}

// withoutContainers leaves out that an attribute was null where another change is inside of what it became, or was. The
// changes are sorted by field.
func withoutContainers(changes []auditlog.Change) []auditlog.Change {
	const null = "null"

	return slices.DeleteFunc(slices.Clone(changes), func(c auditlog.Change) bool {
		value := cmp.Or(c.Before, c.After)
		if value == nil || *value != null || c.Before != nil && c.After != nil {
			return false
		}

		inside := c.Field + "."
		i, _ := slices.BinarySearchFunc(changes, inside, func(o auditlog.Change, field string) int {
			return cmp.Compare(o.Field, field)
		})

		return i < len(changes) && strings.HasPrefix(changes[i].Field, inside)
	})
}

// takeDrift takes what Terraform saw change of one resource.
func (r *reading) takeDrift(value []byte) error {
	var (
		found                 Resource
		mode, deposed, before string

		c change
	)

	err := exactjson.Read(value, func(in *exactjson.Reader) {
		for key := range in.Members() {
			switch string(key) {
			case "address":
				found.Address = in.Text()
			case "previous_address":
				before = in.Text()
			case "mode":
				mode = in.Text()
			case "type":
				found.Type = in.Word()
			case "provider_name":
				found.Provider = in.Word()
			case "deposed":
				deposed = in.Text()
			case "change":
				c = readChange(in)
			}
		}
	})
	if err == nil {
		found.Seen, err = c.seen()
	}

	was, wasErr := attributesOf(c.before.Text)
	kept, keptErr := attributesOf(c.after.Text)

	if err = cmp.Or(err, wasErr, keptErr); err != nil {
		return &InputError{Fault: Unknown, Err: err}
	}

	if len(kept.texts) == 0 {
		kept = was
	}

	found.FormerName, _ = nameOf(found.Type, was.texts)

	kept.hideMarked(c.hiddenBefore)
	kept.hideMarked(c.hiddenAfter)

	return r.add(found, mode, deposed, before, &kept)
}

func attributesOf(text []byte) (kept attributes, err error) {
	if len(text) > 0 {
		err = exactjson.Read(text, kept.read)
	}

	return kept, err
}

// hider takes values out of what was changed that a plan marks as sensitive. In their place stand numbers, which are
// the same exactly where the values are.
type hider struct{ numbers map[string]int }

const hidden = "(sensitive value) "

// hidden are both states without what the marks of either of them hide, and without what is the same text elsewhere.
func (c *change) hidden() (before, after exactjson.Node, h hider) {
	h = hider{numbers: map[string]int{}}
	before, after = h.hideAll(c.before, c.hiddenBefore, c.hiddenAfter), h.hideAll(c.after, c.hiddenAfter, c.hiddenBefore)

	before, after = h.spread(before), h.spread(after)

	return before, after, h
}

// hideAll is hide for a whole resource, which may be marked as a whole. Without any marks nobody knows what is
// sensitive.
func (h *hider) hideAll(v, marks, others exactjson.Node) exactjson.Node {
	unmarked := marks.Kind == exactjson.Kind(0) || marks.Kind == exactjson.Null
	if v.Kind != exactjson.Object || !unmarked && !isTrue(marks) && !isTrue(others) {
		return h.hide(v, marks, others)
	}

	parts := make([]exactjson.Node, 0, len(v.Parts))
	for _, part := range v.Parts {
		parts = append(parts, h.put(part))
	}

	return rebuilt(v, parts)
}

// hide hides what is marked in a value, by its own marks or by those of the other state for the same place.
func (h *hider) hide(v, marks, others exactjson.Node) exactjson.Node {
	switch {
	case v.Kind == exactjson.Kind(0) || v.Kind == exactjson.Null:
		return v
	case isTrue(marks), isTrue(others), !fits(v, marks), marked(others) && !fits(v, others):
		return h.put(v)
	case len(v.Parts) == 0, marks.Kind != exactjson.Array && len(marks.Parts) == 0 && !marked(others):
		return v
	}

	parts := make([]exactjson.Node, 0, len(v.Parts))

	for i, part := range v.Parts {
		if marks.Kind == exactjson.Array && i >= len(marks.Parts) {
			parts = append(parts, h.put(part)) // Terraform marks each element, or it is another list.

			continue
		}

		parts = append(parts, h.hide(part, markOf(marks, part.Key, i), markOf(others, part.Key, i)))
	}

	return rebuilt(v, parts)
}

// put puts a number in place of a value.
func (h *hider) put(v exactjson.Node) exactjson.Node {
	if v.Kind == exactjson.Null {
		return v
	}

	n := h.number(v)
	h.learn(v)

	return exactjson.Node{Kind: exactjson.String, Key: v.Key, Text: fmt.Appendf(nil, `"%s%d"`, hidden, n)}
}

func (h *hider) number(v exactjson.Node) int {
	value := v.Canonical()
	if _, known := h.numbers[value]; !known {
		h.numbers[value] = len(h.numbers)
	}

	return h.numbers[value]
}

// learn takes note of the texts in a value that is hidden.
func (h *hider) learn(v exactjson.Node) {
	if v.Kind == exactjson.String {
		h.number(v)
	}

	for _, part := range v.Parts {
		h.learn(part)
	}
}

// spread hides texts that are hidden elsewhere. Short ones are the same by chance.
func (h *hider) spread(v exactjson.Node) exactjson.Node {
	const shortest = len(`"1234"`)

	if len(h.numbers) == 0 {
		return v
	}

	if v.Kind == exactjson.String {
		if value := v.Canonical(); len(value) >= shortest {
			if _, known := h.numbers[value]; known {
				return h.put(v)
			}
		}
	}

	if len(v.Parts) == 0 {
		return v
	}

	parts := make([]exactjson.Node, 0, len(v.Parts))
	for _, part := range v.Parts {
		parts = append(parts, h.spread(part))
	}

	return rebuilt(v, parts)
}

func isTrue(marks exactjson.Node) bool { return marks.Kind == exactjson.True }

// marked says whether anything is marked. What is no mark may mean that something is.
func marked(marks exactjson.Node) bool {
	switch marks.Kind {
	case exactjson.Kind(0), exactjson.Null, exactjson.False:
		return false
	case exactjson.Object, exactjson.Array:
		return slices.ContainsFunc(marks.Parts, marked)
	default:
		return true
	}
}

// fits says whether marks can be those of the value.
func fits(v, marks exactjson.Node) bool {
	return !marked(marks) && marks.Kind != exactjson.Array || marks.Kind == v.Kind
}

// markOf is what marks say of a part: of objects by key, of arrays by number.
func markOf(marks exactjson.Node, key string, i int) exactjson.Node {
	if marks.Kind == exactjson.Array {
		if i < len(marks.Parts) {
			return marks.Parts[i]
		}

		return exactjson.Node{}
	}

	if i < len(marks.Parts) && marks.Parts[i].Key == key {
		return marks.Parts[i] // All keys are marked, in the same order.
	}

	for _, m := range marks.Parts {
		if m.Key == key {
			return m
		}
	}

	return exactjson.Node{}
}

// rebuilt is a value with other parts, also as it is written.
func rebuilt(v exactjson.Node, parts []exactjson.Node) exactjson.Node {
	var text []byte

	begin, end := byte('{'), byte('}')
	if v.Kind == exactjson.Array {
		begin, end = '[', ']'
	}

	text = append(text, begin)

	for i, part := range parts {
		if i > 0 {
			text = append(text, ',')
		}

		if v.Kind == exactjson.Object {
			text = append(exactjson.AppendString(text, part.Key), ':')
		}

		text = append(text, part.Text...)
	}

	text = append(text, end)
	v.Parts, v.Text = parts, text

	return v
}

// shown puts Sensitive in place of the numbers, also inside of values that changed as a whole.
func (h *hider) shown(changes []auditlog.Change) []auditlog.Change {
	for i := range changes {
		for _, value := range []*string{changes[i].Before, changes[i].After} {
			if value != nil {
				*value = numbered.ReplaceAllLiteralString(*value, Sensitive)
			}
		}
	}

	return changes
}

var numbered = regexp.MustCompile(`"` + regexp.QuoteMeta(hidden) + `[0-9]+"`)
