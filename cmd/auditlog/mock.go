// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

const (
	// How long a stopping server waits for answers under way.
	stopTimeout   = 5 * time.Second
	headerTimeout = 30 * time.Second
)

// mockCommand serves fakeapi. The same flags serve the same bytes, unless --now is the word now or --listen leaves the
// ports, which cloudscale's page URLs contain, to chance.
type mockCommand struct {
	Listen  string        `help:"Address for UpCloud; cloudscale gets the next port. A port of 0 stands for a free one each. By default a free loopback port each." placeholder:"HOST:PORT"`
	Entries int           `default:"1000" min:"0" max:"2000000" help:"Records to generate per service, besides the documented examples." placeholder:"NUMBER"`
	Seed    uint64        `default:"1" help:"What the records and the faults are drawn from: another number draws others." placeholder:"NUMBER"`
	Now     string        `help:"Where the generated month ends: an RFC 3339 time, or the word now. By default ${now}." placeholder:"TIME"`
	Skew    time.Duration `name:"clock-skew" min:"-87600h" max:"87600h" help:"How far the services' clock, which the header Date tells, is ahead of this machine's, like 1h or -90s." placeholder:"DURATION"`
	Every   time.Duration `help:"Let something happen so often, like 10s: one more record of each service. By default nothing does." placeholder:"DURATION"`
	Latency time.Duration `min:"0s" help:"Delay of every answer, like 200ms." placeholder:"DURATION"`
	Fault   []string      `help:"Make requests for the log and for filter options go wrong, RATE (by default ${rate}) of them. May be given several times. The names are listed above." placeholder:"NAME[:RATE]" sep:"none"`
	Load    string        `help:"Serve the records of this file instead: one {\"service\":…,\"record\":…} a line." placeholder:"FILE"`

	UpCloudOffset   string `name:"upcloud-offset" enum:"row,page" default:"row" help:"What UpCloud's offset counts: ${enum}." placeholder:"WHAT"`
	UpCloudOrder    string `name:"upcloud-order" enum:"newest,oldest" default:"newest" help:"What UpCloud lists first: ${enum}." placeholder:"WHICH"`
	UpCloudMaxLimit int    `name:"upcloud-max-limit" min:"1" default:"200" help:"UpCloud's largest page. A larger limit is silently served as this one." placeholder:"N"`
	CloudscaleEnd   string `name:"cloudscale-end" enum:"every-page,first-page" default:"every-page" help:"Which pages of a cloudscale walk honour its end: ${enum}." placeholder:"WHICH"`
}

// announcement is the one line on standard output.
type announcement struct {
	UpCloud    string `json:"upcloud"`
	Cloudscale string `json:"cloudscale"`
	Token      string `json:"token"`
	Username   string `json:"username"`
	Password   string `json:"password"`
}

// Help lists the faults.
func (c *mockCommand) Help() string {
	width := 0
	for _, fault := range fakeapi.Faults() {
		width = max(width, len(fault.Name))
	}
	var text strings.Builder
	text.WriteString(`Its one line on standard output says where they listen, and which credentials they take.

Examples:

    # The token is fake-audit-token; cloudscale is served at port 8081.
    auditlog mock --listen 127.0.0.1:8080 --now now

    # Every tenth request fails, as a busy service's do.
    auditlog mock --listen 127.0.0.1:8080 --now now --fault 429:0.1

Faults:
`)
	for _, fault := range fakeapi.Faults() {
		what := fault.Text
		if fault.Only != "" {
			what = fault.Only + " only: " + what
		}
		// Lines that are indented stay as they are, so that what is too long for a terminal is broken here.
		indent := strings.Repeat(" ", width+6)
		lines := below(pretty.WrapSoft(what, usualColumnCount-len(indent)), indent)
		_, _ = fmt.Fprintf(&text, "\n    %-*s  %s", width, fault.Name, lines)
	}
	return text.String()
}

// Run serves until ctx ends.
func (c *mockCommand) Run(ctx context.Context, env environment) error {
	fake, err := c.fake(env)
	if err != nil {
		return err
	}
	upcloud, cloudscale, err := c.listen(ctx)
	if err != nil {
		return err
	}
	for _, l := range []net.Listener{upcloud, cloudscale} {
		if addr, ok := l.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
			_, _ = fmt.Fprintf(env.stderr, "Warning: %s can be reached from other machines, with credentials that are public.\n", addr)
		}
	}
	c.describe(env, fake)
	line, err := json.Marshal(announcement{ //nolint:gosec // These credentials are public and open nothing.
		UpCloud: origin(upcloud), Cloudscale: origin(cloudscale),
		Token: fakeapi.DefaultToken, Username: fakeapi.DefaultUsername, Password: fakeapi.DefaultPassword,
	})
	if err != nil {
		return fmt.Errorf("cannot say where the fakes listen: %w", err)
	}
	if _, err := fmt.Fprintf(env.data, "%s\n", line); err != nil {
		return errors.Join(fmt.Errorf("cannot print where the fakes listen: %w", err), upcloud.Close(), cloudscale.Close())
	}
	if c.Every > 0 {
		go c.grow(ctx, env, fake)
	}
	return serve(ctx, env, map[net.Listener]http.Handler{upcloud: fake.UpCloud(), cloudscale: fake.Cloudscale()})
}

func (c *mockCommand) fake(env environment) (*fakeapi.Server, error) {
	options := fakeapi.Options{
		Entries: c.Entries, Seed: c.Seed, Latency: c.Latency, Clock: env.now, ClockSkew: c.Skew,
		UpCloudMaxLimit: c.UpCloudMaxLimit,
	}
	switch c.Now {
	case "":
	case "now":
		options.Now = env.now()
	default:
		now, err := time.Parse(time.RFC3339, c.Now)
		if err != nil {
			return nil, fmt.Errorf("--now must be an RFC 3339 time like 2026-06-30T12:00:00Z, or the word now, not %q", c.Now)
		}
		options.Now = now
	}
	for _, text := range c.Fault {
		fault, err := fakeapi.ParseFault(text)
		if err != nil {
			return nil, fmt.Errorf("--fault: %w", err)
		}
		options.Faults = append(options.Faults, fault)
	}
	if c.UpCloudOffset == "page" {
		options.UpCloudOffset = fakeapi.OffsetPage
	}
	if c.UpCloudOrder == "oldest" {
		options.UpCloudOrder = fakeapi.OldestFirst
	}
	if c.CloudscaleEnd == "first-page" {
		options.CloudscaleEnd = fakeapi.EndFirstPage
	}
	if c.Load == "" {
		return fakeapi.New(options)
	}
	options.Entries = 0
	fake, err := fakeapi.New(options)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(c.Load)
	if err != nil {
		return nil, fmt.Errorf("cannot read the records to serve: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	if err := fake.Load(file); err != nil {
		return nil, fmt.Errorf("cannot serve the records of %s: %w", c.Load, err)
	}
	return fake, nil
}

// grow lets something happen now and then.
func (c *mockCommand) grow(ctx context.Context, env environment, fake *fakeapi.Server) {
	ticker := time.NewTicker(c.Every)
	defer ticker.Stop()
	for n := uint64(0); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := fake.Happen(env.now(), n); err != nil {
				_, _ = fmt.Fprintf(env.stderr, "Nothing more will happen: %v.\n", err)
				return
			}
		}
	}
}

// listen opens UpCloud's port and cloudscale's.
func (c *mockCommand) listen(ctx context.Context) (upcloud, cloudscale net.Listener, err error) {
	host, port := "127.0.0.1", 0
	if c.Listen != "" {
		var text string
		if host, text, err = net.SplitHostPort(c.Listen); err == nil {
			port, err = strconv.Atoi(text)
		}
		if err != nil || port < 0 || port > 65534 {
			return nil, nil, fmt.Errorf("--listen must be HOST:PORT with a port up to 65534, like 127.0.0.1:8080, not %q", c.Listen)
		}
	}
	next := port
	if port > 0 {
		next++
	}
	var config net.ListenConfig
	if upcloud, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port))); err != nil {
		return nil, nil, fmt.Errorf("cannot listen for UpCloud requests: %w", err)
	}
	if cloudscale, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(next))); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot listen for cloudscale requests: %w", err), upcloud.Close())
	}
	return upcloud, cloudscale, nil
}

// origin is a URL at which a client on this machine reaches l.
func origin(l net.Listener) string {
	addr := l.Addr().String()
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return "http://" + addr
}

// describe says on standard error what is served, and what to know about its age.
func (c *mockCommand) describe(env environment, fake *fakeapi.Server) {
	span := "Serving no records."
	if first, last, ok := fake.Bounds(); ok {
		span = fmt.Sprintf("Serving records from %s to %s.", first.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	note := ""
	if c.Now != "now" {
		note = ` Relative windows (last = "24h") count from the real time and need --now now.`
		if c.Load != "" {
			note = ` Relative windows (last = "24h") count from the real time.`
		}
	}
	_, _ = fmt.Fprintf(env.stderr, "%s%s\n", span, note)
}

// serve answers on every listener until ctx ends or one of them fails, then lets the answers under way finish.
func serve(ctx context.Context, env environment, handlers map[net.Listener]http.Handler) error {
	logger := log.New(env.stderr, "", 0)
	failed := make(chan error, len(handlers))
	servers := make([]*http.Server, 0, len(handlers))
	for l, handler := range handlers {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout, ErrorLog: logger}
		servers = append(servers, server)
		go func() { failed <- server.Serve(l) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for _, server := range servers {
		if stopErr := server.Shutdown(stopping); stopErr != nil {
			_ = server.Close()
			err = errors.Join(err, fmt.Errorf("some answers were cut off: %w", stopErr))
		}
	}
	return err
}

// mockVars are what the flags' help texts refer to.
func mockVars() map[string]string {
	return map[string]string{
		"now":  fakeapi.DefaultNow().Format(time.RFC3339),
		"rate": strconv.FormatFloat(fakeapi.DefaultFaultRate, 'g', -1, 64),
	}
}
