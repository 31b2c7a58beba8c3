// SPDX-License-Identifier: MPL-2.0

package matrix

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// The log is small, and yet has several pages.
const (
	records  = 14
	newer    = 3 // that many of them come late: they are what there is to add
	pageSize = 4
	seed     = 7

	span = 3 * 24 * time.Hour // An archive has a segment a day.
)

// history is what the log of a service holds, each a line of the kind that the fake
// loads, oldest first. older are those that are there from the beginning, and
// before the time at which the others are not there yet.
type history struct {
	older, all string
	before     time.Time
}

// newHistory takes the log from a fake, so that records are like those of the
// service.
func newHistory(tb testing.TB, cloud string) history {
	tb.Helper()

	fake, err := fakeapi.New(fakeapi.Options{Entries: records, Seed: seed, Span: span, NoExamples: true})
	if err != nil {
		tb.Fatal(err)
	}

	var (
		lines []string
		times []time.Time
	)

	switch cloud {
	case auditlog.ServiceUpCloud:
		for _, r := range fake.UpCloudRecords() {
			lines, times = append(lines, string(r.Raw)), append(times, r.Time)
		}
	case auditlog.ServiceCloudscale:
		for _, r := range fake.CloudscaleRecords() {
			lines, times = append(lines, string(r.Raw)), append(times, r.Timestamp)
		}
	default:
		tb.Fatalf("there is no fake of %s", cloud)
	}

	for i := range lines {
		lines[i] = fmt.Sprintf("{\"service\":%q,\"record\":%s}\n", cloud, lines[i])
	}

	return history{
		older: strings.Join(lines[:records-newer], ""), all: strings.Join(lines, ""),
		before: slices.MinFunc(times[records-newer:], time.Time.Compare).Add(-time.Second),
	}
}

// cloud is a service that can be exchanged for another one at the same address, and
// the provider that reads it.
type cloud struct {
	tb      testing.TB
	name    string
	history history

	server  tfprotov6.ProviderServer
	schemas *tfprotov6.GetProviderSchemaResponse

	url     string
	bucket  *storetest.S3
	serving atomic.Pointer[fakeapi.Server]
	seed    uint64 // of the faults
	now     atomic.Int64

	stores map[string]durable.Store

	elsewhere string
	strayed   atomic.Int64 // how many requests went elsewhere
}

func newCloud(tb testing.TB, name string) *cloud {
	tb.Helper()

	c := &cloud{tb: tb, name: name, history: newHistory(tb, name), stores: map[string]durable.Store{}, seed: seed}
	_, c.bucket = storetest.NewS3(tb)

	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fake := c.serving.Load()
		if name == auditlog.ServiceUpCloud {
			fake.UpCloud().ServeHTTP(w, r)
		} else {
			fake.Cloudscale().ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(front.Close)

	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { c.strayed.Add(1) }))
	tb.Cleanup(other.Close)

	c.url, c.elsewhere = front.URL, other.URL
	c.serve(c.history.all, now)

	c.server = provider.NewServer(provider.Options{
		Version: "test", Clock: c.clock, LookupEnv: c.bucket.LookupEnv,
	})()

	var err error
	if c.schemas, err = c.server.GetProviderSchema(tb.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		tb.Fatal(err)
	}

	c.strike()

	return c
}

func (c *cloud) clock() time.Time { return time.Unix(0, c.now.Load()).UTC() }

// patience is how long a request may take: long enough for the slowest machine
// unless it is sure to hang.
func patience(faults []fakeapi.Fault) string {
	if slices.ContainsFunc(faults, func(f fakeapi.Fault) bool { return strings.HasPrefix(f.Name, "hang") }) {
		return "200ms"
	}

	return "2m"
}

const retries = 2

// serve begins with a service that holds the records, at the time.
func (c *cloud) serve(records string, now time.Time) *fakeapi.Server {
	c.tb.Helper()
	c.now.Store(now.UnixNano())

	fake, err := fakeapi.New(fakeapi.Options{
		NoExamples: true, Seed: c.seed, Now: now, Clock: c.clock, Foreign: c.elsewhere, Drip: 16 * time.Millisecond,
		UpCloudMaxLimit: pageSize, CloudscalePageSize: pageSize, RetryAfter: "0",
	})
	if err != nil {
		c.tb.Fatal(err)
	}

	if err := fake.Load(strings.NewReader(records)); err != nil {
		c.tb.Fatal(err)
	}

	c.serving.Store(fake)

	return fake
}

// strike gives the service other faults, and makes a provider that has the patience
// for them and remembers nothing.
func (c *cloud) strike(faults ...fakeapi.Fault) {
	c.tb.Helper()
	c.serving.Load().SetFaults(faults)

	kind := c.schemas.Provider.ValueType()

	done, err := c.server.ConfigureProvider(c.ctx(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.11.4", Config: dynamic(kind, valueOf(kind, args{
			c.name:            args{"token": fakeapi.DefaultToken, "endpoint": c.url, "account": "matrix"},
			"request_timeout": patience(faults), "max_retries": retries, "retry_wait_min": "1ms", "retry_wait_max": "2ms",
			"max_concurrency": concurrency(faults),
		})),
	})
	if err != nil {
		c.tb.Fatal(err)
	}

	if said := errorsOf(done.Diagnostics); said != nil {
		c.tb.Fatal(said)
	}
}

// concurrency is one where a fault strikes once: it could strike a page that was asked for
// ahead and is thrown away, or one of two that bring the same record. What comes of that,
// the tests of the services say.
func concurrency(faults []fakeapi.Fault) int64 {
	if slices.ContainsFunc(faults, func(f fakeapi.Fault) bool { return f.Times > 0 }) {
		return 1
	}

	return 8
}

// struck says how many requests the faults have struck, and whether one was for
// filter options.
func struck(fake *fakeapi.Server) (n int, options bool) {
	for _, r := range fake.Requests() {
		if r.Fault != "" {
			n++
			options = options || strings.HasSuffix(r.Path, "/filter-options")
		}
	}

	return n, options
}

// ctx outlives the test's own, so that what is under way ends by itself.
func (c *cloud) ctx() context.Context { return context.WithoutCancel(c.tb.Context()) }

func errorsOf(all []*tfprotov6.Diagnostic) []string {
	var texts []string

	for _, d := range all {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			texts = append(texts, d.Summary+": "+d.Detail)
		}
	}

	return texts
}

// read validates and reads a data source.
func (c *cloud) read(name string, arguments args) (args, []string) {
	c.tb.Helper()

	kind := c.schemas.DataSourceSchemas[name].ValueType()
	config := dynamic(kind, valueOf(kind, arguments))

	checked, err := c.server.ValidateDataResourceConfig(c.ctx(),
		&tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})
	c.sound(err, checked.Diagnostics)

	found, err := c.server.ReadDataSource(c.ctx(), &tfprotov6.ReadDataSourceRequest{TypeName: name, Config: config})
	c.sound(err, nil)

	return c.result(kind, found.State, found.Diagnostics)
}

// open validates and opens an ephemeral resource.
func (c *cloud) open(name string, arguments args) (args, []string) {
	c.tb.Helper()

	kind := c.schemas.EphemeralResourceSchemas[name].ValueType()
	config := dynamic(kind, valueOf(kind, arguments))

	found, err := c.server.OpenEphemeralResource(c.ctx(),
		&tfprotov6.OpenEphemeralResourceRequest{TypeName: name, Config: config})
	c.sound(err, nil)

	return c.result(kind, found.Result, found.Diagnostics)
}

// sound fails where the test itself is at fault.
func (c *cloud) sound(err error, all []*tfprotov6.Diagnostic) {
	c.tb.Helper()

	if err != nil {
		c.tb.Fatal(err)
	}

	if said := errorsOf(all); said != nil {
		c.tb.Fatal(said)
	}
}

func (c *cloud) result(kind tftypes.Type, state *tfprotov6.DynamicValue, all []*tfprotov6.Diagnostic) (args, []string) {
	c.tb.Helper()

	if said := errorsOf(all); said != nil {
		return nil, said
	}

	object, ok := goOf(c.decode(kind, state)).(args)
	if !ok {
		c.tb.Fatal("the result is no object")
	}

	return object, nil
}

func (c *cloud) decode(kind tftypes.Type, d *tfprotov6.DynamicValue) tftypes.Value {
	c.tb.Helper()

	v, err := d.Unmarshal(kind)
	if err != nil {
		c.tb.Fatal(err)
	}

	return v
}

// kept is a resource as Terraform remembers it.
type kept struct {
	state   tftypes.Value
	private []byte
}

// apply plans and applies a resource; without before it is created.
func (c *cloud) apply(name string, before *kept, arguments args) (*kept, []string) {
	c.tb.Helper()

	kind := c.schemas.ResourceSchemas[name].ValueType()
	config := valueOf(kind, arguments)
	prior, private, proposed := valueOf(kind, nil), []byte(nil), config

	if before != nil {
		prior, private = before.state, before.private
		proposed = c.proposed(name, config, prior)
	}

	checked, err := c.server.ValidateResourceConfig(c.ctx(),
		&tfprotov6.ValidateResourceConfigRequest{TypeName: name, Config: dynamic(kind, config)})
	c.sound(err, checked.Diagnostics)

	planned, err := c.server.PlanResourceChange(c.ctx(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: name, Config: dynamic(kind, config), PriorState: dynamic(kind, prior),
		ProposedNewState: dynamic(kind, proposed), PriorPrivate: private,
	})
	c.sound(err, nil)

	if said := errorsOf(planned.Diagnostics); said != nil {
		return nil, said
	}

	if len(planned.RequiresReplace) > 0 {
		c.tb.Fatalf("%s would be replaced for %v", name, planned.RequiresReplace)
	}

	applied, err := c.server.ApplyResourceChange(c.ctx(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: name, Config: dynamic(kind, config), PriorState: dynamic(kind, prior), PlannedState: planned.PlannedState,
		PlannedPrivate: planned.PlannedPrivate,
	})
	c.sound(err, nil)

	if said := errorsOf(applied.Diagnostics); said != nil {
		return nil, said
	}

	return &kept{c.decode(kind, applied.NewState), applied.Private}, nil
}

// proposed is what Terraform proposes: results stay until the provider says that
// they do not.
func (c *cloud) proposed(name string, config, prior tftypes.Value) tftypes.Value {
	values, old := as[map[string]tftypes.Value](config), as[map[string]tftypes.Value](prior)
	all := maps.Clone(values)

	for _, a := range c.schemas.ResourceSchemas[name].Block.Attributes {
		if a.Computed && values[a.Name].IsNull() {
			all[a.Name] = old[a.Name]
		}
	}

	return tftypes.NewValue(config.Type(), all)
}

// refresh looks at what a resource has become.
func (c *cloud) refresh(name string, before *kept) (*kept, []string) {
	c.tb.Helper()

	kind := c.schemas.ResourceSchemas[name].ValueType()

	found, err := c.server.ReadResource(c.ctx(), &tfprotov6.ReadResourceRequest{
		TypeName: name, CurrentState: dynamic(kind, before.state), Private: before.private,
	})
	c.sound(err, nil)

	if said := errorsOf(found.Diagnostics); said != nil {
		return nil, said
	}

	return &kept{c.decode(kind, found.NewState), found.Private}, nil
}
