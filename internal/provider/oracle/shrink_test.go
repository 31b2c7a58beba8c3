// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// disagreement is a question about a log that is answered in two ways.
type disagreement struct {
	h       history
	options fakeapi.Options
	q       *question
	err     error
}

// String is all that a test with a name needs.
func (x disagreement) String() string {
	var b strings.Builder

	fmt.Fprintf(&b, "%v\n\nThe arguments of %s:\n", x.err, x.q.typeName())

	args := x.q.arguments()
	for _, key := range slices.Sorted(maps.Keys(args)) {
		text, err := json.MarshalIndent(args[key], "  ", "  ")
		must(err)
		fmt.Fprintf(&b, "  %s = %s\n", key, text)
	}

	o := x.options
	fmt.Fprintf(&b, "\nThe fake: offset %d, order %d, pages of %d; end %d, pages of %d; now %s. Its records:\n",
		o.UpCloudOffset, o.UpCloudOrder, o.UpCloudMaxLimit, o.CloudscaleEnd, o.CloudscalePageSize, o.Now)

	for _, line := range x.h[x.q.service] {
		fmt.Fprintf(&b, "  %s\n", line)
	}

	return b.String()
}

// kind is what the two disagree about, without what they say.
func (x disagreement) kind() string {
	about, _, _ := strings.Cut(x.err.Error(), ":")

	return strings.TrimFunc(about, func(r rune) bool { return !unicode.IsLetter(r) })
}

// again asks again and returns the disagreement if there is one still, and about
// the same.
func (x disagreement) again(t *testing.T) (disagreement, bool) {
	t.Helper()

	p := serve(t, x.h, x.options)
	defer p.close()

	kind := x.kind()

	_, err := newOracle(x.h, x.options.Now).compare(x.q, p.read(t, x.q.typeName(), x.q.arguments()))
	if err == nil {
		return x, false
	}

	x.err = err

	return x, x.kind() == kind
}

// smallest leaves out arguments and records as long as the two disagree.
func smallest(t *testing.T, x disagreement) disagreement {
	t.Helper()

	for tries, smaller := 300, true; smaller && tries > 0; {
		smaller = false

		for _, next := range x.simpler() {
			if tries--; tries < 0 {
				break
			}

			if less, still := next.again(t); still {
				x, smaller = less, true

				break
			}
		}
	}

	return x
}

// simpler lists what the disagreement could be reduced to, the greatest steps first.
func (x disagreement) simpler() []disagreement {
	var all []disagreement

	service := x.q.service
	lines := x.h[service]

	for part := len(lines) / 2; part > 0; part /= 2 {
		for from := 0; from < len(lines); from += part {
			rest := slices.Concat(lines[:from], lines[min(from+part, len(lines)):])
			if len(rest) > 0 && len(lines)/part <= 8 {
				all = append(all, disagreement{h: history{service: rest}, options: x.options, q: x.q, err: x.err})
			}
		}
	}

	with := func(change func(q *question)) {
		q := *x.q
		change(&q)

		if q.sound() {
			all = append(all, disagreement{h: x.h, options: x.options, q: &q, err: x.err})
		}
	}

	for i, l := range x.q.lists() {
		if len(*l.values) > 0 {
			with(func(q *question) { *q.lists()[i].values = nil })
		}

		for j := range *l.values {
			if len(*l.values) > 1 {
				with(func(q *question) { *q.lists()[i].values = []string{(*l.values)[j]} })
			}
		}
	}

	for i, text := range []string{x.q.search, x.q.order, x.q.onOverflow, x.q.settleDelay, x.q.baseline} {
		if text != "" {
			with(func(q *question) {
				*[]*string{&q.search, &q.order, &q.onOverflow, &q.settleDelay, &q.baseline}[i] = ""
			})
		}
	}

	if x.q.maxEntries+x.q.maxFindings > 0 {
		with(func(q *question) { q.maxEntries, q.maxFindings = 0, 0 })
	}

	if x.q.withRaw {
		with(func(q *question) { q.withRaw = false })
	}

	if x.q.where != nil {
		with(func(q *question) { q.where = nil })

		for _, part := range x.q.where.parts {
			with(func(q *question) { q.where = part })
		}
	}

	for i := range x.q.rules {
		with(func(q *question) { q.rules = slices.Delete(slices.Clone(q.rules), i, i+1) })

		for _, part := range x.q.rules[i].where.parts {
			with(func(q *question) {
				q.rules = slices.Clone(q.rules)
				q.rules[i].where = part
			})
		}
	}

	for i := range x.q.expected {
		with(func(q *question) { q.expected = slices.Delete(slices.Clone(q.expected), i, i+1) })
	}

	if x.q.verdict && x.q.builtins == nil {
		with(func(q *question) {
			q.builtins = []string{"deletion", "mass_deletion", "permission_change", "new_api_token", newAddress}
		})
	}

	for i := range x.q.builtins {
		with(func(q *question) { q.builtins = slices.Delete(slices.Clone(q.builtins), i, i+1) })
	}

	// Records one by one, when there are few.
	if len(lines) <= 16 {
		for i := range lines {
			if len(lines) > 1 {
				all = append(all, disagreement{
					h: history{service: slices.Delete(slices.Clone(lines), i, i+1)}, options: x.options,
					q: x.q, err: x.err,
				})
			}
		}
	}

	return all
}
