// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// errShort says that a row does not reach its limit.
var errShort = errors.New("not every row reaches its limit")

// record is what is kept of a run.
type record struct {
	Time    time.Time `json:"time"`
	Commit  string    `json:"commit"`
	Machine machine   `json:"machine"`
	Pairs   int       `json:"pairs"`
	// Quick says that the run was to try it, and does not count.
	Quick bool     `json:"quick"`
	Rows  []result `json:"rows"`
}

type machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
	OS    string `json:"os"`
	Load  string `json:"load"` // of the minute before
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}

	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(text), "model name\t: ")
		m.CPU, _, _ = strings.Cut(rest, "\n")
	}

	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}

	return m
}

// measure measures everything that is asked for, prints the table and keeps the results.
func measure(ctx context.Context, o options, begun time.Time) error {
	// The logs end days ago, so that nothing of them is still being filled.
	o.now = begun.Truncate(24*time.Hour).AddDate(0, 0, -2)

	commit, _ := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	kept := record{
		Time: begun, Commit: strings.TrimSpace(string(commit)), Machine: thisMachine(), Pairs: o.pairs, Quick: o.quick,
	}

	if err := os.MkdirAll(o.results, 0o750); err != nil {
		return err
	}

	var err error
	if o.results, err = filepath.Abs(o.results); err != nil {
		return err
	}

	if o.scratch, err = os.MkdirTemp(o.results, "scratch"); err != nil {
		return err
	}
	defer os.RemoveAll(o.scratch)

	var failed []error

	for _, g := range groups() {
		rows, err := o.measureGroup(ctx, &g, func(text string) {
			fmt.Fprintf(os.Stderr, "%7.1f s  %s\n", time.Since(begun).Seconds(), text)
		})
		kept.Rows = append(kept.Rows, rows...)

		if failed = append(failed, err); ctx.Err() != nil {
			return ctx.Err()
		}
	}

	if len(kept.Rows) == 0 && errors.Join(failed...) == nil {
		return fmt.Errorf("no row has %q in its name", o.only)
	}

	text, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}

	path := filepath.Join(o.results, begun.Format("20060102T150405Z")+".json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}

	short := kept.print(os.Stdout)

	fmt.Fprintf(os.Stdout, "\nAll samples: %s\n", path)

	if short {
		failed = append(failed, errShort)
	}

	return errors.Join(failed...)
}

// print writes the table, and says whether a row falls short.
func (k *record) print(w io.Writer) (short bool) {
	fmt.Fprintf(w, "\n%s, %d cores, %s, %s, commit %s, medians of %d pairs, load of the last minute %s\n", k.Machine.CPU,
		k.Machine.Cores, k.Machine.Go, k.Machine.OS, k.Commit, k.Pairs, k.Machine.Load)

	if k.Quick {
		fmt.Fprintln(w, "A QUICK RUN, with a tenth of the entries and one pair: it does not count.")
	}

	fmt.Fprintln(w)

	table := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)

	fmt.Fprintln(table, "| row\t|\tmeasured\t|\tlimit\t|\tgoal\t|\tours\t|\ttheirs\t|\t|")
	fmt.Fprintln(table, "| ---\t|\t---\t|\t---\t|\t---\t|\t---\t|\t---\t|\t---\t|")

	for _, r := range k.Rows {
		limit, goal := bound(r.Limit, r.AtLeast), ""
		if r.Goal != r.Limit {
			goal = bound(r.Goal, r.AtLeast)
		}

		verdict := "ok"
		if r.Limit == 0 {
			verdict = ""
		}

		switch {
		case r.Skipped != "":
			fmt.Fprintf(table, "| %s\t|\t\t|\t%s\t|\t%s\t|\t\t|\t\t|\tskipped: %s\t|\n", r.Text, limit, goal, r.Skipped)

			continue
		case !r.Reached:
			verdict, short = "SHORT", true
		case !r.Done:
			verdict = "goal not reached"
		}

		fmt.Fprintf(table, "| %s\t|\t%.3g %s\t|\t%s\t|\t%s\t|\t%s\t|\t%s\t|\t%s\t|\n", r.Text, r.Value, r.unit, limit, goal,
			r.Ours, r.Theirs, verdict)
	}

	_ = table.Flush()

	return short
}

// bound says what a figure has to be, "" where anything will do.
func bound(limit float64, atLeast bool) string {
	switch {
	case limit == 0:
		return ""
	case atLeast:
		return fmt.Sprintf("at least %g", limit)
	default:
		return fmt.Sprintf("at most %g", limit)
	}
}

// String is the medians.
func (s samples) String() string {
	if len(s.Runs) == 0 {
		return ""
	}

	text := fmt.Sprintf("%.2f s, CPU %.2f s", median(s.Runs, wall), median(s.Runs, cpu))
	if p := median(s.Runs, peak); p > 0 {
		text += fmt.Sprintf(", %.0f MiB", p/mebibyte)
	}

	return text
}
