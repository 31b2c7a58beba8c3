// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

// ChangesFunction is the name of the function in provider::audit.
const ChangesFunction = "changes"

var _ function.Function = (*changesFunction)(nil)

// NewChangesFunction returns the function provider::audit::changes.
func NewChangesFunction() function.Function { return &changesFunction{} }

type changesFunction struct{}

// Metadata implements function.Function.
func (f *changesFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = ChangesFunction
}

// Definition implements function.Function.
func (f *changesFunction) Definition(
	_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse,
) {
	state := func(name, description string) function.Parameter {
		return function.DynamicParameter{Name: name, AllowNullValue: true, MarkdownDescription: description +
			" An object or a map; `{}` for no state."}
	}

	resp.Definition = function.Definition{
		Summary: "Lists what differs between two states",
		MarkdownDescription: "Returns the values that differ between two states of a resource, sorted by field, as `changes` of an [entry](../guides/entry.md#changes) does: " +
			"`field` is the path to the value, `before` and `after` are JSON, null where the field was absent.",
		Parameters: []function.Parameter{
			state("before", "The state before."),
			state("after", "The state after."),
		},
		Return: function.ListReturn{ElementType: changesType().ElemType},
	}
}

// Run is called for every call whose arguments are known.
func (f *changesFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var before, after types.Dynamic

	if resp.Error = req.Arguments.Get(ctx, &before, &after); resp.Error != nil {
		return
	}

	states := [2]json.RawMessage{}

	for i, v := range []types.Dynamic{before, after} {
		state, err := stateOf(ctx, v)
		if errors.Is(err, errUnknown) {
			resp.Error = resp.Result.Set(ctx, types.ListUnknown(changesType().ElemType))

			return
		}

		if p := (explain.Problem{}); errors.As(err, &p) {
			resp.Error = onArgument(int64(i), p)

			return
		}

		if err != nil {
			resp.Error = onCall(explain.Problem{Cause: explain.Sentence(err.Error())})

			return
		}

		states[i] = state
	}

	changes, err := auditlog.Changes(states[0], states[1])
	if err != nil {
		resp.Error = onCall(explain.Problem{Cause: explain.Sentence(err.Error())})

		return
	}

	resp.Error = resp.Result.Set(ctx, changesList(changes))
}

// changesList shows changes; none is an empty list.
func changesList(changes []auditlog.Change) types.List {
	list := changesType()
	values := make([]attr.Value, 0, len(changes))

	for _, c := range changes {
		object, ok := list.ElemType.(types.ObjectType)
		if !ok {
			panic("a change is no object") // A table says that it is.
		}

		values = append(values, types.ObjectValueMust(object.AttrTypes, map[string]attr.Value{
			"field": types.StringValue(c.Field), "before": types.StringPointerValue(c.Before),
			"after": types.StringPointerValue(c.After),
		}))
	}

	return types.ListValueMust(list.ElemType, values)
}

var errUnknown = errors.New("a part is not known yet")

// stateOf returns a state as JSON, and nothing for null.
func stateOf(ctx context.Context, v types.Dynamic) (json.RawMessage, error) {
	if v.IsNull() || v.IsUnderlyingValueNull() {
		return nil, nil
	}

	value, err := v.ToTerraformValue(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the argument: %w", err)
	}

	if !value.IsFullyKnown() {
		return nil, errUnknown
	}

	switch value.Type().(type) {
	case tftypes.Object, tftypes.Map:
	default:
		p := explain.Problem{Cause: "A state is an object or a map.", Next: "Give an object, such as {{ size = 10 }}, or {{}} where there was no state."}
		if value.Type().Is(tftypes.String) {
			p = explain.Problem{
				Cause: "A state is an object or a map, and this is a string.",
				Next:  "If it holds JSON, give jsondecode() of it.",
			}
		}

		return nil, p
	}

	var b bytes.Buffer

	if err := writeValue(&b, value); err != nil {
		return nil, err
	}

	return b.Bytes(), nil
}

// writeValue writes a value as JSON. The framework has no such writer, and Go's
// numbers would not hold what Terraform's do.
func writeValue(b *bytes.Buffer, v tftypes.Value) error {
	if v.IsNull() {
		b.WriteString("null")

		return nil
	}

	switch t := v.Type(); {
	case t.Is(tftypes.String):
		var text string

		return errors.Join(v.As(&text), writeText(b, text))
	case t.Is(tftypes.Bool):
		var yes bool

		err := v.As(&yes)
		fmt.Fprintf(b, "%t", yes)

		return err //nolint:wrapcheck // It cannot fail: the type was asked for.
	case t.Is(tftypes.Number):
		n := big.NewFloat(0)

		err := v.As(&n)
		b.WriteString(n.Text('f', -1))

		return err //nolint:wrapcheck // As above.
	case t.Is(tftypes.Object{}), t.Is(tftypes.Map{}):
		return writeObject(b, v)
	default:
		return writeArray(b, v)
	}
}

func writeObject(b *bytes.Buffer, v tftypes.Value) error {
	values := map[string]tftypes.Value{}
	if err := v.As(&values); err != nil {
		return fmt.Errorf("read an object: %w", err)
	}

	b.WriteByte('{')

	for i, key := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b.WriteByte(',')
		}

		if err := writeText(b, key); err != nil {
			return err
		}

		b.WriteByte(':')

		if err := writeValue(b, values[key]); err != nil {
			return err
		}
	}

	b.WriteByte('}')

	return nil
}

func writeArray(b *bytes.Buffer, v tftypes.Value) error {
	values := []tftypes.Value{}
	if err := v.As(&values); err != nil {
		return fmt.Errorf("read a list: %w", err)
	}

	b.WriteByte('[')

	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}

		if err := writeValue(b, value); err != nil {
			return err
		}
	}

	b.WriteByte(']')

	return nil
}

func writeText(b *bytes.Buffer, text string) error {
	encoded, err := json.Marshal(text)
	if err != nil {
		return fmt.Errorf("encode a text: %w", err)
	}

	b.Write(encoded)

	return nil
}
