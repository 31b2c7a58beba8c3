// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"fmt"
	"strings"
)

// Text is a text with slots: what stands between braces is in Terraform's words, and
// another front end has its own for it, such as "--settle-delay" for "{settle_delay}". A
// string becomes one by Plain, so that nothing in an error's own text is taken for a slot.
type Text string

// Plain is a text without slots.
func Plain(text string) Text {
	return Text(strings.NewReplacer("{", "{{", "}", "}}").Replace(text))
}

// Textf is fmt.Sprintf for texts; an argument that is no Text has no slots.
func Textf(format Text, args ...any) Text {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = Plain(arg)
		case error:
			args[i] = Plain(arg.Error())
		}
	}

	return Text(fmt.Sprintf(string(format), args...))
}

// Words are a front end's own for what stands in a slot.
type Words func(slot string) string

// Terraform has the words that stand in the slots.
func Terraform(slot string) string { return slot }

// In puts the text in somebody's words.
func (t Text) In(words Words) string {
	var out, slot strings.Builder

	to := &out

	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case (c == '{' || c == '}') && strings.HasPrefix(string(t[i+1:]), string(c)):
			i++

			to.WriteByte(c)
		case c == '{':
			to = &slot
		case c == '}' && to == &slot:
			out.WriteString(words(slot.String()))
			slot.Reset()

			to = &out
		default:
			to.WriteByte(c)
		}
	}

	return out.String()
}
