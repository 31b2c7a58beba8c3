// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestChangesOf(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct{ before, after, modified, want string }{
		{"", "", "", `[]`},
		{`{"a":1,"b":2}`, `{"a":1.5,"b":2.0}`, "", `[{"field":"a","before":"1","after":"1.5"}]`},
		{"", `{"a":{"b":[]}}`, "", `[{"field":"a.b","before":null,"after":"[]"}]`},
		{`{"a":null}`, "null", "", `[{"field":"a","before":"null","after":null}]`},
		{"viewer", "admin", "role", `[{"field":"role","before":"\"viewer\"","after":"\"admin\""}]`},
		{"viewer", "", "", `[{"field":"value","before":"\"viewer\"","after":null}]`},
		{"1", "2", "size, name", `[{"field":"value","before":"\"1\"","after":"\"2\""}]`},
		{`{"a":1}`, "gone", "", `[{"field":"value","before":"\"{\\\"a\\\":1}\"","after":"\"gone\""}]`},
		{`{"a":1`, `{"a":2}`, "", `[{"field":"value","before":"\"{\\\"a\\\":1\"","after":"\"{\\\"a\\\":2}\""}]`},
		{"", "", `["size","name","size"]`, `[{"field":"name","before":null,"after":null},{"field":"size","before":null,"after":null}]`},
		{"", "", "size; name |x", `[{"field":"name","before":null,"after":null},{"field":"size","before":null,"after":null},{"field":"x","before":null,"after":null}]`},
		{`{"a":1}`, `{"a":1}`, "a", `[]`},
	} {
		changes := slices.Concat(changesOf(tt.before, tt.after, tt.modified), nil)

		got, err := json.Marshal(changes)
		if err != nil {
			t.Fatal(err)
		}

		if string(got) == "null" {
			got = []byte("[]")
		}

		if string(got) != tt.want {
			t.Errorf("%q to %q (%q) is\n%s, not\n%s", tt.before, tt.after, tt.modified, got, tt.want)
		}
	}
}

// TestLabelsAreUnlike: no header may be taken for two things.
func TestLabelsAreUnlike(t *testing.T) {
	t.Parallel()

	seen := map[string]target{}

	for header, to := range targetOf {
		if header != squeeze(header) {
			t.Errorf("%q is never found", header)
		}

		seen[header] = to
	}

	for to := range toService {
		if seen[squeeze(labels[to].name)] != to {
			t.Errorf("%s is not taken for itself", labels[to].name)
		}
	}
}
