// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheGuideShowsWholeManifests holds the manifest of the guide against one that
// was written: auditors look for the keys that they see there.
func TestTheGuideShowsWholeManifests(t *testing.T) {
	t.Parallel()

	guide, err := os.ReadFile("../../templates/guides/evidence.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}

	shown := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(guide)
	if shown == nil {
		t.Fatal("the guide shows no manifest")
	}

	written, err := os.ReadFile("testdata/golden/TestWrite/out.json.manifest.json")
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(manifestKeys(t, written), manifestKeys(t, shown[1])); diff != "" {
		t.Error(diff)
	}
}

// manifestKeys are those of a manifest and of its statement, sorted.
func manifestKeys(t *testing.T, text []byte) []string {
	t.Helper()

	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}

	var statement map[string]json.RawMessage
	if err := json.Unmarshal(m["completeness"], &statement); err != nil {
		t.Fatal(err)
	}

	return slices.Concat(slices.Sorted(maps.Keys(m)), slices.Sorted(maps.Keys(statement)))
}
