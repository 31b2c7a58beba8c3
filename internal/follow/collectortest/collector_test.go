// SPDX-License-Identifier: MPL-2.0

// Package collectortest passes entries on to a real OpenTelemetry Collector: its own service, its own receiver of OTLP,
// and an exporter that remembers.
package collectortest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
)

// remembering is the end of the collector's pipeline.
type remembering struct {
	mu      sync.Mutex
	records []plog.LogRecord
	scopes  []string
	fail    error
}

func (r *remembering) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.fail != nil {
		return r.fail
	}

	for _, resource := range logs.ResourceLogs().All() {
		name, _ := resource.Resource().Attributes().Get("service.name")

		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				kept := plog.NewLogRecord()
				record.CopyTo(kept)
				r.records = append(r.records, kept)
				r.scopes = append(r.scopes, name.AsString())
			}
		}
	}

	return nil
}

func (r *remembering) Start(context.Context, component.Host) error { return nil }
func (r *remembering) Shutdown(context.Context) error              { return nil }
func (r *remembering) Capabilities() consumer.Capabilities         { return consumer.Capabilities{} }

func (r *remembering) set(fail error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.fail = fail
}

// collect starts a collector and returns where it listens.
func collect(t *testing.T, r *remembering) (address string) {
	t.Helper()

	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	address = free.Addr().String()
	_ = free.Close()

	kind := component.MustNewType("remembering")
	factories := func() (otelcol.Factories, error) {
		return otelcol.Factories{
			Telemetry: otelconftelemetry.NewFactory(),
			Receivers: map[component.Type]receiver.Factory{
				otlpreceiver.NewFactory().Type(): otlpreceiver.NewFactory(),
			},
			Exporters: map[component.Type]exporter.Factory{
				kind: exporter.NewFactory(kind, func() component.Config { return &struct{}{} }, exporter.WithLogs(
					func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) { return r, nil },
					component.StabilityLevelStable)),
			},
		}, nil
	}

	config := fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: %q}}}}
exporters: {remembering: {}}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines: {logs: {receivers: [otlp], exporters: [remembering]}}
`, address)

	c, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(), Factories: factories, DisableGracefulShutdown: true,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: []string{"yaml:" + config}, ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}

	ended := make(chan error, 1)

	go func() { ended <- c.Run(context.Background()) }()

	t.Cleanup(func() {
		c.Shutdown()

		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	for c.GetState() != otelcol.StateRunning {
		select {
		case err := <-ended:
			ended <- err
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}

	return address
}

func entries(n int) []auditlog.Entry {
	all := make([]auditlog.Entry, n)
	for i := range all {
		all[i] = auditlog.Entry{
			ID: fmt.Sprintf("E%06d", i), Time: time.Date(2026, 1, 1, 0, 0, i, 123456000, time.UTC), Service: "upcloud",
			Action: "create", Operation: auditlog.OperationCreate, ActorType: auditlog.ActorUser, Actor: "Zoë \u2028 <ci>",
			ResourceType: "server", Message: strings.Repeat("x", 10), Raw: json.RawMessage(`{"n":12345678901234567890}`),
		}
	}

	return all
}

func open(t *testing.T, address string) *sink.OTLPSink {
	t.Helper()

	to, err := sink.ParseTarget("otlp+http://" + address)
	if err != nil {
		t.Fatal(err)
	}

	s, err := sink.NewOTLP(t.Context(), sink.OTLPOptions{Target: to, Version: "test", Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = s.Close() })

	return s
}

// The collector has every entry: as the body, whole, with its id and its fields as attributes.
func TestCollectorHasEveryEntry(t *testing.T) {
	r := &remembering{}
	s := open(t, collect(t, r))
	all := entries(1200)

	for at := 0; at < len(all); at += 500 {
		if err := s.Take(t.Context(), all[at:min(at+500, len(all))]); err != nil {
			t.Fatal(err)
		}
	}

	if len(r.records) != len(all) {
		t.Fatalf("%d records", len(r.records))
	}

	for i, record := range r.records {
		attribute := func(name string) string {
			v, _ := record.Attributes().Get(name)

			return v.AsString()
		}

		e := &all[i]
		if id := attribute("log.record.uid"); id != e.ID {
			t.Fatalf("record %d is of %s", i, id)
		}

		if attribute("auditlog.actor") != e.Actor || attribute("auditlog.operation") != "create" ||
			!record.Timestamp().AsTime().Equal(e.Time) || r.scopes[i] != "auditlog" {
			t.Errorf("record %d: %v at %s", i, record.Attributes().AsRaw(), record.Timestamp())
		}

		var body struct {
			ID  string          `json:"id"`
			Raw json.RawMessage `json:"raw"`
		}
		if err := json.Unmarshal([]byte(record.Body().Str()), &body); err != nil || body.ID != e.ID || string(body.Raw) != string(e.Raw) {
			t.Errorf("record %d: %v: %s", i, err, record.Body().Str())
		}
	}
}

// What the collector refuses for now is tried again by whoever calls, and what it refuses for good is not.
func TestCollectorRefuses(t *testing.T) {
	r := &remembering{}
	s := open(t, collect(t, r))

	for _, c := range []struct {
		fail      error
		temporary bool
	}{
		{errors.New("the queue is full"), true},
		{consumererror.NewPermanent(errors.New("not understood")), false},
	} {
		r.set(c.fail)

		taking := (*sink.Error)(nil)
		if err := s.Take(t.Context(), entries(3)); !errors.As(err, &taking) || taking.Temporary != c.temporary {
			t.Errorf("%v: got %v", c.fail, err)
		}
	}

	r.set(nil)

	if err := s.Take(t.Context(), entries(3)); err != nil || len(r.records) != 3 {
		t.Errorf("%v, %d records", err, len(r.records))
	}
}
