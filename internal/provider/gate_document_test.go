// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/gate"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// TestDocumentHasTheSameNames: what auditlog check writes as JSON has the names of the
// data source, and its file of rules has those of the arguments.
func TestDocumentHasTheSameNames(t *testing.T) {
	t.Parallel()

	text, err := json.Marshal(gate.NewDocument("upcloud", &task.Verdict{Result: &finding.Result{
		Findings:     []finding.Finding{{Rule: "a"}},
		NotEvaluable: []finding.NotEvaluable{{Rule: "b"}},
	}, Completeness: auditlog.Completeness{}}))
	if err != nil {
		t.Fatal(err)
	}

	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}

	attributes := findingsResults()
	same(t, "document", document, append(slices.Collect(maps.Keys(attributes)), "service"))

	for _, name := range []string{"findings", "not_evaluable"} {
		list, _ := document[name].([]any)
		if len(list) != 1 {
			t.Fatal(name, list)
		}

		object, _ := list[0].(map[string]any)
		nested, _ := attributes[name].(schema.ListNestedAttribute)
		same(t, name, object, slices.Collect(maps.Keys(nested.NestedObject.Attributes)))
	}

	statement, _ := document["completeness"].(map[string]any)
	same(t, "completeness", statement, slices.Collect(maps.Keys(completenessTypes())))

	rules, err := json.Marshal(gate.Rules{
		Rules: map[string]gate.Rule{"a": {}}, Expected: []gate.Expectation{{}},
	})
	if err != nil {
		t.Fatal(err)
	}

	var file struct {
		Rules    map[string]map[string]any `json:"rules"`
		Expected []map[string]any          `json:"expected"`
	}
	if err := json.Unmarshal(rules, &file); err != nil {
		t.Fatal(err)
	}

	same(t, "rules", file.Rules["a"], slices.Collect(maps.Keys(ruleAttributes())))
	same(t, "expected", file.Expected[0], slices.Collect(maps.Keys(expectationAttributes())))

	var top map[string]any
	if err := json.Unmarshal(rules, &top); err != nil {
		t.Fatal(err)
	}

	arguments := findingsSchema(t.Context()).Attributes
	for key := range top {
		if arguments[key] == nil {
			t.Errorf("the file of rules has %s, which is no argument", key)
		}
	}
}

func same(t *testing.T, what string, object map[string]any, names []string) {
	t.Helper()

	slices.Sort(names)

	if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, names) {
		t.Errorf("%s has %v, want %v", what, got, names)
	}
}
