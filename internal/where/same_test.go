// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

func TestSameCondition(t *testing.T) {
	t.Parallel()

	const plain = `entry.actor != "a  b" && entry.time.getHours() < 6`

	for text, same := range map[string]bool{
		plain: true,
		"  entry.actor!=\"a  b\"\n\t&&entry . time.getHours( )<6 ":          true,
		"// by night\nentry.actor != \"a  b\" && entry.time.getHours() < 6": true,
		`entry.actor != 'a  b' && entry.time.getHours() < 6`:                true,
		`(entry.actor != r"a  b") && (entry.time.getHours() < 6)`:           true,
		`entry.actor != "a b" && entry.time.getHours() < 6`:                 false,
		`entry.actor != "a  b " && entry.time.getHours() < 6`:               false,
		`entry.actor != "a  b" && entry.time.getHours() < 7`:                false,
		`entry.actor != "A  b" && entry.time.getHours() < 6`:                false,
		`entry.actor != "a  b" || entry.time.getHours() < 6`:                false,
		`entry.actor != "a  b"`:                                             false,
		`no condition`:                                                      false,
	} {
		condition, err := where.Compile(plain)
		if err != nil {
			t.Fatal(err)
		}

		if got := condition.Same(text); got != same {
			t.Errorf("%s: got %v", text, got)
		}
	}

	for a, b := range map[string]string{
		`double(size(entry.actor)) / 2.0 > 1.0`:        `double(size(entry.actor)) / 2.0 > 1`,
		`["a", "b"].exists(x, x == entry.actor)`:       `["a", "b"].all(x, x == entry.actor)`,
		`entry.actor == "a" && entry.origin == "b"`:    `entry.actor == "b" && entry.origin == "a"`,
		`entry.actor.startsWith("b\", \"c")`:           `entry.actor.startsWith("b") || entry.actor.startsWith("c")`,
		`1 < 2 && (entry.actor == "a" || 2 < 1)`:       `(1 < 2 && entry.actor == "a") || 2 < 1`,
		`["a", "b"].exists(x, x + "c" == entry.actor)`: `["a", "b"].exists(x, "c" + x == entry.actor)`,
	} {
		condition, err := where.Compile(a)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}

		if condition.Same(b) {
			t.Errorf("%s is the same as %s", a, b)
		}
	}
}
