// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"strings"
	"testing"
)

// TestOwnFilesAreReadAsWritten: a key in another case, and one that is there twice,
// would say one thing to us and another to everybody else.
func TestOwnFilesAreReadAsWritten(t *testing.T) {
	t.Parallel()

	good, err := (&Manifest{Version: manifestVersion, Sequence: 7, TotalCount: 5, Segment: &Segment{}}).encode()
	if err != nil {
		t.Fatal(err)
	}

	if m, err := parseManifest(good, 7); err != nil || m.TotalCount != 5 {
		t.Fatalf("got %+v, %v", m, err)
	}

	for name, text := range map[string]string{
		"twice":         strings.Replace(string(good), "{", `{"total_count":9,`, 1),
		"twice, inside": strings.Replace(string(good), `"entry_count"`, `"entry_count":9,"entry_count"`, 1),
		"more":          string(good) + "{}",
	} {
		if m, err := parseManifest([]byte(text), 7); err == nil {
			t.Errorf("manifest, %s: %+v", name, m)
		}
	}

	// What later versions add is hashed with the rest, and left alone.
	for _, more := range []string{`{"encryption":{"key":"x"},`, `{"Total_Count":9,`} {
		later := strings.Replace(string(good), "{", more, 1)
		if m, err := parseManifest([]byte(later), 7); err != nil || m.TotalCount != 5 {
			t.Errorf("%s: got %+v, %v", more, m, err)
		}
	}
}
