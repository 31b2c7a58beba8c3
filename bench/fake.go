// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// endpoints is what a fake prints once it listens.
type endpoints struct {
	UpCloud    string `json:"upcloud"`
	Cloudscale string `json:"cloudscale"`
}

// fake serves logs until its standard input ends.
func fake(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	entries := flags.Int("entries", 0, "")
	latency := flags.Duration("latency", 0, "")
	now := flags.String("now", "", "")

	if err := flags.Parse(args); err != nil {
		return err
	}

	end, err := time.Parse(time.RFC3339, *now)
	if err != nil {
		return err
	}

	// What the fake costs is not measured, so it should cost little: the log stays, and pages come and go.
	debug.SetGCPercent(400)

	server, err := fakeapi.New(fakeapi.Options{
		Entries: *entries, NoExamples: true, Seed: 1, Now: end, Latency: *latency, Clock: time.Now,
	})
	if err != nil {
		return err
	}

	var where endpoints

	for handler, at := range map[*http.Handler]*string{
		new(server.UpCloud()): &where.UpCloud, new(server.Cloudscale()): &where.Cloudscale,
	} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}

		*at = "http://" + l.Addr().String()

		go func() {
			s := &http.Server{Handler: *handler, ReadHeaderTimeout: time.Minute}
			fmt.Fprintln(os.Stderr, s.Serve(l))
		}()
	}

	if err := json.NewEncoder(os.Stdout).Encode(where); err != nil {
		return err
	}

	_, err = io.Copy(io.Discard, os.Stdin)

	return err
}
