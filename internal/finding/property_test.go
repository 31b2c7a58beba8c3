// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
)

// drawEntries draws a log whose times lie whole grains apart, and which is out of
// order by as much as services may be.
func drawEntries(t *rapid.T, grain time.Duration) []auditlog.Entry {
	// A uniform source makes bursts of every shape; values drawn one by one lean
	// towards the smallest.
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	n := rapid.IntRange(0, 60).Draw(t, "entries")
	width := rapid.SampledFrom([]int{1, 10, 60, 300}).Draw(t, "width")

	entries := make([]auditlog.Entry, n)

	for i := range entries {
		entries[i] = auditlog.Entry{
			ID: fmt.Sprintf("%08x-%d", rng.Uint32(), i), Time: noon.Add(time.Duration(rng.IntN(width)) * grain),
			Service: auditlog.ServicePodStack, ActorType: auditlog.ActorUser,
			Operation:    []auditlog.Operation{"delete", "delete", "create"}[rng.IntN(3)],
			Actor:        []string{"", "a", "zo\u00eb", "zoe\u0308"}[rng.IntN(4)],
			ResourceType: []string{"", "server", "disk"}[rng.IntN(3)],
		}
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
				all = append(all, finding.Finding{
					Rule: r.Name, Severity: r.Severity, Message: r.Message, FirstTime: group[i].Time,
					Group: groupOf(r, group[i]),
				})
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
		// One name is written in two ways.
		actor := strings.ReplaceAll(cmp.Or(e.Actor, "user"), "e\u0308", "\u00eb")
		value := map[string]string{"actor": actor, "resource_type": e.ResourceType}[field]
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
		// Times and spans have one grain, so that spans often end on an entry.
		grain := rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Second, time.Second, 20 * time.Second}).Draw(t,
			"grain")
		entries := drawEntries(t, grain)

		rules := make([]finding.Rule, 6)
		for i := range rules {
			rules[i] = finding.Rule{
				Name: fmt.Sprint("r", i), Severity: "low", Condition: deletions, Message: "m",
				Threshold: rapid.Int64Range(1, 6).Draw(t, "threshold"), GroupBy: rapid.SampledFrom(fields).Draw(t, "group by"),
			}

			if i > 0 {
				rules[i].Within = new(time.Duration(rapid.SampledFrom([]int{1, 2, 3, 5, 8, 13, 30, 100}).Draw(t, "within")) * grain)
			}
		}

		var c auditlog.Completeness

		got, err := finding.Evaluate(t.Context(), newLog(entries...), theDay(), finding.Options{Rules: rules}, &c)
		if err != nil {
			t.Fatal(err)
		}

		total := int64(0)

		for _, r := range rules {
			want := recount(r, entries)
			of := slices.DeleteFunc(slices.Clone(got.Findings), func(f finding.Finding) bool { return f.Rule != r.Name })

			if diff := gocmp.Diff(want, of, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}

			if n := got.CountsByRule[r.Name]; n != int64(len(want)) {
				t.Errorf("%s is counted %d times, want %d", r.Name, n, len(want))
			}

			total += int64(len(want))
		}

		if got.TotalCount != total || got.CountsBySeverity["low"] != total || got.EntryCount != int64(len(entries)) {
			t.Errorf("counts: %d in all, %v, want %d", got.TotalCount, got.CountsBySeverity, total)
		}
	})
}
