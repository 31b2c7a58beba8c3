// SPDX-License-Identifier: MPL-2.0

package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// OneOf is one of several values.
func OneOf(values ...string) explain.Form {
	return oneOfOr(func(value string) string { return auditlog.Nearest(value, values) }, values)
}

// oneOfOr is OneOf that is told what a value may have been meant to be, "" where that
// cannot be told.
func oneOfOr(meant func(value string) string, values []string) explain.Form {
	return explain.Form{
		Description: "one of " + strings.Join(values, ", "),
		Values:      values,
		Check: func(value string) error {
			switch {
			case slices.Contains(values, value):
				return nil
			case meant(value) != "":
				return fmt.Errorf("unknown (did you mean %s?)", meant(value))
			default:
				return errors.New("unknown")
			}
		},
	}
}

// operationForm knows the words that clouds have for an operation, such as removed.
func operationForm(operations []string) explain.Form {
	return oneOfOr(func(value string) string {
		if op, ok := auditlog.Verbs[strings.ToLower(value)]; ok {
			return string(op)
		}

		return auditlog.Nearest(value, operations)
	}, operations)
}

// SpanForm is a length of time.
func SpanForm() explain.Form {
	return explain.Form{Description: auditlog.SpanForms, Check: func(value string) error {
		_, err := auditlog.ParseSpan(value)

		return err
	}}
}

// PositiveSpanForm is a length of time that is not zero.
func PositiveSpanForm() explain.Form {
	return explain.Form{Description: auditlog.SpanForms, Check: func(value string) error {
		d, err := auditlog.ParseSpan(value)
		if err == nil && d == 0 {
			return errors.New("no length of time at all")
		}

		return err
	}}
}

// StartForm is how far back to go: a length of time, or a time.
func StartForm() explain.Form {
	return explain.Form{
		Description: `a length of time such as "30d", or a time as in RFC 3339`,
		Check: func(value string) error {
			if d, err := auditlog.ParseSpan(value); err == nil && d > 0 {
				return nil
			}

			if _, err := time.Parse(time.RFC3339Nano, value); err == nil {
				return nil
			}

			return errors.New("neither a length of time nor a time as in RFC 3339")
		},
	}
}

func timeForm() explain.Form {
	return explain.Form{
		Description: `a time as in RFC 3339, such as "2026-01-31T00:00:00Z"`,
		Check: func(value string) error {
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
		},
	}
}

func addressForm() explain.Form {
	return explain.Form{
		Description: `an address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32"`,
		Check: func(value string) error {
			switch _, err := auditlog.ParseAddress(value); {
			case errors.Is(err, auditlog.ErrZone):
				return auditlog.ErrZone
			case err != nil:
				return errors.New("neither an IP address nor a CIDR block")
			default:
				return nil
			}
		},
	}
}

// conditionForm is a condition, wherever one is written.
func conditionForm() explain.Form {
	return explain.Form{
		Description: `a condition in CEL, such as "entry.operation == \"delete\""`,
		Check: func(value string) error {
			_, err := where.Compile(value)

			return err
		},
		Explain: func(_ string, err error) explain.Problem { return explain.Condition(err) },
	}
}

// NotEmpty is any text but "".
func NotEmpty() explain.Form {
	return explain.Form{
		Description: "a value of at least one character, or leave the argument out",
		Check: func(value string) error {
			if value == "" {
				return errors.New("empty")
			}

			return nil
		},
	}
}
