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

	good, _, err := (&Manifest{Version: manifestVersion, Sequence: 7, TotalCount: 5}).encode()
	if err != nil {
		t.Fatal(err)
	}

	if m, err := parseManifest(good); err != nil || m.TotalCount != 5 {
		t.Fatalf("got %+v, %v", m, err)
	}

	for name, text := range map[string]string{
		"another case":         strings.Replace(string(good), "{", `{"Total_Count":9,`, 1),
		"another case, inside": strings.Replace(string(good), `"entry_count"`, `"Entry_Count":9,"entry_count"`, 1),
		"twice":                strings.Replace(string(good), "{", `{"total_count":9,`, 1),
		"twice, inside":        strings.Replace(string(good), `"entry_count"`, `"entry_count":9,"entry_count"`, 1),
		"unknown":              strings.Replace(string(good), "{", `{"x":9,`, 1),
		"more":                 string(good) + "{}",
	} {
		if m, err := parseManifest([]byte(text)); err == nil {
			t.Errorf("manifest, %s: %+v", name, m)
		}
	}

	for text, want := range map[string]string{`{"segment":"a","Segment":"b"}`: "a", `{"segment":"a","segment":"b"}`: ""} {
		if c, err := parseClaim([]byte(text)); c.Segment != want || (err == nil) != (want != "") {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
}
