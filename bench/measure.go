// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/auditlogs/terraform-provider-audit/bench/cost"
)

type options struct {
	only, results, python, terraform, provider, auditlog string
	pairs                                                int
	quick, profile                                       bool

	// scratch holds what is written and thrown away.
	scratch string
	now     time.Time // where the logs end
}

// sample is one run of something.
type sample struct {
	Wall    float64 `json:"wall"`           // seconds
	CPU     float64 `json:"cpu"`            // seconds, user and system
	Peak    int64   `json:"peak,omitempty"` // bytes
	Entries int64   `json:"entries,omitempty"`
}

// runner runs something once. The variables are added to its environment.
type runner func(ctx context.Context, env ...string) (sample, error)

// subject is one of two that are compared.
type subject struct {
	name string
	run  runner
	// dir is where it writes, emptied before each run; "" where it writes nothing. lines is the file there whose lines
	// have to be as many as the entries, or a pattern of several files; "" where it writes none.
	dir, lines string
}

// row is one line of the table: what of two subjects is compared, and the limit. Rows of the same two share the runs.
type row struct {
	name, text string
	// ratio is what has to reach limit: at least, or at most.
	ratio   func(ours, theirs []sample) float64
	limit   float64
	atLeast bool
	unit    string
	// goal is what was set out for, where the limit is what has been reached so far: it
	// keeps that from getting lost. 0 where the limit is the goal.
	goal float64
}

// reaches says whether a figure reaches a limit of the row.
func (r *row) reaches(value, limit float64) bool {
	return value >= limit && r.atLeast || value <= limit && !r.atLeast
}

// comparison is two subjects that are run in turns, and the rows that come of it.
type comparison struct {
	ours, theirs subject
	rows         []row
	// warm says that one run of each comes first that does not count: it fills caches, which matter less where a page
	// takes long.
	warm bool
	// skipped says why it is left out; "" where it is not.
	skipped string
	// sameEntries says that both have to find the same number of entries.
	sameEntries bool
}

// result is a row with what was measured.
type result struct {
	Name    string  `json:"name"`
	Text    string  `json:"text"`
	Value   float64 `json:"value"`
	Limit   float64 `json:"limit"`
	Goal    float64 `json:"goal"`
	AtLeast bool    `json:"at_least"`
	Reached bool    `json:"reached"` // the limit
	Done    bool    `json:"done"`    // the goal
	Skipped string  `json:"skipped,omitempty"`
	Ours    samples `json:"ours"`
	Theirs  samples `json:"theirs"`
	unit    string  `json:"-"`
}

type samples struct {
	Name string   `json:"name"`
	Runs []sample `json:"runs,omitempty"`
}

func median[T int64 | float64](runs []sample, of func(sample) T) T {
	values := make([]T, len(runs))
	for i, s := range runs {
		values[i] = of(s)
	}

	slices.Sort(values)

	if len(values) == 0 {
		return 0
	}

	return values[len(values)/2]
}

func wall(s sample) float64 { return s.Wall }
func cpu(s sample) float64  { return s.CPU }
func peak(s sample) float64 { return float64(s.Peak) }

// over is the median of ours over the median of theirs.
func over(of func(sample) float64) func(ours, theirs []sample) float64 {
	return func(ours, theirs []sample) float64 { return median(ours, of) / median(theirs, of) }
}

// faster is how many times faster ours is.
func faster(ours, theirs []sample) float64 { return median(theirs, wall) / median(ours, wall) }

// command is a runner of a process. Ours print a report.
func command(reports bool, name string, args ...string) runner {
	return func(ctx context.Context, env ...string) (sample, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(os.Environ(), env...)

		var out, failed bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &failed

		begun := time.Now()
		err := cmd.Run()
		s := sample{Wall: time.Since(begun).Seconds()}

		if err != nil {
			return s, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, failed.String())
		}

		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			s.CPU = cost.CPU(usage)
		}

		if reports {
			var r report
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				return s, fmt.Errorf("%s printed %q: %w", args[0], out.String(), err)
			}

			s.Entries, s.Peak = r.Entries, r.Peak
			if r.Seconds > 0 {
				s.Wall = r.Seconds
			}
		}

		return s, nil
	}
}

// self is a part of this program as a process of its own.
func self(args ...string) runner {
	return func(ctx context.Context, env ...string) (sample, error) {
		path, err := os.Executable()
		if err != nil {
			return sample{}, err
		}

		return command(true, path, args...)(ctx, env...)
	}
}

// serve starts a fake and returns where it is. stop ends it.
func (o *options) serve(ctx context.Context, entries int, latency time.Duration) (endpoints, func(), error) {
	var at endpoints

	path, err := os.Executable()
	if err != nil {
		return at, nil, err
	}

	cmd := exec.CommandContext(ctx, path, "fake", "-entries", fmt.Sprint(entries), "-latency", latency.String(),
		"-now", o.now.Format(time.RFC3339))
	cmd.Stderr = os.Stderr

	in, err := cmd.StdinPipe()
	if err != nil {
		return at, nil, err
	}

	out, err := cmd.StdoutPipe()
	if err != nil {
		return at, nil, err
	}

	if err := cmd.Start(); err != nil {
		return at, nil, err
	}

	stop := func() { _, _ = in.Close(), cmd.Wait() }

	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &at)
	}

	if err != nil {
		stop()
	}

	return at, stop, err
}

// once runs a subject, and checks that it wrote what it found.
func (s subject) once(ctx context.Context, env ...string) (sample, error) {
	if s.dir != "" {
		if err := errors.Join(os.RemoveAll(s.dir), os.Mkdir(s.dir, 0o750)); err != nil {
			return sample{}, err
		}
	}

	got, err := s.run(ctx, env...)
	if err != nil || s.lines == "" {
		return got, err
	}

	files, err := filepath.Glob(s.lines)
	if err != nil || len(files) == 0 {
		return got, fmt.Errorf("%s wrote nothing: %w", s.name, cmp.Or(err, os.ErrNotExist))
	}

	var n int64

	for _, name := range files {
		more, err := linesIn(name)
		if err != nil {
			return got, err
		}

		n += more
	}

	if got.Entries != 0 && got.Entries != n {
		return got, fmt.Errorf("%s: %d entries and %d lines", s.name, got.Entries, n)
	}

	got.Entries = n

	return got, nil
}

// linesIn counts the lines of a file.
func linesIn(name string) (n int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()

	for chunk := make([]byte, 1<<20); ; {
		k, err := file.Read(chunk)
		n += int64(bytes.Count(chunk[:k], []byte("\n")))

		if errors.Is(err, io.EOF) {
			return n, nil
		}

		if err != nil {
			return n, err
		}
	}
}

// compare runs both in turns, ours first and theirs first alternately.
func (o *options) compare(ctx context.Context, c *comparison) ([]result, error) {
	var ours, theirs []sample

	for len(ours) < o.pairs {
		first, second := &c.ours, &c.theirs
		if len(ours)%2 == 1 {
			first, second = second, first
		}

		got := map[*subject]sample{}

		for _, s := range []*subject{first, second} {
			run, err := s.once(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}

			got[s] = run
		}

		if a, b := got[&c.ours].Entries, got[&c.theirs].Entries; c.sameEntries && a != b {
			return nil, fmt.Errorf("%s found %d entries, and %s %d", c.ours.name, a, c.theirs.name, b)
		}

		if c.warm {
			c.warm = false

			continue
		}

		ours, theirs = append(ours, got[&c.ours]), append(theirs, got[&c.theirs])
	}

	var out []result

	for _, r := range c.rows {
		value := r.ratio(ours, theirs)
		known := !math.IsNaN(value) && !math.IsInf(value, 0) // Not every system tells everything.
		if !known {
			value = 0
		}

		goal := cmp.Or(r.goal, r.limit)

		out = append(out, result{
			Name: r.name, Text: r.text, Value: value, Limit: r.limit, Goal: goal, AtLeast: r.atLeast, unit: r.unit,
			Reached: known && r.reaches(value, r.limit), Done: known && r.reaches(value, goal),
			Ours: samples{c.ours.name, ours}, Theirs: samples{c.theirs.name, theirs},
		})
	}

	if o.profile {
		return out, o.profileOf(ctx, c)
	}

	return out, nil
}

// profileOf runs ours once more, for a profile that takes the place of the one before.
func (o *options) profileOf(ctx context.Context, c *comparison) error {
	path := filepath.Join(o.results, c.rows[0].name+".cpu.pprof")
	if err := os.RemoveAll(path); err != nil {
		return err
	}

	if _, err := c.ours.once(ctx, cost.ProfileEnv+"="+path); err != nil {
		return fmt.Errorf("%s: %w", c.ours.name, err)
	}

	return nil
}
