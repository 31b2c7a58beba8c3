// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompareTakesTurns: ours and theirs begin alternately, and a run to warm up does not count.
func TestCompareTakesTurns(t *testing.T) {
	t.Parallel()

	var order []string

	takes := func(name string, walls ...float64) subject {
		i := 0

		return subject{name: name, run: func(context.Context, ...string) (sample, error) {
			order = append(order, name)
			i++

			return sample{Wall: walls[i-1], Entries: 7}, nil
		}}
	}
	c := &comparison{
		ours: takes("ours", 100, 1, 3, 2), theirs: takes("theirs", 1, 10, 30, 20), warm: true, sameEntries: true,
		rows: []row{
			{name: "a", ratio: faster, limit: 10, atLeast: true},
			{name: "b", ratio: over(wall), limit: 0.05},
			{name: "c", ratio: over(peak), limit: 1},
		},
	}

	got, err := (&options{pairs: 3}).compare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}

	want := []string{"ours", "theirs", "ours", "theirs", "theirs", "ours", "ours", "theirs"}
	if !slices.Equal(order, want) {
		t.Errorf("they ran as %v", order)
	}

	if got[0].Value != 10 || !got[0].Reached || got[1].Value != 0.1 || got[1].Reached || got[2].Reached ||
		len(got[0].Ours.Runs) != 3 {
		t.Errorf("got %+v", got)
	}
}

// TestCompareRefusesOtherEntries: who finds less is not faster.
func TestCompareRefusesOtherEntries(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "out")
	file := filepath.Join(dir, "log")
	writes := func(claimed int64, text string) subject {
		return subject{name: "x", dir: dir, lines: file, run: func(context.Context, ...string) (sample, error) {
			return sample{Entries: claimed}, os.WriteFile(file, []byte(text), 0o600)
		}}
	}
	rows := []row{{name: "a", ratio: faster}}

	for name, c := range map[string]comparison{
		"lines": {ours: writes(2, "a\nb\n"), theirs: writes(0, "a\nb\nc\n"), sameEntries: true, rows: rows},
		"claim": {ours: writes(3, "a\nb\n"), theirs: writes(0, "a\nb\n"), sameEntries: true, rows: rows},
		"fault": {ours: writes(2, "a\nb\n"), theirs: subject{run: func(context.Context, ...string) (sample, error) {
			return sample{}, errors.New("it failed")
		}}, rows: rows},
	} {
		if got, err := (&options{pairs: 1}).compare(t.Context(), &c); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}

	fine := comparison{ours: writes(2, "a\nb\n"), theirs: writes(0, "a\nb\n"), sameEntries: true, rows: rows}
	if _, err := (&options{pairs: 1}).compare(t.Context(), &fine); err != nil {
		t.Error(err)
	}
}

// TestTheTableSaysWhatFallsShort: what is left out does not, and what was not measured never counts as reached.
func TestTheTableSaysWhatFallsShort(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		rows  []result
		short bool
		want  string
	}{
		"reached": {[]result{{Text: "x", Value: 9, Limit: 8, AtLeast: true, Reached: true}}, false, "| at least 8 |"},
		"short":   {[]result{{Text: "x", Value: 9, Limit: 8}}, true, "SHORT"},
		"skipped": {[]result{{Text: "x", Limit: 8, Skipped: "no Python"}}, false, "skipped: no Python"},
	} {
		var text strings.Builder
		if short := (&record{Rows: tt.rows}).print(&text); short != tt.short || !strings.Contains(text.String(), tt.want) {
			t.Errorf("%s: short %v\n%s", name, short, text.String())
		}
	}
}
