// SPDX-License-Identifier: MPL-2.0

package follow_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a cloud whose log grows, and a clock.
type world struct {
	t      testing.TB
	name   string
	fake   *fakeapi.Server
	cloud  auditlog.Service
	random *rand.Rand

	mu     sync.Mutex
	now    time.Time
	serial int
	// reject makes the cloud refuse cursors, and down every request.
	reject, down bool

	exports string        // the directory of PodStack's
	covered time.Time     // up to when exports were made
	rows    []string      // those that no export has yet
	store   durable.Store // of the archive
}

// services are those that a world can be of.
func services() []string {
	return []string{
		auditlog.ServiceUpCloud, auditlog.ServiceCloudscale, auditlog.ServicePodStack, auditlog.ServiceArchive,
	}
}

func newWorld(tb testing.TB, name string, seed uint64) *world {
	tb.Helper()

	w := &world{t: tb, name: name, random: rand.New(rand.NewPCG(seed, 1)), now: begin, covered: begin.Add(-time.Hour)}

	var err error
	if w.fake, err = fakeapi.New(fakeapi.Options{NoExamples: true, Now: begin, Clock: w.clock}); err != nil {
		tb.Fatal(err)
	}

	handler := w.fake.UpCloud()
	if name != auditlog.ServiceUpCloud {
		handler = w.fake.Cloudscale()
	}

	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case w.down:
			rw.WriteHeader(http.StatusServiceUnavailable)
		case w.reject && r.URL.Query().Has("cursor"):
			http.Error(rw, `{"detail":"Invalid cursor."}`, http.StatusBadRequest)
		default:
			handler.ServeHTTP(rw, r)
		}
	}))
	tb.Cleanup(server.Close)

	endpoint, err := url.Parse(server.URL)
	if err != nil {
		tb.Fatal(err)
	}

	c := client.New(client.Options{
		Endpoint: endpoint, Authorization: "Bearer " + fakeapi.DefaultToken, UserAgent: "test",
		RequestTimeout: time.Minute, MaxRetries: 2, RetryWaitMin: time.Microsecond, RetryWaitMax: time.Millisecond,
		MaxConcurrency: 1, Clock: w.clock,
	})

	switch name {
	case auditlog.ServiceUpCloud:
		w.cloud = upcloud.New(c, w.clock, 0)
	case auditlog.ServicePodStack:
		w.exports = tb.TempDir()
		w.export()
	default:
		w.cloud = cloudscale.New(c, w.clock, 0)
	}

	if name == auditlog.ServiceArchive {
		w.store, err = durable.OpenStore(tb.Context(), filepath.Join(tb.TempDir(), "archive"), durable.StoreOptions{})
		if err != nil {
			tb.Fatal(err)
		}

		w.archive()
	}

	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.now = w.now.Add(d)
}

// happen lets n records be recorded at about a time.
func (w *world) happen(n int, at time.Time) {
	for range n {
		w.serial++
		at := at.Add(time.Duration(w.random.IntN(1000)) * time.Millisecond).Truncate(time.Microsecond)
		ip := fmt.Sprintf("192.0.2.%d", w.serial%250)
		message := fmt.Sprintf("Server 's%d' has been created", w.serial)

		switch w.name {
		case auditlog.ServiceUpCloud:
			w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
				Time: at, CloudEventID: fmt.Sprintf("01HQXYZ%019d", w.serial),
				Action:       []string{"create", "delete", "update"}[w.serial%3],
				ResourceType: "server", ResourceID: fmt.Sprint(w.serial), Origin: "api", AuthType: "api",
				CorrelationID: "c", AccountUsername: "ci", IPAddress: ip,
			})
		case auditlog.ServicePodStack:
			w.rows = append(w.rows,
				fmt.Sprintf("%s,ci@example.com,pod.create,s%d,%s", at.Format(time.RFC3339Nano), w.serial, message))
		default:
			// Every tenth record has a twin, which only its place tells apart.
			for range 1 + max(0, w.serial%10-8) {
				w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
					Timestamp: at, Action: "server_create", Message: message, IPAddress: &ip,
					Actor: fakeapi.CloudscaleActor{User: &fakeapi.CloudscaleUser{Email: "ci@example.com"}},
				})
			}
		}
	}
}

// publish lets copies of a log show what has happened.
func (w *world) publish() {
	switch w.name {
	case auditlog.ServicePodStack:
		w.export()
	case auditlog.ServiceArchive:
		w.archive()
	}
}

// export is somebody who exports what has happened since the last time.
func (w *world) export() {
	w.t.Helper()

	slices.Sort(w.rows)

	text := "Timestamp,User,Action,Resource,Details\n" + strings.Join(w.rows, "\n") + "\n"
	if len(w.rows) == 0 {
		return
	}

	name := filepath.Join(w.exports, fmt.Sprintf("export-%06d.csv", w.serial))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}

	w.rows = nil
}

// archive is a run of the archive.
func (w *world) archive() {
	w.t.Helper()

	a, err := archive.Open(context.Background(), archive.Options{
		Store: w.store, Service: w.cloud, Format: format.NDJSON, Compression: format.Zstd,
		Start: begin.Add(-time.Hour), Clock: w.clock, Tool: "test",
	})
	if err == nil {
		_, err = a.Append(context.Background())
	}

	if err != nil {
		w.t.Fatal(err)
	}
}

// open opens the log as it is now.
func (w *world) open(ctx context.Context) (auditlog.Service, error) {
	switch w.name {
	case auditlog.ServicePodStack:
		return podstack.New(podstack.Options{Exports: []string{filepath.Join(w.exports, "*.csv")}, Clock: w.clock}), nil
	case auditlog.ServiceArchive:
		return archive.OpenReader(ctx, w.store, archive.ReaderOptions{InfoOf: func(string) (auditlog.Info, bool) {
			return cloudscale.Info(), true
		}})
	default:
		return w.cloud, nil
	}
}

func (w *world) options(out follow.Output) follow.Options {
	return follow.Options{
		Open: w.open, Since: begin.Add(-time.Hour), Interval: time.Minute, Overlap: 10 * time.Minute,
		SettleDelay: time.Minute, Once: true, Output: out, Clock: w.clock,
		Temporary: func(err error) bool {
			e := (*client.Error)(nil)

			return errors.As(err, &e) && e.Kind == client.KindServer
		},
	}
}

// run is one run of a stream.
func (w *world) run(out follow.Output) error {
	return follow.New(w.options(out)).WithoutWaits().Run(context.Background())
}

// all are the ids of what the log shows by now.
func (w *world) all() []string {
	w.t.Helper()

	s, err := w.open(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}

	var ids []string

	_, err = auditlog.ReadAll(context.Background(), s, auditlog.Query{
		Window: auditlog.Window{Start: begin.Add(-time.Hour), End: w.clock().Add(-time.Minute)},
	}, func(e *auditlog.Entry) error {
		ids = append(ids, e.ID)

		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}

	return ids
}

// checkTaken makes sure that nothing is missing, and that nothing is there twice but what may be.
func (w *world) checkTaken(taken []string, mayRepeat map[string]bool) {
	w.t.Helper()

	counts := map[string]int{}
	for _, id := range taken {
		counts[id]++
	}

	all := w.all()
	for _, id := range all {
		if counts[id] == 0 {
			w.t.Errorf("%s is lost", id)
		}

		if counts[id] > 1 && !mayRepeat[id] {
			w.t.Errorf("%s came %d times", id, counts[id])
		}

		delete(counts, id)
	}

	if len(counts) > 0 {
		w.t.Errorf("%d entries came that the log does not have", len(counts))
	}

	if len(all) == 0 || w.t.Failed() {
		w.t.Fatalf("%s: %d entries in the log, %d taken", w.name, len(all), len(taken))
	}
}

// memory is a sink that keeps the ids of what it took.
type memory struct {
	mu    sync.Mutex
	ids   []string
	times []time.Time
	// refuse is asked before each batch, nil refuses none.
	refuse func(ctx context.Context) error
}

func (m *memory) Take(ctx context.Context, entries []auditlog.Entry) error {
	if m.refuse != nil {
		if err := m.refuse(ctx); err != nil {
			return err
		}
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	for i := range entries {
		m.ids, m.times = append(m.ids, entries[i].ID), append(m.times, entries[i].Time)
	}

	return nil
}

func (m *memory) Close() error { return nil }

// keep is a sink with a state file.
func keep(tb testing.TB, s sink.Sink, path string) *sink.Kept {
	tb.Helper()

	k, err := sink.Keep(s, path, durable.Options{})
	if err != nil {
		tb.Fatal(err)
	}

	return k
}

// idsIn are the ids in files of NDJSON, in the order of the files.
func idsIn(tb testing.TB, directory string) []string {
	tb.Helper()

	names, err := filepath.Glob(filepath.Join(directory, "*.ndjson"))
	if err != nil {
		tb.Fatal(err)
	}

	var ids []string

	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}

		ids = append(ids, idsOf(tb, text)...)
	}

	return ids
}

// idsOf are the ids in lines of NDJSON.
func idsOf(tb testing.TB, text []byte) []string {
	tb.Helper()

	var ids []string

	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var e struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			tb.Fatalf("%v: %s", err, lines.Text())
		}

		ids = append(ids, e.ID)
	}

	return ids
}
