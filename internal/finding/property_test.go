// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
)

// drawEntries draws a log that is out of order by as much as services may be.
func drawEntries(t *rapid.T) []auditlog.Entry {
	grain := rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Millisecond, time.Second, time.Minute}).Draw(t, "grain")
	width := rapid.Int64Range(1, 600).Draw(t, "width")

	type commit struct {
		at    time.Time
		entry auditlog.Entry
	}

	commits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) commit {
		at := noon.Add(time.Duration(rapid.Int64Range(0, width).Draw(t, "at")) * grain)
		late := time.Duration(rapid.Int64Range(0, int64(auditlog.OrderMargin)).Draw(t, "late"))

		return commit{at.Add(late), auditlog.Entry{
			ID: fmt.Sprintf("%08x", rapid.Uint32().Draw(t, "id")), Time: at, Service: auditlog.ServicePodStack, ActorType: auditlog.ActorUser,
			Operation:    rapid.SampledFrom([]auditlog.Operation{"delete", "delete", "create"}).Draw(t, "operation"),
			Actor:        rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "actor"),
			ResourceType: rapid.SampledFrom([]string{"", "server", "disk"}).Draw(t, "type"),
		}}
	}), 0, 60).Draw(t, "commits")

	slices.SortStableFunc(commits, func(a, b commit) int { return a.at.Compare(b.at) })

	entries := make([]auditlog.Entry, len(commits))
	for i, c := range commits {
		entries[i] = c.entry
		entries[i].ID += fmt.Sprint("-", i)
	}

	return entries
}

// recount is what a finding is by definition: every pair of entries is looked at.
func recount(r finding.Rule, entries []auditlog.Entry) []finding.Finding {
	groups := map[string][]auditlog.Entry{}

	for _, e := range entries {
		if ok, _ := r.Condition.Match(&e); ok {
			var key []string
			for _, g := range groupOf(r, e) {
				key = append(key, g.Value)
			}

			groups[strings.Join(key, "|")] = append(groups[strings.Join(key, "|")], e)
		}
	}

	var all []finding.Finding

	for _, group := range groups {
		slices.SortFunc(group, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

		// member[i]: some span holds i and enough others; tied[i]: and i-1 as well.
		member, tied := make([]bool, len(group)), make([]bool, len(group))

		within := time.Duration(math.MaxInt64)
		if r.Within != nil {
			within = *r.Within
		}

		for i := range group {
			for j := i; j < len(group); j++ {
				if group[j].Time.Sub(group[i].Time) >= within || int64(j-i+1) < r.Threshold {
					continue
				}

				for k := i; k <= j; k++ {
					member[k], tied[k] = true, tied[k] || k > i
				}
			}
		}

		for i := range group {
			if !member[i] {
				continue
			}

			if !tied[i] {
				all = append(all, finding.Finding{Rule: r.Name, Severity: r.Severity, Message: r.Message, FirstTime: group[i].Time, Group: groupOf(r, group[i])})
			}

			f := &all[len(all)-1]
			f.Count++
			f.LastTime = group[i].Time
			f.EntryIDs = append(f.EntryIDs, group[i].ID)
		}
	}

	slices.SortFunc(all, func(a, b finding.Finding) int {
		return cmp.Or(a.FirstTime.Compare(b.FirstTime),
			slices.CompareFunc(a.Group, b.Group, func(x, y finding.GroupValue) int { return cmp.Compare(x.Value, y.Value) }))
	})

	return all
}

func groupOf(r finding.Rule, e auditlog.Entry) []finding.GroupValue {
	var group []finding.GroupValue

	for _, field := range r.GroupBy {
		value := map[string]string{"actor": cmp.Or(e.Actor, "user"), "resource_type": e.ResourceType}[field]
		group = append(group, finding.GroupValue{Field: field, Value: value})
	}

	return group
}

// TestEvaluateIsARecount compares with the definition.
func TestEvaluateIsARecount(t *testing.T) {
	t.Parallel()

	deletions := condition(t, `entry.operation == "delete"`)
	fields := [][]string{nil, {"actor"}, {"resource_type"}, {"actor", "resource_type"}}

	rapid.Check(t, func(t *rapid.T) {
		entries := drawEntries(t)

		r := finding.Rule{
			Name: "r", Severity: finding.SeverityLow, Condition: deletions, Message: "m",
			Threshold: rapid.Int64Range(1, 8).Draw(t, "threshold"), GroupBy: rapid.SampledFrom(fields).Draw(t, "group by"),
		}

		if rapid.Bool().Draw(t, "bounded") {
			grain := rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Millisecond, time.Second, time.Minute}).Draw(t, "span's grain")
			r.Within = new(time.Duration(rapid.Int64Range(1, 60).Draw(t, "within")) * grain)
		}

		var c auditlog.Completeness

		got, err := finding.Evaluate(t.Context(), newLog(entries...), theDay(), finding.Options{Rules: []finding.Rule{r}}, &c)
		if err != nil {
			t.Fatal(err)
		}

		want := recount(r, entries)
		if diff := gocmp.Diff(want, got.Findings); diff != "" {
			t.Error(diff)
		}

		if n := int64(len(want)); got.TotalCount != n || got.CountsByRule["r"] != n || got.CountsBySeverity["low"] != n || got.EntryCount != int64(len(entries)) {
			t.Errorf("counts: %d in all, %v, %v, want %d", got.TotalCount, got.CountsByRule, got.CountsBySeverity, n)
		}

		if keys := slices.Collect(maps.Keys(got.CountsBySeverity)); !slices.Equal(keys, []finding.Severity{"low"}) {
			t.Errorf("severities %v", keys)
		}
	})
}
