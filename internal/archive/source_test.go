// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// anonymous is a service that does not say whose log it is.
type anonymous struct{ auditlog.Service }

func (s anonymous) Info() auditlog.Info {
	info := s.Service.Info()
	info.Source = auditlog.Source{}

	return info
}

func (s anonymous) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for e, err := range s.Service.Read(ctx, q, c) {
			c.Source, e.Endpoint, e.Account = auditlog.Source{}, "", ""
			if !yield(e, err) {
				return
			}
		}

		c.Source = auditlog.Source{}
	}
}

// calling returns the world's service under a name for the account.
func (w *world) calling(account string) *upcloud.Service {
	w.t.Helper()

	s, ok := w.service.(*upcloud.Service)
	if !ok {
		w.t.Fatalf("the service is a %T", w.service)
	}

	return s.ForAccount(account)
}

// TestAppendKeepsToItsLog: what is known once stays, and another log is refused
// before anything is written.
func TestAppendKeepsToItsLog(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	other := (*auditlog.SourceError)(nil)

	more := func() archive.Options {
		w.now = w.now.Add(time.Hour)
		w.happen(3, w.now.Add(-30*time.Minute))

		return w.options(store)
	}

	o := more()
	o.Service = anonymous{w.service}

	if r := w.mustApply(o); r.Source != (auditlog.Source{Service: "upcloud"}) || !r.Confirmed {
		t.Errorf("got %+v", r)
	}

	o = more()
	o.Service = w.calling("a")

	if r := w.mustApply(o); r.Source.Account != "a" || r.Source.Endpoint != w.service.Info().Source.Endpoint ||
		!r.Confirmed {
		t.Errorf("got %+v", r)
	}

	o = more()
	o.Service = anonymous{w.service}

	if r := w.mustApply(o); r.Source.Account != "a" || r.Confirmed {
		t.Errorf("got %+v", r)
	}

	// The log that is now another one's is asked about in several ways.
	o = more()
	o.Service = w.calling("b")
	before := maps.Clone(store.objects)

	if _, err := w.apply(o); !errors.As(err, &other) || other.Known.Account != "a" || other.Found.Account != "b" {
		t.Errorf("by its name: %v", err)
	}

	o.Service = anonymous{w.service}
	o.Source = auditlog.Source{Account: "b"}

	if _, err := w.apply(o); !errors.As(err, &other) {
		t.Errorf("by what was known before: %v", err)
	}

	o = w.options(store)
	o.Service = w.calling("") // It asks.

	a, err := archive.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}

	if err := a.Ask(t.Context()); !errors.As(err, &other) || other.Found.Account != fakeapi.DefaultUsername {
		t.Errorf("by asking: %v", err)
	}

	if a, err = archive.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}

	if p, err := a.Pending(t.Context(), 10); !errors.As(err, &other) {
		t.Errorf("by a refresh: %+v, %v", p, err)
	}

	if _, err := a.Append(t.Context()); !errors.As(err, &other) {
		t.Errorf("by reading: %v", err)
	}

	if !maps.EqualFunc(before, store.objects, bytes.Equal) {
		t.Error("something was written")
	}

	// A refresh that cannot tell does not say that more is covered.
	w.now = w.now.Add(-40 * time.Minute)
	o = w.options(store)
	o.Service = anonymous{w.service}

	if a, err = archive.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}

	if p, err := a.Pending(t.Context(), 10); err != nil || p.Confirmed || p.Count > 0 ||
		!p.CoveredUntil.Equal(a.Last().CoveredUntil) {
		t.Errorf("got %+v, %v", p, err)
	}

	o.Service = w.calling("a")
	w.mustApply(o)

	if report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{}); err != nil || !report.Valid ||
		report.Source.Account != "a" {
		t.Errorf("got %+v, %v", report, err)
	}
}

// TestSourceIsLearnedOnTheWay: cloudscale's records name the project, perhaps not the
// first ones. Nothing of a second project is archived, in the same run neither.
func TestSourceIsLearnedOnTheWay(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceCloudscale, 2)
	store := newMemory()

	day := func(n int, project string) {
		for i := range 250 {
			r := fakeapi.CloudscaleRecord{
				Timestamp: begin.AddDate(0, 0, n).Add(time.Duration(i) * time.Second), Action: "server_create",
				Message: fmt.Sprintf("Server '%d' has been created", i),
				Actor:   fakeapi.CloudscaleActor{System: &struct{}{}},
			}
			if project != "" {
				r.Subject = &fakeapi.CloudscaleSubject{Project: &fakeapi.CloudscaleProject{UUID: project, Name: "P"}}
			}

			w.fake.AppendCloudscale(r)
		}
	}

	day(0, "")
	day(1, "p-1")
	day(2, "")
	w.now = begin.AddDate(0, 0, 3)

	if r := w.mustApply(w.options(store)); r.Added != 750 || r.Source.Account != "p-1" {
		t.Fatalf("got %+v", r)
	}

	day(3, "")
	day(4, "p-2")
	w.now = begin.AddDate(0, 0, 5)

	if _, err := w.apply(w.options(store)); err == nil || !strings.Contains(err.Error(), `"p-1" and "p-2"`) {
		t.Errorf("by the same token: %v", err)
	}

	// A runner of its own has read nothing of the first project.
	fresh := newWorld(t, auditlog.ServiceCloudscale, 3)
	fresh.now = w.now

	o := w.options(store)
	o.Service = renamed{fresh.service, w.service.Info().Source}

	for _, r := range w.fake.CloudscaleRecords() {
		if r.Subject == nil || r.Subject.Project.UUID == "p-2" {
			fresh.fake.AppendCloudscale(r)
		}
	}

	other := (*auditlog.SourceError)(nil)
	if _, err := w.apply(o); !errors.As(err, &other) || other.Known.Account != "p-1" || other.Found.Account != "p-2" {
		t.Errorf("by another one: %v", err)
	}

	for e, err := range archive.Entries(t.Context(), store) {
		if err != nil || e.ScopeID == "p-2" {
			t.Fatalf("got %+v, %v", e, err)
		}
	}
}

// renamed is a service that is reached at another address.
type renamed struct {
	auditlog.Service

	as auditlog.Source
}

func (s renamed) Info() auditlog.Info {
	info := s.Service.Info()
	info.Source = s.as

	return info
}

func (s renamed) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for e, err := range s.Service.Read(ctx, q, c) {
			c.Source.Endpoint, e.Endpoint = s.as.Endpoint, s.as.Endpoint
			if !yield(e, err) {
				return
			}
		}

		c.Source.Endpoint = s.as.Endpoint
	}
}

// TestManifestsNameOneLog: an archive whose manifests name two logs, however it came
// about, is neither valid nor read.
func TestManifestsNameOneLog(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 4)
	store := newMemory()

	for range 3 {
		w.now = w.now.Add(time.Hour)
		w.happen(3, w.now.Add(-30*time.Minute))

		o := w.options(store)
		o.Service = w.calling("a")
		w.mustApply(o)
	}

	// Whoever holds no key can write any chain.
	store = forged(t, store, 3, func(m *archive.Manifest) { m.Source.Account = "b" })

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
	if err != nil || report.Valid || len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingAltered ||
		report.Problems[0].Key != store.keyOf(t, "manifests/", 3) ||
		!strings.Contains(report.Problems[0].Detail, `account "b", not of upcloud, `) {
		t.Errorf("got %+v, %v", report, err)
	}

	if _, err := archive.OpenReader(t.Context(), store,
		archive.ReaderOptions{InfoOf: func(string) (auditlog.Info, bool) { return upcloud.Info(), true }}); !errors.Is(err,
		archive.ErrBroken) {
		t.Errorf("got %v", err)
	}
}
