// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
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

	h := hider{numbers: map[string]int{}}

	changes, err := auditlog.ChangesOf(h.hideAll(c.before, c.hiddenBefore), h.hideAll(c.after, c.hiddenAfter))
	if err != nil || len(changes) == 0 {
		return nil, err
	}

	return &Seen{Changes: h.shown(changes)}, nil
}

// takeDrift takes what Terraform saw change of one resource.
func (r *reading) takeDrift(value []byte) error {
	var (
		found         Resource
		mode, deposed string
		c             change
	)

	err := exactjson.Read(value, func(in *exactjson.Reader) {
		for key := range in.Members() {
			switch string(key) {
			case "address":
				found.Address = in.Text()
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

	kept, keptErr := attributesOf(c.after.Text)
	if len(kept) == 0 && keptErr == nil {
		kept, keptErr = attributesOf(c.before.Text)
	}

	if err = cmp.Or(err, keptErr); err != nil {
		return &InputError{Fault: Unknown, Err: err}
	}

	return r.add(found, mode, deposed, kept)
}

func attributesOf(text []byte) (kept attributes, err error) {
	if len(text) > 0 {
		err = exactjson.Read(text, func(in *exactjson.Reader) { kept = readAttributes(in) })
	}

	return kept, err
}

// hider takes values out of what was changed that a plan marks as sensitive. In their place stand numbers, which are
// the same exactly where the values are.
type hider struct{ numbers map[string]int }

const hidden = `"(sensitive value) `

// hideAll is hide for a whole resource, which may be marked as a whole.
func (h *hider) hideAll(v, marks exactjson.Node) exactjson.Node {
	if marks.Kind != exactjson.True || v.Kind != exactjson.Object {
		return h.hide(v, marks)
	}

	parts := make([]exactjson.Node, 0, len(v.Parts))
	for _, part := range v.Parts {
		parts = append(parts, h.hide(part, marks))
	}

	return rebuilt(v, parts)
}

func (h *hider) hide(v, marks exactjson.Node) exactjson.Node {
	switch {
	case v.Kind == exactjson.Kind(0) || v.Kind == exactjson.Null:
		return v
	case marks.Kind == exactjson.True:
		value := v.Canonical()
		if _, known := h.numbers[value]; !known {
			h.numbers[value] = len(h.numbers)
		}

		return exactjson.Node{
			Kind: exactjson.String, Key: v.Key, Text: fmt.Appendf(nil, `%s%d"`, hidden, h.numbers[value]),
		}
	case len(marks.Parts) == 0:
		return v
	}

	parts := make([]exactjson.Node, 0, len(v.Parts))

	for i, part := range v.Parts {
		parts = append(parts, h.hide(part, markOf(marks, part.Key, i)))
	}

	return rebuilt(v, parts)
}

// markOf is what marks say of a part: of objects by key, of arrays by number.
func markOf(marks exactjson.Node, key string, i int) exactjson.Node {
	if marks.Kind == exactjson.Array {
		if i < len(marks.Parts) {
			return marks.Parts[i]
		}

		return exactjson.Node{}
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
	show := func(value *string) {
		if value == nil {
			return
		}

		for n := range len(h.numbers) {
			*value = strings.ReplaceAll(*value, hidden+strconv.Itoa(n)+`"`, Sensitive)
		}
	}

	for i := range changes {
		show(changes[i].Before)
		show(changes[i].After)
	}

	return changes
}
