// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

const mebibyte = 1 << 20

// log is a fake that a group needs.
type log struct {
	entries int
	latency time.Duration
}

// group is comparisons that read from the same fakes.
type group struct {
	logs        []log
	comparisons func(o *options, at []endpoints) ([]comparison, error)
}

// groups are all that is measured.
func groups() []group {
	const page = 50 * time.Millisecond // how long a page takes where that matters

	return []group{
		{[]log{{entries: 200_000}}, cloudscaleRows},
		{[]log{{entries: 60_000, latency: page}}, backfillRows},
		{[]log{{entries: 40_000, latency: page}}, pagesRows},
		{[]log{{entries: 1_000_000}}, streamRows},
		{[]log{{entries: 1_000_000}, {entries: 10_000}}, memoryRows},
		{[]log{{entries: 1_000_000}, {entries: 100_000}}, scaleRows},
		{[]log{{entries: 10_000}}, stateRows},
		{[]log{{entries: 100_000, latency: page}}, gateRows},
		{[]log{{entries: 100_000}}, coreRows},
		{nil, findingsRows},
	}
}

// window is all of the log, which ended days ago.
func (o *options) window() (start, end string) {
	return o.now.Add(-fakeapi.DefaultSpan - time.Hour).Format(time.RFC3339), o.now.Format(time.RFC3339)
}

// exports is an export of ours.
func (o *options) exports(service string, at endpoints, more ...string) subject {
	endpoint := at.UpCloud
	if service == auditlog.ServiceCloudscale {
		endpoint = at.Cloudscale
	}

	start, end := o.window()
	dir := filepath.Join(o.scratch, "ours")
	out := filepath.Join(dir, "log")
	s := subject{name: "ours " + service, dir: dir, lines: out, run: self(append([]string{
		"export", "-service", service, "-endpoint", endpoint, "-out", out, "-start", start, "-end", end,
	}, more...)...)}

	if len(more) > 0 {
		s.name += " " + strings.Join(more, " ")
	}

	return s
}

// typed is a command line as a user types it, which writes entries to a file, or to several where out is "".
func (o *options) typed(at endpoints, out string, args ...string) subject {
	dir := filepath.Join(o.scratch, "typed")
	run := command(false, o.auditlog, args...)

	// What is followed goes to one file after another.
	lines := filepath.Join(dir, "*.ndjson")
	if out != "" {
		lines = filepath.Join(dir, out)
	}

	return subject{
		name: "auditlog " + args[0], dir: dir, lines: lines,
		run: func(ctx context.Context, env ...string) (sample, error) {
			return run(ctx, append(env, "CLOUDSCALE_API_TOKEN="+fakeapi.DefaultToken, "CLOUDSCALE_API_URL="+at.Cloudscale)...)
		},
	}
}

// cursorLoop is the loop that anybody writes first, which writes records in a form: pretty or lines.
func (o *options) cursorLoop(at endpoints, form string) subject {
	start, end := o.window()
	dir := filepath.Join(o.scratch, "theirs")

	return subject{name: "cursor.py, " + form, dir: dir, run: command(true, o.python, "bench/rivals/cursor.py",
		at.Cloudscale+"/v1/project-logs", fakeapi.DefaultToken, start, end, filepath.Join(dir, "log"), form)}
}

func (o *options) withoutPython() string {
	if o.python == "" {
		return "no Python with aiohttp"
	}

	return ""
}

func cloudscaleRows(o *options, at []endpoints) ([]comparison, error) {
	ours := o.exports(auditlog.ServiceCloudscale, at[0])
	start, end := o.window()

	return []comparison{
		{
			ours: ours, theirs: o.cursorLoop(at[0], "pretty"), sameEntries: true, skipped: o.withoutPython(),
			rows: []row{
				{"cloudscale-wall", "cloudscale: times faster than the published Python loop", faster, 3, true, "", 8},
				{"cloudscale-cpu", "cloudscale: CPU over that of the published Python loop", over(cpu), 0.6, false, "", 0.25},
			},
		},
		{
			ours: o.typed(at[0], "log", "export", "--service", auditlog.ServiceCloudscale, "--format", string(format.NDJSON),
				"--path", filepath.Join(o.scratch, "typed", "log"), "--start", start, "--end", end, "--settle-delay", "0s"),
			theirs: o.cursorLoop(at[0], "pretty"), sameEntries: true, skipped: o.withoutPython(),
			rows: []row{
				{"cloudscale-export", "auditlog export: times faster than the published loop", faster, 3, true, "", 8},
				{"cloudscale-export-cpu", "auditlog export: CPU over that of the published loop", over(cpu), 0.6, false, "", 0.25},
			},
		},
		{
			ours: o.typed(at[0], "", "tail", "--service", auditlog.ServiceCloudscale, "--once", "--since", start,
				"--settle-delay", "0s", "--to", "file:"+filepath.Join(o.scratch, "typed")),
			theirs: o.cursorLoop(at[0], "pretty"), sameEntries: true, skipped: o.withoutPython(),
			rows: []row{
				{"cloudscale-tail", "auditlog tail --once: times faster than the published loop", faster, 1.7, true, "", 8},
				{"cloudscale-tail-cpu", "auditlog tail --once: CPU over that of the published loop", over(cpu), 0.8, false, "", 0.25},
			},
		},
		{
			ours: ours, theirs: o.cursorLoop(at[0], "lines"), sameEntries: true, skipped: o.withoutPython(),
			rows: []row{{"cloudscale-lines", "cloudscale: times faster than the same loop without indents", faster, 1.2, true, "", 0}},
		},
	}, nil
}

func backfillRows(o *options, at []endpoints) ([]comparison, error) {
	return []comparison{{
		ours:   o.exports(auditlog.ServiceCloudscale, at[0], "-concurrency", "8"),
		theirs: o.cursorLoop(at[0], "pretty"), sameEntries: true, skipped: o.withoutPython(),
		rows: []row{{
			"cloudscale-backfill", "cloudscale, 50 ms a page, 8 at a time: times faster than the published loop", faster,
			4.5, true, "", 7,
		}},
	}}, nil
}

func pagesRows(o *options, at []endpoints) ([]comparison, error) {
	return []comparison{{
		ours:        o.exports(auditlog.ServiceUpCloud, at[0], "-strategy", "pages", "-concurrency", "8"),
		theirs:      o.exports(auditlog.ServiceUpCloud, at[0], "-strategy", "pages", "-concurrency", "1"),
		sameEntries: true,
		rows: []row{{
			"upcloud-pages", "UpCloud by pages, 50 ms each: times faster 8 at a time than one", faster, 6, true, "", 0,
		}},
	}}, nil
}

// exportURL is UpCloud's bulk endpoint.
func exportURL(at endpoints) string { return at.UpCloud + "/1.3/audit-logs/export?format=json" }

func streamRows(o *options, at []endpoints) ([]comparison, error) {
	dir := filepath.Join(o.scratch, "theirs")
	out := filepath.Join(dir, "log")
	piped := subject{name: "curl | jq -c select", dir: dir, lines: out, run: command(false, "sh", "-c", fmt.Sprintf(
		`curl -fsS -H 'Authorization: Bearer %s' '%s' | jq -c '.[] | select(.action == "delete")' >%s`,
		fakeapi.DefaultToken, exportURL(at[0]), out))}
	copied := subject{name: "copy with fsync", dir: dir, run: self("copy", "-url", exportURL(at[0]), "-out", out)}

	return []comparison{
		{
			ours:   o.exports(auditlog.ServiceUpCloud, at[0], "-strategy", "stream", "-action", "delete"),
			theirs: piped, sameEntries: true,
			rows: []row{{
				"upcloud-filtered", "UpCloud streamed, one filter: times faster than curl and jq", faster, 3, true, "", 6,
			}},
		},
		{
			ours: o.exports(auditlog.ServiceUpCloud, at[0], "-strategy", "stream"), theirs: copied,
			rows: []row{{"upcloud-copy", "UpCloud streamed, unfiltered: wall over the bare copy", over(wall), 15, false, "", 4}},
		},
	}, nil
}

// peakOf is the peak of ours in MiB.
func peakOf(ours, _ []sample) float64 { return median(ours, peak) / mebibyte }

// both compares the same export of both clouds over two logs.
func both(o *options, at []endpoints, name, text string, rows func(name, text string) []row) []comparison {
	out := make([]comparison, 2)

	for i, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		out[i] = comparison{
			ours: o.exports(service, at[0]), theirs: o.exports(service, at[1]),
			rows: rows(name+"-"+service, []string{"UpCloud: ", "cloudscale: "}[i]+text),
		}
	}

	return out
}

func memoryRows(o *options, at []endpoints) ([]comparison, error) {
	all := both(o, at, "memory", "peak memory at 1,000,000 entries over 10,000", func(name, text string) []row {
		return []row{
			{name, text, over(peak), 1.8, false, "", 1.15},
			{name + "-peak", strings.TrimSuffix(text, " over 10,000"), peakOf, 80, false, "MiB", 64},
		}
	})

	for i := range at {
		parquet := o.exports(auditlog.ServiceUpCloud, at[i], "-format", string(format.Parquet))
		parquet.lines = ""

		if i == 0 {
			all = append(all, comparison{ours: parquet, rows: []row{
				{"memory-parquet-peak", "UpCloud: peak memory at 1,000,000 entries, Parquet", peakOf, 128, false, "MiB", 0},
			}})
		} else {
			all[len(all)-1].theirs = parquet
		}
	}

	return all, nil
}

func scaleRows(o *options, at []endpoints) ([]comparison, error) {
	return both(o, at, "scale", "time for 1,000,000 entries over 100,000", func(name, text string) []row {
		return []row{{name, text, over(wall), 10.5, false, "", 0}}
	}), nil
}

func (o *options) withoutTerraform() string {
	if o.terraform == "" {
		return "no Terraform"
	}

	return ""
}

// lookUp is the arguments of a look-up of a log that ends then.
func (o *options) lookUp(end time.Time, entries bool) string {
	start := end.Add(-fakeapi.DefaultSpan - time.Hour)

	return "start = \"" + start.Format(time.RFC3339) + "\"\nend = \"" + end.Format(time.RFC3339) + "\"\nmax_entries = 10000\ninclude_entries = " +
		strconv.FormatBool(entries)
}

func stateRows(o *options, at []endpoints) ([]comparison, error) {
	with, err := newWorkspace(o, auditlog.ServiceUpCloud, at[0], o.lookUp(o.now, true))
	if err != nil {
		return nil, err
	}

	without, err := newWorkspace(o, auditlog.ServiceUpCloud, at[0], o.lookUp(o.now, false))
	if err != nil {
		return nil, err
	}

	return []comparison{{
		ours:        subject{name: "terraform apply, 10,000 rows", run: with.runs("apply", "-auto-approve")},
		theirs:      subject{name: "terraform apply, no rows", run: without.runs("apply", "-auto-approve")},
		sameEntries: true, skipped: o.withoutTerraform(),
		rows: []row{{
			"state-rows", "audit_logs with 10,000 rows: CPU of the provider over that without", over(cpu), 3, false, "", 0,
		}},
	}}, nil
}

func gateRows(o *options, at []endpoints) ([]comparison, error) {
	plan, err := newWorkspace(o, auditlog.ServiceCloudscale, at[0], o.lookUp(o.now, false))
	if err != nil {
		return nil, err
	}

	start, end := o.window()

	return []comparison{{
		ours: subject{name: "terraform plan, counts only", run: plan.runs("plan")},
		theirs: subject{name: "walk", run: self("walk", "-url",
			at[0].Cloudscale+"/v1/project-logs?start="+start+"&end="+end)},
		skipped: o.withoutTerraform(),
		rows: []row{{
			"gate", "terraform plan of a counts-only gate, 100,000 entries, 50 ms a page: wall over the bare walk", over(wall),
			1.5, false, "", 0,
		}},
	}}, nil
}

// coreRows say what a gate costs where a page takes no time. Then the walk is shorter than what Terraform takes to plan
// anything, so that there is no limit.
func coreRows(o *options, at []endpoints) ([]comparison, error) {
	full, err := newWorkspace(o, auditlog.ServiceCloudscale, at[0], o.lookUp(o.now, false))
	if err != nil {
		return nil, err
	}

	before := o.now.Add(-fakeapi.DefaultSpan - time.Hour) // The log begins later.

	empty, err := newWorkspace(o, auditlog.ServiceCloudscale, at[0], o.lookUp(before, false))
	if err != nil {
		return nil, err
	}

	return []comparison{{
		ours:    subject{name: "terraform plan, counts only", run: full.runs("plan")},
		theirs:  subject{name: "terraform plan, nothing to read", run: empty.runs("plan")},
		skipped: o.withoutTerraform(),
		rows: []row{{
			"gate-core", "the same gate where pages take no time: wall less that of an empty window",
			func(ours, theirs []sample) float64 { return median(ours, wall) - median(theirs, wall) }, 0, true, "s", 0,
		}},
	}}, nil
}

func findingsRows(o *options, _ []endpoints) ([]comparison, error) {
	entries := o.size(1_000_000)

	return []comparison{{
		ours:   subject{name: "findings", run: self("findings", "-entries", strconv.Itoa(entries))},
		theirs: subject{name: "reference work", run: self("reference")},
		rows: []row{{
			"findings", "findings, 1,000,000 entries, all built-ins and five rules: times faster than before",
			func(ours, theirs []sample) float64 {
				before := findingsBefore * median(theirs, wall) * float64(entries) / 1_000_000

				return before / median(ours, wall)
			}, 2, true, "", 0,
		}},
	}}, nil
}

// wanted says whether a comparison has a row that is asked for.
func (o *options) wanted(c *comparison) bool {
	for _, r := range c.rows {
		if strings.Contains(r.name, o.only) {
			return true
		}
	}

	return false
}

// size is how many entries stand for n.
func (o *options) size(n int) int {
	if o.quick {
		return n / 10
	}

	return n
}

// measureGroup starts what a group needs, and measures what is asked for of it.
func (o *options) measureGroup(ctx context.Context, g *group, tell func(string)) ([]result, error) {
	// Nothing is started for rows that nobody asked for. Their names do not depend on where the fakes are.
	all, err := g.comparisons(o, make([]endpoints, len(g.logs)))
	if err != nil {
		return nil, err
	}

	var out []result

	needed := false

	for i := range all {
		switch c := &all[i]; {
		case !o.wanted(c):
		case c.skipped != "":
			for _, r := range c.rows {
				out = append(out, result{Name: r.name, Text: r.text, Limit: r.limit, AtLeast: r.atLeast, Skipped: c.skipped})
			}
		default:
			needed = true
		}
	}

	if !needed {
		return out, nil
	}

	var at []endpoints

	for _, l := range g.logs {
		tell(fmt.Sprintf("a fake with %d entries, %s a page", o.size(l.entries), l.latency))

		where, stop, err := o.serve(ctx, o.size(l.entries), l.latency)
		if err != nil {
			return nil, err
		}
		defer stop() //nolint:gocritic // all of them are needed until the end

		at = append(at, where)
	}

	if all, err = g.comparisons(o, at); err != nil {
		return nil, err
	}

	for i := range all {
		c := &all[i]
		if !o.wanted(c) || c.skipped != "" {
			continue
		}

		c.warm = !o.quick && !slices.ContainsFunc(g.logs, func(l log) bool { return l.latency > 0 })

		tell(c.ours.name + " and " + c.theirs.name)

		got, err := o.compare(ctx, c)
		if err != nil {
			return nil, err
		}

		out = append(out, got...)
	}

	return out, nil
}
