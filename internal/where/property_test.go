// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// condition is one in CEL and the same in Go.
type condition struct {
	text  string
	holds func(e *auditlog.Entry) bool
}

var fieldValues = []string{
	"", "ci", "alice", "10.0.0.1", "10.1.2.3", "2001:db8::1", "10.x.x.1", "é", `quo"te`,
	"server-1",
}

var stringFields = func() []auditlog.Field {
	return slices.DeleteFunc(slices.Clone(auditlog.Fields()), func(f auditlog.Field) bool {
		return f.Kind != auditlog.KindString || slices.Contains([]string{"operation", "actor_type", "service"}, f.Name)
	})
}()

var moment = time.Date(2026, 1, 31, 22, 0, 0, 0, time.UTC)

// leaves are conditions without others inside.
func leaves() *rapid.Generator[condition] {
	field := rapid.SampledFrom(stringFields)
	value := rapid.SampledFrom(fieldValues)

	comparison := rapid.Custom(func(t *rapid.T) condition {
		f, v := field.Draw(t, "field"), value.Draw(t, "value")
		op := rapid.SampledFrom([]string{"==", "!=", "<", ">="}).Draw(t, "op")

		return condition{fmt.Sprintf("entry.%s %s %q", f.Name, op, v), func(e *auditlog.Entry) bool {
			return map[string]bool{"==": f.Text(e) == v, "!=": f.Text(e) != v, "<": f.Text(e) < v, ">=": f.Text(e) >= v}[op]
		}}
	})

	presence := rapid.Custom(func(t *rapid.T) condition {
		f := rapid.SampledFrom(auditlog.Fields()).Draw(t, "field")

		return condition{"has(entry." + f.Name + ")", func(e *auditlog.Entry) bool {
			switch f.Kind {
			case auditlog.KindTime:
				return !e.Time.IsZero()
			case auditlog.KindChanges:
				return len(e.Changes) > 0
			default:
				return f.Text(e) != ""
			}
		}}
	})

	list := rapid.Custom(func(t *rapid.T) condition {
		f, values := field.Draw(t, "field"), rapid.SliceOfN(value, 1, 4).Draw(t, "values")

		quoted := make([]string, 0, len(values))
		for _, v := range values {
			quoted = append(quoted, strconv.Quote(v))
		}

		return condition{fmt.Sprintf("entry.%s in [%s]", f.Name, strings.Join(quoted, ", ")), func(e *auditlog.Entry) bool {
			return slices.Contains(values, f.Text(e))
		}}
	})

	text := rapid.Custom(func(t *rapid.T) condition {
		f, v := field.Draw(t, "field"), value.Draw(t, "value")
		function := rapid.SampledFrom([]string{"startsWith", "endsWith", "contains"}).Draw(t, "function")

		return condition{fmt.Sprintf("entry.%s.%s(%q)", f.Name, function, v), func(e *auditlog.Entry) bool {
			return map[string]bool{
				"startsWith": strings.HasPrefix(f.Text(e), v), "endsWith": strings.HasSuffix(f.Text(e), v),
				"contains": strings.Contains(f.Text(e), v),
			}[function]
		}}
	})

	operation := rapid.Custom(func(t *rapid.T) condition {
		op := rapid.SampledFrom(auditlog.Operations()).Draw(t, "operation")

		return condition{fmt.Sprintf("entry.operation == %q", op), func(e *auditlog.Entry) bool { return e.Operation == op }}
	})

	when := rapid.Custom(func(t *rapid.T) condition {
		at := moment.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "hours")) * time.Hour)
		text := at.In(time.FixedZone("", 3600)).Format(time.RFC3339)

		return condition{
			fmt.Sprintf("entry.time >= timestamp(%q)", text),
			func(e *auditlog.Entry) bool { return !e.Time.Before(at) },
		}
	})

	block := rapid.Custom(func(t *rapid.T) condition {
		p := netip.MustParsePrefix(
			rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0"}).Draw(t, "block"),
		)

		return condition{fmt.Sprintf("ip_in(entry.ip_address, %q)", p), func(e *auditlog.Entry) bool {
			a, err := netip.ParseAddr(e.IPAddress)

			return err == nil && p.Contains(a)
		}}
	})

	changed := rapid.Custom(func(t *rapid.T) condition {
		v := value.Draw(t, "field")

		return condition{
			fmt.Sprintf("entry.changes.exists(c, c.field == %q && !has(c.after))", v),
			func(e *auditlog.Entry) bool {
				return slices.ContainsFunc(e.Changes, func(c auditlog.Change) bool { return c.Field == v && c.After == nil })
			},
		}
	})

	raw := rapid.Custom(func(t *rapid.T) condition {
		n := rapid.IntRange(0, 3).Draw(t, "n")

		return condition{fmt.Sprintf("has(entry.raw.n) && entry.raw.n > %d", n), func(e *auditlog.Entry) bool {
			var have int

			found, _ := fmt.Sscanf(string(e.Raw), `{"n":%d}`, &have)

			return found == 1 && have > n
		}}
	})

	return rapid.OneOf(comparison, presence, list, text, operation, when, block, changed, raw)
}

func conditions(depth int) *rapid.Generator[condition] {
	if depth == 0 {
		return leaves()
	}

	inner := conditions(depth - 1)

	return rapid.OneOf(
		leaves(),
		rapid.Custom(func(t *rapid.T) condition {
			a := inner.Draw(t, "a")

			return condition{"!(" + a.text + ")", func(e *auditlog.Entry) bool { return !a.holds(e) }}
		}),
		rapid.Custom(func(t *rapid.T) condition {
			a, b := inner.Draw(t, "a"), inner.Draw(t, "b")

			return condition{
				"(" + a.text + ") &&\n  (" + b.text + ")",
				func(e *auditlog.Entry) bool { return a.holds(e) && b.holds(e) },
			}
		}),
		rapid.Custom(func(t *rapid.T) condition {
			a, b := inner.Draw(t, "a"), inner.Draw(t, "b")

			return condition{
				"(" + a.text + ") || (" + b.text + ")",
				func(e *auditlog.Entry) bool { return a.holds(e) || b.holds(e) },
			}
		}),
		rapid.Custom(func(t *rapid.T) condition {
			a, b, c := inner.Draw(t, "a"), inner.Draw(t, "b"), inner.Draw(t, "c")

			return condition{"(" + a.text + ") ? (" + b.text + ") : (" + c.text + ")", func(e *auditlog.Entry) bool {
				if a.holds(e) {
					return b.holds(e)
				}

				return c.holds(e)
			}}
		}),
	)
}

func entries() *rapid.Generator[*auditlog.Entry] {
	value := rapid.SampledFrom(fieldValues)

	return rapid.Custom(func(t *rapid.T) *auditlog.Entry {
		e := &auditlog.Entry{
			Time:      moment.Add(time.Duration(rapid.IntRange(-240, 240).Draw(t, "minutes")) * time.Minute),
			Service:   rapid.SampledFrom([]string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale}).Draw(t, "service"),
			Operation: rapid.SampledFrom(auditlog.Operations()).Draw(t, "operation"),
			ActorType: auditlog.ActorUser,
		}

		for _, s := range []*string{
			&e.ID, &e.Action, &e.ActorID, &e.Actor, &e.ResourceType, &e.ResourceID, &e.ResourceName,
			&e.ScopeType, &e.ScopeID, &e.ScopeName, &e.Origin, &e.AuthType, &e.IPAddress, &e.UserAgent, &e.CorrelationID,
			&e.Message,
		} {
			*s = value.Draw(t, "value")
		}

		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			c := auditlog.Change{Field: value.Draw(t, "changed")}
			if rapid.Bool().Draw(t, "after") {
				c.After = &c.Field
			}

			e.Changes = append(e.Changes, c)
		}

		if n := rapid.IntRange(-1, 4).Draw(t, "raw"); n >= 0 {
			e.Raw = fmt.Appendf(nil, `{"n":%d}`, n)
		}

		return e
	})
}

// TestConditionMeansWhatItSays compares conditions with the same ones in Go, and
// holds Possible to what matches.
func TestConditionMeansWhatItSays(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		c := conditions(3).Draw(t, "condition")
		x := mustCompile(t, c.text)

		for range 5 {
			e := entries().Draw(t, "entry")

			got, err := x.Match(e)
			if want := c.holds(e); got != want || err != nil {
				t.Fatalf("%s: %v, %v and not %v on %+v", c.text, got, err, want, e)
			}

			// A service that records no more than this entry.
			info := auditlog.Info{Name: e.Service, Operations: []auditlog.Operation{e.Operation}}

			for _, f := range auditlog.Fields() {
				if f.Text(e) == "" || f.Kind == auditlog.KindChanges && len(e.Changes) == 0 {
					info.NeverRecorded = append(info.NeverRecorded, f.Name)
				}
			}

			if got && !x.Possible(auditlog.Query{}.Scope(info)) {
				t.Fatalf("%s matches %+v and is impossible", c.text, e)
			}
		}
	})
}
