// SPDX-License-Identifier: MPL-2.0

// Command auditlog works with cloud audit logs outside Terraform: it looks entries up, keeps, follows and checks them,
// and serves fakes of the clouds' APIs.
package main

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/term"
)

// What the linker is told: -ldflags "-X main.version=1.2.3". A release build gives the version, make the other two, as
// it keeps Go from recording them. commitDate is RFC 3339.
var (
	version            = unreleased
	commit, commitDate string
)

const unreleased = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	env := environment{
		stdout: os.Stdout, stderr: os.Stderr, data: os.Stdout, terminal: os.Stderr, stdin: os.Stdin,
		now: time.Now, lookupEnv: os.LookupEnv, local: time.Local, //nolint:gosmopolitan // It is the zone of whoever looks.
		columns: columns(os.Stdout), talks: term.IsTerminal(int(os.Stderr.Fd())),
	}

	// Help is laid out by it, as what is written to is no file.
	if _, ok := os.LookupEnv("COLUMNS"); !ok && env.columns > 0 {
		_ = os.Setenv("COLUMNS", strconv.Itoa(env.columns))
	}

	code := run(ctx, os.Args[1:], env)

	stop()
	os.Exit(code)
}

// usualColumnCount is how wide a terminal is taken for that does not say.
const usualColumnCount = 80

// columns is how wide a terminal is, 0 for what is none.
func columns(f *os.File) int {
	if !term.IsTerminal(int(f.Fd())) {
		return 0
	}

	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}

	return usualColumnCount
}
