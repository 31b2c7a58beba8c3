// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // The zones of conditions.
)

// expr is a part of a condition: how it is written, and what it comes to.
type expr struct {
	text string
	eval func(s scope) (any, error)
	// parts are the conditions inside, any of which could stand alone.
	parts []*expr
	// words are what fields are compared with in it.
	words []word
}

// word is a text and the field that it is compared with.
type word struct{ field, value string }

// scope is what names stand for: the entry, and inside of a loop a change.
type scope struct {
	entry  *event
	change *change
}

// errFails is a condition that cannot be decided for an entry.
var errFails = errors.New("it fails")

// truth evaluates a condition.
func (x *expr) truth(s scope) (bool, error) {
	v, err := x.eval(s)
	if err != nil {
		return false, err
	}

	b, ok := v.(bool)
	if !ok {
		return false, errFails
	}

	return b, nil
}

// wordsOf are those of several parts.
func wordsOf(parts ...*expr) []word {
	var all []word
	for _, p := range parts {
		all = append(all, p.words...)
	}

	return all
}

// quote writes a string as CEL has it.
func (d *draw) quote(s string) string {
	plain := !strings.ContainsAny(s, "'\"\\") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\x7f' })

	switch {
	case plain && d.IntN(2) == 0:
		return "'" + s + "'"
	case !strings.ContainsAny(s, "'\n\r") && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) &&
		d.IntN(4) == 0:
		return "r'" + s + "'"
	default:
		return strconv.Quote(s)
	}
}

// Values that have no operand inside.

func (d *draw) field() (*expr, string) {
	f := textFields[d.IntN(len(textFields))]
	if d.chance(60) {
		f = []string{
			"actor", "action", "resource_type", "ip_address", "resource_id", "message", "resource_name", "actor_id",
			"origin",
		}[d.IntN(9)]
	}

	return fieldExpr(f), f
}

func fieldExpr(f string) *expr {
	return &expr{text: "entry." + f, eval: func(s scope) (any, error) { return name(s.entry.text[f]), nil }}
}

func (d *draw) literal(s string) *expr {
	s = terraform(s)

	return &expr{text: d.quote(s), eval: func(scope) (any, error) { return s, nil }}
}

// closed are the fields whose words are a vocabulary; another word is an error.
var closed = map[string][]string{
	"operation":  operations,
	"actor_type": {"user", "api_token", "system", "staff", "unknown"},
	"service":    {"upcloud", "cloudscale", "podstack"},
}

// value draws a text to compare the field with.
func (d *draw) value(f string) string {
	switch words := closed[f]; {
	case words == nil:
		return d.near(f)
	case d.chance(60):
		return d.target.text[f]
	default:
		return words[d.IntN(len(words))]
	}
}

// condition draws a condition of the given depth.
func (d *draw) condition(depth int) *expr {
	if depth == 0 || d.chance(25) {
		return d.leaf()
	}

	a, b := d.condition(depth-1), d.condition(depth-1)

	switch d.IntN(7) {
	case 0, 1:
		return and(a, b)
	case 2, 3:
		return or(a, b)
	case 4:
		return not(a)
	case 5:
		return choice(a, b, d.condition(depth-1))
	default:
		return equal(a, b, d.IntN(2) == 0)
	}
}

// bracketed keeps a part apart from what is written around it.
func (x *expr) bracketed() string { return "(" + x.text + ")" }

// and is false where either part is, even if the other fails.
func and(a, b *expr) *expr {
	return &expr{a.bracketed() + " && " + b.bracketed(), func(s scope) (any, error) {
		x, errX := a.truth(s)
		y, errY := b.truth(s)

		if errX == nil && !x || errY == nil && !y {
			return false, nil
		}

		return true, cmp.Or(errX, errY)
	}, []*expr{a, b}, wordsOf(a, b)}
}

// or is true where either part is, even if the other fails.
func or(a, b *expr) *expr {
	return &expr{a.bracketed() + " ||\n  " + b.bracketed(), func(s scope) (any, error) {
		x, errX := a.truth(s)
		y, errY := b.truth(s)

		if errX == nil && x || errY == nil && y {
			return true, nil
		}

		return false, cmp.Or(errX, errY)
	}, []*expr{a, b}, wordsOf(a, b)}
}

func not(a *expr) *expr {
	return &expr{"!" + a.bracketed(), func(s scope) (any, error) {
		x, err := a.truth(s)

		return !x, err
	}, []*expr{a}, a.words}
}

func choice(a, b, c *expr) *expr {
	return &expr{a.bracketed() + " ? " + b.bracketed() + " : " + c.bracketed(), func(s scope) (any, error) {
		x, err := a.truth(s)

		switch {
		case err != nil:
			return nil, err
		case x:
			return b.eval(s)
		default:
			return c.eval(s)
		}
	}, []*expr{a, b, c}, wordsOf(a, b, c)}
}

func equal(a, b *expr, yes bool) *expr {
	op := map[bool]string{true: " == ", false: " != "}[yes]

	return &expr{a.bracketed() + op + b.bracketed(), func(s scope) (any, error) {
		x, errX := a.truth(s)
		y, errY := b.truth(s)

		return (x == y) == yes, cmp.Or(errX, errY)
	}, []*expr{a, b}, wordsOf(a, b)}
}

func (d *draw) leaf() *expr {
	kinds := []func() *expr{
		d.comparison, d.comparison, d.comparison, d.membership, d.membership, d.partOf, d.partOf, d.presence, d.pattern,
		d.size, d.when, d.when, d.clock, d.blocks, d.blocks, d.changed, d.changed, d.rawRecord, d.rawRecord, d.twoFields,
	}

	return kinds[d.IntN(len(kinds))]()
}

var comparisons = []string{"==", "==", "==", "!=", "!=", "<", "<=", ">", ">="}

func compares(op string, c int) bool {
	switch op {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

// made is a text that a function makes of a field.
func (d *draw) made(of *expr) *expr {
	s := terraform(d.piece())
	quoted := d.quote(s)

	text := func(suffix string, f func(string) (string, error)) *expr {
		return &expr{text: of.text + suffix, eval: func(in scope) (any, error) {
			v, err := of.eval(in)
			if err != nil {
				return nil, err
			}

			return f(v.(string))
		}}
	}

	switch d.IntN(6) {
	case 0:
		return text(".lowerAscii()", func(v string) (string, error) { return ascii(v, 'A', 'Z', 'a'-'A'), nil })
	case 1:
		return text(".upperAscii()", func(v string) (string, error) { return ascii(v, 'a', 'z', 'A'-'a'), nil })
	case 2:
		return text(".trim()", func(v string) (string, error) { return strings.TrimSpace(v), nil })
	case 3:
		return text(".replace("+quoted+", '_')", func(v string) (string, error) { return strings.ReplaceAll(v, s, "_"), nil })
	case 4:
		n := d.IntN(3)

		return text(fmt.Sprintf(".substring(%d)", n), func(v string) (string, error) {
			if r := []rune(v); n <= len(r) {
				return string(r[n:]), nil
			}

			return "", errFails
		})
	default:
		return text(" + "+quoted, func(v string) (string, error) { return v + s, nil })
	}
}

func ascii(s string, from, to, by rune) string {
	return strings.Map(func(r rune) rune {
		if r >= from && r <= to {
			return r + by
		}

		return r
	}, s)
}

func (d *draw) comparison() *expr {
	left, f := d.field()
	op := comparisons[d.IntN(len(comparisons))]
	v := d.value(f)

	if closed[f] == nil && d.chance(20) {
		left = d.made(left)
		f = ""
	}

	right := d.literal(v)

	x := &expr{text: left.text + " " + op + " " + right.text, words: []word{{f, terraform(v)}}}
	if d.chance(10) && strings.HasPrefix(op, "=") {
		x.text = right.text + " " + op + " " + left.text
	}

	x.eval = func(s scope) (any, error) {
		l, err := left.eval(s)
		if err != nil {
			return nil, err
		}

		r, _ := right.eval(s)

		return compares(op, strings.Compare(l.(string), r.(string))), nil
	}

	return x
}

func (d *draw) twoFields() *expr {
	left, _ := d.field()
	right, _ := d.field()
	op := comparisons[d.IntN(len(comparisons))]

	return &expr{text: left.text + " " + op + " " + right.text, eval: func(s scope) (any, error) {
		l, _ := left.eval(s)
		r, _ := right.eval(s)

		return compares(op, strings.Compare(l.(string), r.(string))), nil
	}}
}

func (d *draw) membership() *expr {
	left, f := d.field()
	x := &expr{}

	values := make([]string, 1+d.IntN(4))
	quoted := make([]string, len(values))

	for i := range values {
		values[i] = terraform(d.value(f))
		quoted[i] = d.quote(values[i])
		x.words = append(x.words, word{f, values[i]})
	}

	x.text = left.text + " in [" + strings.Join(quoted, ", ") + "]"
	x.eval = func(s scope) (any, error) {
		l, _ := left.eval(s)

		return slices.Contains(values, l.(string)), nil
	}

	return x
}

func (d *draw) partOf() *expr {
	left, f := d.field()
	v := terraform(d.part(d.near(f)))
	function := []string{"startsWith", "endsWith", "contains"}[d.IntN(3)]

	return &expr{
		text: left.text + "." + function + "(" + d.quote(v) + ")", words: []word{{"", v}},
		eval: func(s scope) (any, error) {
			l, _ := left.eval(s)
			have := l.(string)

			switch function {
			case "startsWith":
				return strings.HasPrefix(have, v), nil
			case "endsWith":
				return strings.HasSuffix(have, v), nil
			default:
				return strings.Contains(have, v), nil
			}
		},
	}
}

func (d *draw) presence() *expr {
	f := append([]string{"time", "changes", "raw"}, textFields...)[d.IntN(len(textFields)+3)]

	return &expr{text: "has(entry." + f + ")", eval: func(s scope) (any, error) {
		switch f {
		case "time", "raw":
			return true, nil
		case "changes":
			return len(s.entry.changes) > 0, nil
		default:
			return s.entry.text[f] != "", nil
		}
	}}
}

var patterns = []string{
	`^[a-z-]+$`, `(?i)server`, `[0-9]{2,}`, `^$`, `\.`, `^(ci|terraform)-`, `_create$|delete$`,
	`.{12,}`, `\p{L}\s\p{L}`, `é|ë|ü`,
}

func (d *draw) pattern() *expr {
	left, _ := d.field()
	p := regexp.MustCompile(patterns[d.IntN(len(patterns))])

	return &expr{text: left.text + ".matches(" + d.quote(p.String()) + ")", eval: func(s scope) (any, error) {
		l, _ := left.eval(s)

		return p.MatchString(l.(string)), nil
	}}
}

func (d *draw) size() *expr {
	left, f := d.field()
	op := comparisons[d.IntN(len(comparisons))]
	n := d.IntN(20)

	if d.chance(40) {
		n = len([]rune(name(d.target.text[f])))
	}

	if d.chance(25) {
		n %= 6

		return &expr{text: fmt.Sprintf("size(entry.changes) %s %d", op, n), eval: func(s scope) (any, error) {
			return compares(op, cmp.Compare(len(s.entry.changes), n)), nil
		}}
	}

	if piece := terraform(d.part(d.near(f))); d.chance(25) {
		return &expr{
			text: fmt.Sprintf("%s.indexOf(%s) %s %d", left.text, d.quote(piece), op, n),
			eval: func(s scope) (any, error) {
				l, _ := left.eval(s)
				before, _, found := strings.Cut(l.(string), piece)
				at := len([]rune(before))

				if !found {
					at = -1
				}

				return compares(op, cmp.Compare(at, n)), nil
			},
		}
	}

	forms := []string{"size(%s) %s %d", "%s.size() %s %d"}

	return &expr{text: fmt.Sprintf(forms[d.IntN(2)], left.text, op, n), eval: func(s scope) (any, error) {
		l, _ := left.eval(s)

		return compares(op, cmp.Compare(len([]rune(l.(string))), n)), nil
	}}
}

var zones = []string{"", "UTC", "Europe/Zurich", "America/New_York", "Asia/Kathmandu", "+02:00"}

// when compares the time of an entry with another one.
func (d *draw) when() *expr {
	op := comparisons[d.IntN(len(comparisons))]
	at := d.moment()
	zone := time.FixedZone("", []int{0, 3600, -5400}[d.IntN(3)])
	literal := fmt.Sprintf("timestamp(%q)", at.In(zone).Format(time.RFC3339Nano))

	if d.chance(30) {
		span := []string{"90m", "24h", "30s", "1h"}[d.IntN(4)]
		length, _ := time.ParseDuration(span)

		return &expr{
			text: fmt.Sprintf("entry.time - %s %s duration(%q)", literal, op, span),
			eval: func(s scope) (any, error) {
				return compares(op, cmp.Compare(s.entry.at.Sub(at), length)), nil
			},
		}
	}

	return &expr{text: "entry.time " + op + " " + literal, eval: func(s scope) (any, error) {
		return compares(op, s.entry.at.Compare(at)), nil
	}}
}

// clock looks at a part of the time of an entry.
func (d *draw) clock() *expr {
	part := []string{
		"getHours", "getMinutes", "getSeconds", "getMilliseconds", "getDayOfWeek", "getDayOfMonth", "getDate",
		"getMonth", "getFullYear", "getDayOfYear",
	}[d.IntN(10)]
	zone := zones[d.IntN(len(zones))]
	op := comparisons[d.IntN(len(comparisons))]

	location := time.UTC
	argument := ""

	if zone != "" {
		argument = d.quote(zone)

		var err error
		if location, err = time.LoadLocation(zone); err != nil {
			location = time.FixedZone("", 7200)
		}
	}

	of := func(t time.Time) int {
		t = t.In(location)

		switch part {
		case "getHours":
			return t.Hour()
		case "getMinutes":
			return t.Minute()
		case "getSeconds":
			return t.Second()
		case "getMilliseconds":
			return t.Nanosecond() / 1_000_000
		case "getDayOfWeek":
			return int(t.Weekday())
		case "getDayOfMonth":
			return t.Day() - 1
		case "getDate":
			return t.Day()
		case "getMonth":
			return int(t.Month()) - 1
		case "getFullYear":
			return t.Year()
		default:
			return t.YearDay() - 1
		}
	}

	n := of(d.target.at)
	if d.chance(50) {
		n = d.IntN(60)
	}

	return &expr{text: fmt.Sprintf("entry.time.%s(%s) %s %d", part, argument, op, n), eval: func(s scope) (any, error) {
		return compares(op, cmp.Compare(of(s.entry.at), n)), nil
	}}
}

func (d *draw) blocks() *expr {
	list := d.addresses(1 + d.IntN(3))
	quoted := make([]string, len(list))

	for i := range list {
		quoted[i] = d.quote(list[i])
	}

	text := "[" + strings.Join(quoted, ", ") + "]"
	if len(list) == 1 && d.IntN(2) == 0 {
		text = quoted[0]
	}

	return &expr{text: "ip_in(entry.ip_address, " + text + ")", eval: func(s scope) (any, error) {
		return within(s.entry.text["ip_address"], list), nil
	}}
}

// changed looks at the changes.
func (d *draw) changed() *expr {
	inner := d.changeCondition(1)
	macro := []string{"exists", "exists", "exists", "all", "exists_one"}[d.IntN(5)]

	count := func(s scope) int {
		n := 0

		for i := range s.entry.changes {
			if ok, _ := inner.truth(scope{s.entry, &s.entry.changes[i]}); ok {
				n++
			}
		}

		return n
	}

	if n := d.IntN(3); d.chance(20) {
		return &expr{
			text: fmt.Sprintf("size(entry.changes.filter(c, %s)) > %d", inner.text, n),
			eval: func(s scope) (any, error) { return count(s) > n, nil },
		}
	}

	return &expr{text: fmt.Sprintf("entry.changes.%s(c, %s)", macro, inner.text), eval: func(s scope) (any, error) {
		switch n := count(s); macro {
		case "exists":
			return n > 0, nil
		case "all":
			return n == len(s.entry.changes), nil
		default:
			return n == 1, nil
		}
	}}
}

// changeCondition is about one change, c. It never fails.
func (d *draw) changeCondition(depth int) *expr {
	if depth > 0 && d.chance(50) {
		a, b := d.changeCondition(depth-1), d.changeCondition(depth-1)

		switch d.IntN(3) {
		case 0:
			return and(a, b)
		case 1:
			return or(a, b)
		default:
			return not(a)
		}
	}

	part := []string{"field", "field", "before", "after"}[d.IntN(4)]
	of := func(c *change) (string, bool) {
		value := map[string]*string{"field": &c.field, "before": c.before, "after": c.after}[part]
		if value == nil {
			return "", false
		}

		return name(*value), true
	}

	// A value of a change that occurs, else of one that might.
	v := []string{"plan", "size", "labels.0", "true", "10", `"web-1"`, "null", "{}"}[d.IntN(8)]

	if all := d.target.changes; len(all) > 0 && d.chance(70) {
		v, _ = of(&all[d.IntN(len(all))])
	}

	v = terraform(v)

	if d.chance(25) {
		return &expr{text: "has(c." + part + ")", eval: func(s scope) (any, error) {
			_, ok := of(s.change)

			return ok, nil
		}}
	}

	if part == "field" && d.chance(30) {
		v = d.part(v)

		return &expr{text: "c.field.startsWith(" + d.quote(v) + ")", eval: func(s scope) (any, error) {
			return strings.HasPrefix(name(s.change.field), v), nil
		}}
	}

	op := []string{"==", "==", "!="}[d.IntN(3)]

	return &expr{text: "c." + part + " " + op + " " + d.quote(v), eval: func(s scope) (any, error) {
		have, _ := of(s.change)

		return compares(op, strings.Compare(have, v)), nil
	}}
}

// rawKeys are keys of records, or nearly.
var rawKeys = map[string][]string{
	upcloud:    {"resource_sub_type", "x_count", "x_tags", "x_zone", "cloud_event_id", "x_nothing"},
	cloudscale: {"action", "message", "x_count", "x_tags", "x_zone", "timestamp", "x_nothing"},
}

// rawRecord looks at the record as it came.
func (d *draw) rawRecord() *expr {
	keys := rawKeys[d.service]
	key := keys[d.IntN(len(keys))]
	written := "entry.raw." + key

	if d.chance(30) {
		written = "entry.raw[" + d.quote(key) + "]"
	}

	test := &expr{text: "has(entry.raw." + key + ")", eval: func(s scope) (any, error) {
		_, ok := s.entry.raw[key]

		return ok, nil
	}}

	if d.chance(30) {
		test.text = d.quote(key) + " in entry.raw"
	}

	bare := d.rawTest(written, key)
	if d.chance(20) {
		return test
	}

	if d.chance(25) {
		return bare // Unguarded: it fails where the key is missing.
	}

	guarded := and(test, bare)
	guarded.parts = nil

	return guarded
}

// rawTest is about the value of a key that may be missing.
func (d *draw) rawTest(written, key string) *expr {
	test := func(text string, f func(v any) (bool, error)) *expr {
		return &expr{text: text, eval: func(s scope) (any, error) {
			v, ok := s.entry.raw[key]
			if !ok {
				return nil, errFails
			}

			return f(v)
		}}
	}

	op := comparisons[d.IntN(len(comparisons))]
	n := []int{0, 1, 2, 3, 10}[d.IntN(5)]

	switch d.IntN(6) {
	case 0: // Different types are different; an order there is only among numbers.
		return test(fmt.Sprintf("%s %s %d", written, op, n), func(v any) (bool, error) {
			number, ok := v.(json.Number)

			switch {
			case ok:
				f, _, err := big.ParseFloat(number.String(), 10, 200, big.ToNearestEven)

				return compares(op, f.Cmp(new(big.Float).SetInt64(int64(n)))), err
			case op == "==" || op == "!=":
				return op == "!=", nil
			default:
				return false, errFails
			}
		})
	case 1:
		v := []string{"fi-hel1", "session-api-token", "a"}[d.IntN(3)]

		return test(fmt.Sprintf("%s %s %s", written, op, d.quote(v)), func(have any) (bool, error) {
			s, ok := have.(string)

			switch {
			case ok:
				return compares(op, strings.Compare(s, v)), nil
			case op == "==" || op == "!=":
				return op == "!=", nil
			default:
				return false, errFails
			}
		})
	case 2:
		kind := []string{"string", "int", "double", "bool", "list", "map", "null_type"}[d.IntN(7)]

		return test(fmt.Sprintf("type(%s) == %s", written, kind), func(v any) (bool, error) { return typeOf(v) == kind, nil })
	case 3:
		return test(fmt.Sprintf("size(%s) %s %d", written, op, n), func(v any) (bool, error) {
			switch x := v.(type) {
			case string:
				return compares(op, cmp.Compare(len([]rune(x)), n)), nil
			case []any:
				return compares(op, cmp.Compare(len(x), n)), nil
			case map[string]any:
				return compares(op, cmp.Compare(len(x), n)), nil
			default:
				return false, errFails
			}
		})
	case 4:
		return test(written+`.contains("token")`, func(v any) (bool, error) {
			s, ok := v.(string)
			if !ok {
				return false, errFails
			}

			return strings.Contains(s, "token"), nil
		})
	default:
		return test(written+" == null", func(v any) (bool, error) { return v == nil, nil })
	}
}

func typeOf(v any) string {
	switch x := v.(type) {
	case nil:
		return "null_type"
	case bool:
		return "bool"
	case string:
		return "string"
	case []any:
		return "list"
	case map[string]any:
		return "map"
	case json.Number:
		if _, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return "int"
		}

		return "double"
	default:
		return ""
	}
}
