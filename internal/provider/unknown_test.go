// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// verdicts validates configurations of one type and remembers what came out.
type verdicts struct {
	u        *typeUnderTest
	defaults map[string]any
	known    map[string][]string
}

func newVerdicts(u *typeUnderTest, arguments []argument) *verdicts {
	v := &verdicts{u: u, defaults: map[string]any{}, known: map[string][]string{}}

	for _, a := range arguments {
		if a.required && len(a.states) > 0 {
			v.defaults[a.path] = a.states[0].value
		}
	}

	return v
}

// chosen is the states that arguments are set to.
type chosen map[*argument]int

func (c chosen) String() string {
	var texts []string

	for a, i := range c {
		if a.states[i].name == "null" && !strings.Contains(a.path, ".") {
			continue // As good as not set.
		}

		text := a.path + " " + a.states[i].name
		if v, ok := a.states[i].value.(tftypes.Value); ok && a.states[i].name == "known" {
			text += " " + v.String()
		}

		texts = append(texts, text)
	}

	slices.Sort(texts)

	return strings.Join(texts, ", ")
}

func (v *verdicts) config(c chosen) tftypes.Value {
	set := map[string]any{}
	for a, i := range c {
		set[a.path] = a.states[i].value
	}

	return configure(v.u.attributes, v.u.object, "", set, v.defaults)
}

// of returns the errors of validating a configuration.
func (v *verdicts) of(c chosen) []string {
	key := c.String()

	found, ok := v.known[key]
	if !ok {
		found = errorsOf(v.u.validate(v.u.dynamic(v.config(c))))
		v.known[key] = found
	}

	return found
}

// premature returns what a refused configuration may become and would be accepted
// as, if there is such a thing: then it was refused too early.
func (v *verdicts) premature(c chosen) (chosen, bool) {
	for a, i := range c {
		for _, j := range a.states[i].becomes {
			later := maps.Clone(c)
			later[a] = j

			if len(v.of(later)) == 0 {
				return later, true
			}
		}
	}

	return nil, false
}

// TestEveryPairOfArguments: no configuration is refused for a value that is not
// known yet and may turn out to be fine, null included; and what is refused when
// every value is known is refused as well where a value is known only then, before
// anything is read or written.
func TestEveryPairOfArguments(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true, Entries: 10})
	values := validValues(w)

	t.Cleanup(func() {
		if requests := w.fake.Requests(); len(requests) > 0 {
			t.Errorf("%d requests were made for refused configurations, such as %v", len(requests), requests[0])
		}

		if files := w.filesBelow(); len(files) > 0 {
			t.Errorf("refused configurations wrote %v", files)
		}
	})

	for n, u := range typesUnderTest(t, w) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()

			arguments := u.arguments(t, values)
			v := newVerdicts(u, arguments)
			accepted := map[string]bool{}
			count, refused := 0, 0

			for i := range arguments {
				for j := range arguments[:i] {
					a, b := &arguments[i], &arguments[j]
					if within(a.path, b.path) || raceflag.Enabled && (i+j+n)%5 != 0 {
						continue // The race detector needs not see all of them.
					}

					for x := range a.states {
						for y := range b.states {
							c := chosen{a: x, b: y}
							count++

							if len(v.of(c)) == 0 {
								for arg, k := range c {
									accepted[chosen{arg: k}.String()] = true
								}

								continue
							}

							refused++
							v.checkRefused(t, c)
						}
					}
				}
			}

			t.Logf("%d arguments, %d configurations, %d refused", len(arguments), count, refused)

			for i := range arguments {
				for x := range arguments[i].states {
					if raceflag.Enabled {
						break
					}

					if name := (chosen{&arguments[i]: x}).String(); !accepted[name] {
						t.Errorf("%s is accepted with nothing", name)
					}
				}
			}
		})
	}
}

// checkRefused looks at a configuration that validation refuses.
func (v *verdicts) checkRefused(t *testing.T, c chosen) {
	t.Helper()

	if later, ok := v.premature(c); ok {
		t.Errorf("refused: %s\nalthough it may become: %s\n%s", c, later, strings.Join(v.of(c), "\n"))

		return
	}

	config := v.config(c)
	if !config.IsFullyKnown() {
		return
	}

	for step, use := range v.u.use {
		found := errorsOf(use(config))

		for _, text := range v.of(c) {
			if !slices.Contains(found, text) {
				t.Errorf("validation refuses: %s\nand %s does not say so:\n%s\nbut: %q", c, step, text, found)
			}
		}
	}
}

// TestManyArguments is the same for configurations in which more than two arguments
// are set.
func TestManyArguments(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true, Entries: 10})
	values := validValues(w)

	for _, u := range typesUnderTest(t, w) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()

			arguments := u.arguments(t, values)
			rapid.Check(t, func(t *rapid.T) {
				v := newVerdicts(u, arguments)
				c := draw(t, arguments)

				if len(v.of(c)) == 0 {
					return
				}

				if later, ok := v.premature(c); ok {
					t.Errorf("refused: %s\nalthough it may become: %s\n%s", c, later, strings.Join(v.of(c), "\n"))
				}
			})
		})
	}
}

// draw sets about a third of the arguments.
func draw(t *rapid.T, arguments []argument) chosen {
	c := chosen{}

	for i := range arguments {
		a := &arguments[i]
		apart := !slices.ContainsFunc(slices.Collect(maps.Keys(c)), func(b *argument) bool { return within(a.path, b.path) })

		if apart && rapid.IntRange(0, 2).Draw(t, "set") == 0 {
			c[a] = rapid.IntRange(0, len(a.states)-1).Draw(t, a.path)
		}
	}

	return c
}
