// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// Rows go to Terraform beside the framework, which looks at every value of a result several times: 10,000 rows take it
// seconds. A look-up leaves the attribute null and hands its rows, as they are on the wire, to the server that the
// request came through. That puts them in the null's place once the framework has made the answer of all the rest.

// rows is where a look-up leaves its rows: the message-pack of a list; empty where there are none to put.
type rows struct{ list []byte }

type rowsKey struct{}

// awaitRows returns a context in which a look-up may leave rows.
func awaitRows(ctx context.Context) (context.Context, *rows) {
	r := &rows{}

	return context.WithValue(ctx, rowsKey{}, r), r
}

// leaveRows leaves what was found for whoever awaits it.
func leaveRows(ctx context.Context, found *task.Found, includeRaw bool) diag.Diagnostics {
	if found.Entries == nil {
		return nil
	}

	r, ok := ctx.Value(rowsKey{}).(*rows)
	if !ok {
		return diagnose(misplaced(errors.New("nobody awaits the rows")))
	}

	var err error
	if r.list, err = encodeRows(found.Entries, includeRaw); err != nil {
		return diagnose(misplaced(err))
	}

	return nil
}

func misplaced(err error) explain.Problem {
	return explain.Problem{
		Summary: task.LookUpLogs,
		Cause:   explain.Sentence(err.Error()),
		Next:    "This is a mistake in the provider; please report it.",
	}
}

// put puts the rows into a result that otherwise is complete. One without rows, or that is no result, stays as it is.
// One that the rows do not fit into becomes an error and no result.
func (r *rows) put(result **tfprotov6.DynamicValue, diags *[]*tfprotov6.Diagnostic) {
	failed := slices.ContainsFunc(*diags, func(d *tfprotov6.Diagnostic) bool {
		return d.Severity == tfprotov6.DiagnosticSeverityError
	})
	if r.list == nil || *result == nil || failed {
		return
	}

	full, err := replaceNull((*result).MsgPack, entriesName, r.list)
	if err != nil {
		p := misplaced(err)
		*result, *diags = nil, append(*diags, &tfprotov6.Diagnostic{
			Severity: tfprotov6.DiagnosticSeverityError, Summary: p.Summary, Detail: p.Detail(),
		})

		return
	}

	*result = &tfprotov6.DynamicValue{MsgPack: full}
}

// replaceNull returns an object in which a value takes the place of an attribute that is null.
func replaceNull(object []byte, name string, value []byte) ([]byte, error) {
	r := bytes.NewReader(object)
	dec := msgpack.NewDecoder(r)

	n, err := dec.DecodeMapLen()
	if err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}

	for range n {
		key, err := dec.DecodeString()
		if err != nil {
			return nil, fmt.Errorf("read the result: %w", err)
		}

		at := len(object) - r.Len()

		if key == name {
			if at >= len(object) || object[at] != msgpcode.Nil {
				return nil, fmt.Errorf("%s has a value already", name)
			}

			return slices.Concat(object[:at], value, object[at+1:]), nil
		}

		if err := dec.Skip(); err != nil {
			return nil, fmt.Errorf("read the result: %w", err)
		}
	}

	return nil, fmt.Errorf("the result has no %s", name)
}

// encodeRows writes rows as Terraform's protocol has them: objects with all their attributes, by name in order.
func encodeRows(entries []auditlog.Entry, includeRaw bool) ([]byte, error) {
	fields := slices.Clone(auditlog.Fields())
	slices.SortFunc(fields, func(a, b auditlog.Field) int { return cmp.Compare(a.Name, b.Name) })

	var out bytes.Buffer

	w := rowWriter{enc: msgpack.NewEncoder(&out)}
	w.keep(w.enc.EncodeArrayLen(len(entries)))

	for i := range entries {
		w.keep(w.enc.EncodeMapLen(len(fields)))

		for j := range fields {
			f := &fields[j]
			w.text(&f.Name)

			switch {
			case f.Kind == auditlog.KindChanges:
				w.changes(entries[i].Changes)
			case f.Kind == auditlog.KindRaw && !includeRaw:
				w.text(nil)
			default:
				w.recorded(f.Text(&entries[i]))
			}
		}
	}

	if w.err != nil {
		return nil, fmt.Errorf("write the rows: %w", w.err)
	}

	return out.Bytes(), nil
}

// rowWriter keeps the first error.
type rowWriter struct {
	enc *msgpack.Encoder
	err error
}

func (w *rowWriter) keep(err error) { w.err = cmp.Or(w.err, err) }

// text writes null for nil.
func (w *rowWriter) text(text *string) {
	if text == nil {
		w.keep(w.enc.EncodeNil())
	} else {
		w.keep(w.enc.EncodeString(*text))
	}
}

// recorded writes null for what the cloud did not record.
func (w *rowWriter) recorded(text string) {
	if text == "" {
		w.text(nil)
	} else {
		w.text(&text)
	}
}

func (w *rowWriter) changes(changes []auditlog.Change) {
	if len(changes) == 0 {
		w.text(nil)

		return
	}

	w.keep(w.enc.EncodeArrayLen(len(changes)))

	for i := range changes {
		w.keep(w.enc.EncodeMapLen(3))
		w.attribute("after", changes[i].After)
		w.attribute("before", changes[i].Before)
		w.attribute("field", &changes[i].Field)
	}
}

func (w *rowWriter) attribute(name string, value *string) {
	w.text(&name)
	w.text(value)
}
