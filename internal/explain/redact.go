// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// RedactionRule explains why a rule cannot be used.
func RedactionRule(err error) Problem {
	p := Problem{Summary: CheckConfiguration, Cause: Sentence(err.Error()), Next: "Change the rule."}

	rule := (*redact.RuleError)(nil)
	if !errors.As(err, &rule) {
		return p
	}

	modes := Plain("Give one of " + strings.Join(redact.Modes(), ", ") + ".")

	switch {
	case errors.Is(err, redact.ErrField):
		names := make([]string, 0, len(auditlog.Fields()))
		for _, f := range auditlog.Fields() {
			names = append(names, f.Name)
		}

		// A key can come from a variable that is sensitive, as any text can.
		p.Cause = "There is no such field to redact."
		if nearest := auditlog.Nearest(rule.Field, names); nearest != "" {
			p.Cause = Textf("There is no such field to redact (did you mean %s?).", nearest)
		}

		p.Next = "Name one of " + Plain(strings.Join(names, ", ")) + "."
	case errors.Is(err, redact.ErrMode):
		p.Cause, p.Next = "There is no such way to redact a field.", modes
	case errors.Is(err, redact.ErrStructural):
		p.Cause = Textf("The field %s cannot be redacted: %s.", rule.Field, rule.Reason)
		p.Next = "Remove it from redact."
	case errors.Is(err, redact.ErrNoMask):
		p.Cause = Textf("The field %s has no masked form; only %s have.", rule.Field,
			strings.Join(redact.MaskableFields(), ", "))
		p.Next = "Drop or keep it instead, or hash it if it is text."
	case errors.Is(err, redact.ErrNoHash):
		p.Cause = Textf("The field %s is no text and has no pseudonym.", rule.Field)
		p.Next = "Give " + redact.Keep + " or " + redact.Drop + "."
	case errors.Is(err, redact.ErrNoKey):
		p.Cause = "Hashing needs a key, without which pseudonyms could be guessed."
		p.Next = Textf("Set {redaction_key in the provider configuration, or }%s, to a random text of at least %d characters, such as one made by: openssl rand -base64 32", RedactionKeyEnv, redact.MinKey) + "."
	}

	return p
}

// RedactionKey says what a key must be and nothing of what it is.
func RedactionKey(name string) Problem {
	return Problem{
		Summary: ConfigureProvider,
		Cause:   Textf("The value of %s cannot be used: it is shorter than %d characters or holds a line break or another control character.", name, redact.MinKey),
		Next:    "Give a random text, such as one made by: openssl rand -base64 32; {a file read with file() often ends in a line break, which trimspace() removes}.",
	}
}
