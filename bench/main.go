// SPDX-License-Identifier: MPL-2.0

//go:build unix

// Command bench measures how fast logs are read, against what people use else and against a bare copy. make bench runs
// it; README.md says how to read what it prints.
//
// It starts itself again for all that is measured of ours, and for the fakes, each in a process of its own, so that the
// operating system tells what each of them costs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/auditlogs/terraform-provider-audit/bench/cost"
)

// part is what a process that bench has started does.
type part func(ctx context.Context, args []string) error

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)

	err := run(ctx, os.Args)

	stop()

	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	parts := map[string]part{
		"fake": fake, "export": exportLog, "walk": walk, "copy": copyExport, "findings": evaluate, "reference": reference,
	}

	if len(args) > 1 && parts[args[1]] != nil {
		return cost.Profiled(func() error { return parts[args[1]](ctx, args[2:]) })
	}

	var o options

	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.only, "only", "", "measure only the rows whose name holds this text")
	flags.IntVar(&o.pairs, "pairs", 5, "how often each of two is measured, in turns")
	flags.BoolVar(&o.quick, "quick", false, "a tenth of the entries and one pair: to try it; it does not count")
	flags.BoolVar(&o.profile, "profile", false, "also write a CPU profile of ours for each row")
	flags.StringVar(&o.results, "results", "bench/results", "directory for the results")
	flags.StringVar(&o.python, "python", "", "Python that has aiohttp; empty skips the rows that need it")
	flags.StringVar(&o.provider, "provider", "", "the program of ./bench/provider")
	flags.StringVar(&o.auditlog, "auditlog", "", "the program of ./cmd/auditlog")
	flags.StringVar(&o.terraform, "terraform", "", "Terraform or OpenTofu; empty skips the rows that need it")

	if err := flags.Parse(args[1:]); err != nil {
		return err
	}

	if o.quick {
		o.pairs = 1
	}

	return measure(ctx, o, time.Now().UTC())
}
