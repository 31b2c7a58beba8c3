// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
)

// refine makes a command's numbers, lengths of time and words out of a list say in full what is wrong with a value that
// cannot be used. The tags min and max bound numbers and lengths of time. A length of time without min is longer than
// none.
func (a arguments) refine(node *kong.Node) error {
	errs := make([]error, 0, len(node.Flags)+len(node.Positional)+len(node.Children))

	for _, flag := range node.Flags {
		errs = append(errs, a.refineValue(flag.Value, "--"+flag.Name))
	}

	for _, argument := range node.Positional {
		errs = append(errs, a.refineValue(argument, argument.Summary()))
	}

	for _, child := range node.Children {
		errs = append(errs, a.refine(child))
	}

	return errors.Join(errs...)
}

var asText = reflect.TypeFor[encoding.TextUnmarshaler]()

func (a arguments) refineValue(value *kong.Value, name string) error {
	kind := value.Target.Type()
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}

	d := decoder{Mapper: value.Mapper, name: name}

	switch {
	case value.Enum != "":
		d.form = query.OneOf(value.EnumSlice()...)
		value.Mapper = words{d}

		return nil
	case reflect.PointerTo(kind).Implements(asText):
		value.Mapper = anything{d}

		return nil
	case kind == reflect.TypeFor[time.Duration]():
		return refineDuration(value, d)
	case kind.Kind() == reflect.Int, kind.Kind() == reflect.Int64:
		parse := func(text string) (int64, error) { return strconv.ParseInt(text, 10, kind.Bits()) }

		low, high, err := bounds(value.Tag, parse)
		if n := a.numbers[name]; value.Flag != nil && a.of[value.Flag] && n.Name != "" {
			d.form.Description = n.Form() // check holds it against its bounds.
		}

		refineNumber(value, d, low, high, parse, func(to reflect.Value, n int64) { to.SetInt(n) })

		return err
	case kind.Kind() == reflect.Uint64:
		parse := func(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }
		none := uint64(0)

		low, high, err := bounds(value.Tag, parse)
		if low == nil {
			low = &none
		}

		refineNumber(value, d, low, high, parse, func(to reflect.Value, n uint64) { to.SetUint(n) })

		return err
	case value.IsBool():
		return nil
	default:
		value.Mapper = anything{d}

		return nil
	}
}

// decoder is how kong reads a value, with the name and the form of it.
type decoder struct {
	kong.Mapper

	name string
	form explain.Form
}

func (d decoder) refuse(err error) error { return d.problem(d.form.Refusal(d.name, err)) }

func (d decoder) problem(p explain.Problem) error {
	if flag, ok := strings.CutPrefix(d.name, "--"); ok {
		p = p.At(explain.Argument(flag))
	}

	return &problemsError{explain.Problems{p}}
}

// read has kong read a value, and says so where there is none: kong speaks of tokens.
func (d decoder) read(ctx *kong.DecodeContext, read func() error) error {
	next := ctx.Scan.Peek()
	if next.IsValue() {
		return read()
	}

	p := explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   explain.Textf("%s is given without a value.", d.name),
		Next:    "Give its value behind it.",
	}

	switch {
	case d.form.Description != "":
		p.Next = explain.Plain("Give " + d.form.Description + ".")
	case !next.IsEOL():
		p.Next = explain.Textf("Give its value behind it; where that begins with a hyphen, as %s=VALUE.", d.name)
	}

	return d.problem(p)
}

// anything decodes all other values.
type anything struct{ decoder }

// Decode implements kong.Mapper.
func (d anything) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	return d.read(ctx, func() error {
		if reflect.Indirect(target).Kind() == reflect.Map {
			return d.pairs(ctx, reflect.Indirect(target))
		}

		return d.Mapper.Decode(ctx, target)
	})
}

// pairs adds pairs to a map. A name that is given twice is refused: the last value would win, and of what is redacted
// that would show what was to be hidden.
func (d anything) pairs(ctx *kong.DecodeContext, target reflect.Value) error {
	text := ctx.Scan.Peek().String()
	added := reflect.New(target.Type()).Elem()

	if err := d.Mapper.Decode(ctx, added); err != nil {
		d.form.Description = "it as " + ctx.Value.Flag.PlaceHolder

		return d.refuse(errors.New("no " + ctx.Value.Flag.PlaceHolder))
	}

	names := map[string]bool{}
	for _, name := range target.MapKeys() {
		names[name.String()] = true
	}

	for _, pair := range kong.SplitEscaped(text, ctx.Value.Tag.MapSep) {
		name, _, _ := strings.Cut(pair, "=")
		if names[name] {
			return d.problem(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   explain.Textf("%s says twice what is to be done with one field.", d.name),
				Next:    "Leave all but one out.",
			}.With("Field", name))
		}

		names[name] = true
	}

	if target.IsNil() {
		target.Set(reflect.MakeMap(target.Type()))
	}

	for pair := added.MapRange(); pair.Next(); {
		target.SetMapIndex(pair.Key(), pair.Value())
	}

	return nil
}

// words decodes words out of a list.
type words struct{ decoder }

// Decode implements kong.Mapper.
func (d words) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if err := d.read(ctx, func() error { return d.Mapper.Decode(ctx, target) }); err != nil {
		return err
	}

	values := textsOf(target)
	for i, value := range values {
		if err := d.form.Check(value); err != nil {
			place := valueAt(strings.TrimPrefix(d.name, "--"), i, len(values))

			return &problemsError{explain.Problems{d.form.Refusal(d.name, err).At(place)}}
		}
	}

	return nil
}

// scalar decodes what is written as one word and may begin with a minus.
type scalar[T any] struct {
	decoder

	parse func(text string) (T, error)
	set   func(target reflect.Value, value T)
}

// Decode implements kong.Mapper.
func (d scalar[T]) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	text := ctx.Scan.Peek().String()
	if negative := len(text) > 1 && text[0] == '-' && (text[1] == '.' || '0' <= text[1] && text[1] <= '9'); negative {
		ctx.Scan.Pop() // kong would take it for a flag.
	} else if err := d.read(ctx, func() error { return ctx.Scan.PopValueInto("value", &text) }); err != nil {
		return err
	}

	value, err := d.parse(text)
	if err != nil {
		return d.refuse(err)
	}

	d.set(reflect.Indirect(target), value)

	return nil
}

func refineDuration(value *kong.Value, d decoder) error {
	shortest, longest, err := bounds(value.Tag, time.ParseDuration)
	if err != nil {
		return err
	}

	form := `a length of time such as "500ms", "30s" or "2m"`

	switch {
	case shortest != nil && longest != nil:
		form = fmt.Sprintf(`a length of time from %s to %s, such as "30s" or "2m"`, *shortest, *longest)
	case shortest != nil:
		form = fmt.Sprintf(`a length of time of at least %s, such as "30s" or "2m"`, *shortest)
	case longest != nil:
		form = fmt.Sprintf(`a length of time up to %s, such as "30s" or "2m"`, *longest)
	}

	d.form.Description = form
	value.Mapper = scalar[time.Duration]{
		d,
		func(text string) (time.Duration, error) {
			v, err := time.ParseDuration(text)

			switch {
			case err != nil || shortest == nil && v == 0:
				return 0, errors.New("no length of time")
			case shortest == nil && v < 0:
				return 0, errors.New("less than no time")
			default:
				return v, within(v, shortest, longest)
			}
		},
		func(target reflect.Value, v time.Duration) { target.SetInt(int64(v)) },
	}

	return nil
}

func refineNumber[T int64 | uint64](
	value *kong.Value, d decoder, low, high *T, parse func(text string) (T, error), set func(to reflect.Value, n T),
) {
	switch {
	case low != nil && high != nil:
		d.form.Description = fmt.Sprintf("a whole number from %d to %d", *low, *high)
	case low != nil:
		d.form.Description = fmt.Sprintf("a whole number of at least %d", *low)
	case high != nil:
		d.form.Description = fmt.Sprintf("a whole number of at most %d", *high)
	case d.form.Description == "":
		d.form.Description = "a whole number"
	}

	value.Mapper = scalar[T]{d, func(text string) (T, error) {
		n, err := parse(text)

		switch {
		case err == nil:
			return n, within(n, low, high)
		case wholeNumber.MatchString(text):
			return 0, errors.New("out of range")
		default:
			return 0, errors.New("no whole number")
		}
	}, set}
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]+$`)

// bounds are those that the tags of a flag give, nil where they give none.
func bounds[T any](tag *kong.Tag, parse func(text string) (T, error)) (low, high *T, err error) {
	for name, bound := range map[string]**T{"min": &low, "max": &high} {
		if !tag.Has(name) {
			continue
		}

		value, err := parse(tag.Get(name))
		if err != nil {
			return nil, nil, fmt.Errorf("the tag %s: %w", name, err)
		}

		*bound = &value
	}

	return low, high, nil
}

func within[T cmp.Ordered](value T, low, high *T) error {
	switch {
	case low != nil && value < *low:
		return fmt.Errorf("less than %v", *low)
	case high != nil && value > *high:
		return fmt.Errorf("more than %v", *high)
	default:
		return nil
	}
}
