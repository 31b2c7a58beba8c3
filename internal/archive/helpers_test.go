// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// TestMain shortens property tests where the race detector slows them; make
// simulate runs them in full.
func TestMain(m *testing.M) {
	raceflag.Shorten()
	os.Exit(m.Run())
}

// memory is a store that forgets nothing and costs nothing. What real places do
// beyond it is the durable package's to test.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	calls   int
	bytes   int
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

func (m *memory) String() string { return "memory" }

func (m *memory) Create(_ context.Context, key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.calls++

	if _, ok := m.objects[key]; ok {
		return &fs.PathError{Op: "create", Path: key, Err: durable.ErrExists}
	}

	m.objects[key] = slices.Clone(data)
	m.bytes += len(data)

	return nil
}

func (m *memory) Replace(_ context.Context, key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.calls++
	m.bytes += len(data)
	m.objects[key] = slices.Clone(data)

	return nil
}

func (m *memory) Read(_ context.Context, key string, _ int64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.calls++

	data, ok := m.objects[key]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: key, Err: fs.ErrNotExist}
	}

	m.bytes += len(data)

	return slices.Clone(data), nil
}

func (m *memory) List(_ context.Context, prefix string) iter.Seq2[durable.Object, error] {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.calls++

	var objects []durable.Object

	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) {
			objects = append(objects, durable.Object{Key: key, Size: int64(len(m.objects[key]))})
		}
	}

	return func(yield func(durable.Object, error) bool) {
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.calls++
	delete(m.objects, key)

	return nil
}

var errCrash = errors.New("the runner crashed")

// crashing is a store whose user crashes at the n-th change, before or after it
// took place: from then on nothing reaches the store any more.
type crashing struct {
	durable.Store

	at      int
	after   bool
	changes int
	crashed bool
}

func (c *crashing) change(do func() error) error {
	if c.crashed {
		return errCrash
	}

	c.changes++
	if c.changes != c.at {
		return do()
	}

	c.crashed = true
	if c.after {
		_ = do()
	}

	return errCrash
}

func (c *crashing) Create(ctx context.Context, key string, data []byte) error {
	return c.change(func() error { return c.Store.Create(ctx, key, data) })
}

func (c *crashing) Replace(ctx context.Context, key string, data []byte) error {
	return c.change(func() error { return c.Store.Replace(ctx, key, data) })
}

func (c *crashing) Delete(ctx context.Context, key string) error {
	return c.change(func() error { return c.Store.Delete(ctx, key) })
}

// world is a cloud whose log grows, and a clock.
type world struct {
	t       testing.TB
	fake    *fakeapi.Server
	service auditlog.Service
	random  *rand.Rand
	now     time.Time
	serial  int
	// duringPages adds records while a reading is under way.
	duringPages func()
	// reject makes the cloud refuse cursors.
	reject bool
	// ahead is how far the cloud's clock is ahead of ours.
	ahead time.Duration
}

// cloudNow is what the cloud's clock shows.
func (w *world) cloudNow() time.Time { return w.now.Add(w.ahead) }

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld(tb testing.TB, service string, seed uint64) *world {
	tb.Helper()

	return newWorldOf(tb, service, seed, fakeapi.Options{}, 0)
}

// newWorldOf lets the clocks be off by as much as limit.
func newWorldOf(tb testing.TB, service string, seed uint64, o fakeapi.Options, limit time.Duration) *world {
	tb.Helper()

	w := &world{t: tb, random: rand.New(rand.NewPCG(seed, 1)), now: begin, duringPages: func() {}}

	o.NoExamples, o.Now, o.Clock = true, begin, w.cloudNow

	var err error
	if w.fake, err = fakeapi.New(o); err != nil {
		tb.Fatal(err)
	}

	fake := w.fake

	handler := fake.UpCloud()
	if service == auditlog.ServiceCloudscale {
		handler = fake.Cloudscale()
	}

	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.reject && r.URL.Query().Has("cursor") {
			http.Error(rw, `{"detail":"Invalid cursor."}`, http.StatusBadRequest)

			return
		}

		w.duringPages()
		handler.ServeHTTP(rw, r)
	}))
	tb.Cleanup(s.Close)

	endpoint, err := url.Parse(s.URL)
	if err != nil {
		tb.Fatal(err)
	}

	w.read(service, endpoint, limit)

	return w
}

// read makes the service that reads from an endpoint.
func (w *world) read(service string, endpoint *url.URL, limit time.Duration) {
	clock := func() time.Time { return w.now }
	c := client.New(client.Options{
		Endpoint: endpoint, Authorization: "Bearer " + fakeapi.DefaultToken, UserAgent: "test", RequestTimeout: time.Minute,
		MaxRetries: 2, RetryWaitMin: time.Microsecond, RetryWaitMax: time.Millisecond, MaxConcurrency: 1, Clock: clock,
		MaxClockSkew: limit,
	})

	w.service = upcloud.New(c, clock, 0)
	if service == auditlog.ServiceCloudscale {
		w.service = cloudscale.New(c, clock, 0)
	}
}

// happen adds n records at a time, to both clouds.
func (w *world) happen(n int, at time.Time) {
	for range n {
		w.serial++
		at := at.Add(time.Duration(w.random.IntN(1000)) * time.Millisecond).Truncate(time.Microsecond)
		ip := fmt.Sprintf("192.0.2.%d", w.serial%250)

		w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
			Time: at, CloudEventID: fmt.Sprintf("01HQXYZ%019d", w.serial),
			Action:       []string{"create", "delete", "update"}[w.serial%3],
			ResourceType: "server", ResourceID: fmt.Sprint(w.serial), Origin: "api", AuthType: "api", CorrelationID: "c",
			AccountUsername: "ci", IPAddress: ip,
		})

		// Every tenth record has a twin, which only its place tells apart.
		for range 1 + max(0, w.serial%10-8) {
			w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
				Timestamp: at, Action: "server_create", Message: fmt.Sprintf("Server 's%d' has been created", w.serial),
				IPAddress: &ip,
				Actor:     fakeapi.CloudscaleActor{User: &fakeapi.CloudscaleUser{Email: "ci@example.com"}},
			})
		}
	}
}

func (w *world) options(store durable.Store) archive.Options {
	return archive.Options{
		Store: store, Service: w.service, Format: format.NDJSON, Compression: format.Zstd,
		Start: begin.AddDate(0, 0, -30), Clock: func() time.Time { return w.now }, Tool: "test",
	}
}

// apply is one run of a runner that remembers nothing but the head.
func (w *world) apply(o archive.Options) (archive.Result, error) {
	a, err := archive.Open(context.Background(), o)
	if err != nil {
		return archive.Result{}, err
	}

	return a.Append(context.Background())
}

func (w *world) mustApply(o archive.Options) archive.Result {
	w.t.Helper()

	r, err := w.apply(o)
	if err != nil {
		w.t.Fatal(err)
	}

	return r
}

// remembered is the checkpoint of a result, as Terraform's state keeps it.
func remembered(tb failer, r archive.Result) *archive.Checkpoint {
	tb.Helper()

	c, err := archive.ParseCheckpoint(r.Checkpoint)
	if err != nil {
		tb.Fatal(err)
	}

	return &c
}

// failer is a test, be it one of rapid's.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// archived returns every archived record, by id, and fails on one archived twice.
func archived(tb failer, store durable.Store) map[string]string {
	tb.Helper()

	records := map[string]string{}

	for e, err := range archive.Entries(tb.Context(), store) {
		if err != nil {
			tb.Fatal(err)
		}

		if _, ok := records[e.ID]; ok {
			tb.Fatalf("%s is archived twice", e.ID)
		}

		records[e.ID] = string(e.Raw)
	}

	return records
}

// checkExactlyOnce compares the archive with the cloud's log up to a moment.
func (w *world) checkExactlyOnce(store durable.Store, until time.Time) {
	w.t.Helper()

	want := map[string]int{}

	if w.service.Info().Name == auditlog.ServiceUpCloud {
		for _, r := range w.fake.UpCloudRecords() {
			if r.Time.Before(until) {
				want[string(r.Raw)]++
			}
		}
	} else {
		for _, r := range w.fake.CloudscaleRecords() {
			if r.Timestamp.Before(until) {
				want[string(r.Raw)]++
			}
		}
	}

	got := map[string]int{}
	for _, raw := range archived(w.t, store) {
		got[raw]++
	}

	for raw, n := range want {
		if got[raw] != n {
			w.t.Fatalf("archived %d times instead of %d: %s", got[raw], n, raw)
		}
	}

	if len(got) != len(want) {
		w.t.Fatalf("%d different records are archived, %d exist", len(got), len(want))
	}
}

// checkVerifies runs the verifier and fails on any finding but the allowed ones.
func checkVerifies(
	tb testing.TB, store durable.Store, o archive.VerifyOptions, allowed ...archive.Finding,
) *archive.Report {
	tb.Helper()

	report, err := archive.Verify(tb.Context(), store, o)
	if err != nil {
		tb.Fatal(err)
	}

	for _, p := range report.Problems {
		if !slices.Contains(allowed, p.Finding) {
			tb.Fatalf("%s: %s: %s", p.Finding, p.Key, p.Detail)
		}
	}

	return report
}

// ledger remembers what has been archived: what is there once stays as it is, and
// no entry comes twice.
type ledger struct {
	last     int
	previous string
	ids      map[string]bool
}

func newLedger() *ledger { return &ledger{ids: map[string]bool{}} }

// check looks at what has been added since the last time.
func (l *ledger) check(tb testing.TB, store durable.Store) {
	tb.Helper()

	for {
		m, data := manifestOf(tb, store, l.last+1)
		if m == nil {
			return
		}

		if m.Previous != l.previous {
			tb.Fatalf("manifest %d does not follow the one before", m.Sequence)
		}

		l.last, l.previous = l.last+1, hash(data)

		if m.Segment == nil {
			continue
		}

		segment, err := store.Read(tb.Context(), m.Segment.Key, 1<<30)
		if err != nil || hash(segment) != m.Segment.SHA256 {
			tb.Fatalf("%s is not what its manifest says: %v", m.Segment.Key, err)
		}

		o := format.DecoderOptions{Compression: m.Segment.Compression}
		for e, err := range format.Decode(bytes.NewReader(segment), int64(len(segment)), m.Segment.Format, o) {
			if err != nil || l.ids[e.ID] {
				tb.Fatalf("%s in segment %d is archived twice, or %v", e.ID, m.Sequence, err)
			}

			l.ids[e.ID] = true
		}
	}
}

// manifestOf returns a manifest that the log leads to, nil where there is none.
func manifestOf(tb testing.TB, store durable.Store, number int) (*archive.Manifest, []byte) {
	tb.Helper()

	if _, err := store.Read(tb.Context(), fmt.Sprintf("checkpoints/%08d", number), 1<<20); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	var keys []string

	for o, err := range store.List(tb.Context(), fmt.Sprintf("manifests/%08d-", number)) {
		if err != nil {
			tb.Fatal(err)
		}

		keys = append(keys, o.Key)
	}

	if len(keys) != 1 {
		tb.Fatalf("manifest %d is one of %v", number, keys)
	}

	data, err := store.Read(tb.Context(), keys[0], 1<<20)

	var m archive.Manifest
	if err := errors.Join(err, json.Unmarshal(data, &m)); err != nil {
		tb.Fatal(err)
	}

	return &m, data
}

func hash(data []byte) string {
	s := sha256.Sum256(data)

	return hex.EncodeToString(s[:])
}

// manifestsOf are the manifests of an archive, as they are written.
func manifestsOf(tb testing.TB, store durable.Store) [][]byte {
	tb.Helper()

	var manifests [][]byte

	for {
		m, data := manifestOf(tb, store, len(manifests)+1)
		if m == nil {
			return manifests
		}

		manifests = append(manifests, data)
	}
}

// rebuilt is an archive with other manifests. Everything that follows from them is made
// anew, so that it agrees. Without a signer nothing is signed.
func rebuilt(tb testing.TB, store *memory, manifests [][]byte, signer note.Signer) *memory {
	tb.Helper()

	first, err := archive.ParseCheckpoint(string(store.objects["checkpoints/00000000"]))
	if err != nil {
		tb.Fatal(err)
	}

	other := newMemory()

	for key, data := range store.objects {
		if !strings.HasPrefix(key, "checkpoint") && !strings.HasPrefix(key, "manifests/") &&
			!strings.HasPrefix(key, "tile/") {
			other.objects[key] = data
		}
	}

	if err := archive.WriteLog(tb.Context(), other, first, manifests, signer); err != nil {
		tb.Fatal(err)
	}

	return other
}

// forged changes a manifest and makes everything after it agree, as whoever may
// write to an unsigned archive can.
func forged(tb testing.TB, store *memory, sequence int, change func(*archive.Manifest)) *memory {
	tb.Helper()

	manifests := manifestsOf(tb, store)
	previous := ""

	for i, data := range manifests {
		var m archive.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			tb.Fatal(err)
		}

		if m.Previous = previous; i+1 == sequence {
			change(&m)
		}

		text, err := json.Marshal(m)
		if err != nil {
			tb.Fatal(err)
		}

		manifests[i], previous = text, hash(text)
	}

	return rebuilt(tb, store, manifests, nil)
}

// keyOf is the key of an object that belongs to a manifest's number.
func (m *memory) keyOf(tb testing.TB, prefix string, sequence int) string {
	tb.Helper()

	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) && strings.Contains(key, fmt.Sprintf("/%08d-", sequence)) {
			return key
		}
	}

	tb.Fatalf("there is nothing of number %d under %s", sequence, prefix)

	return ""
}

// copied is a store with the same objects.
func (m *memory) copied() *memory {
	other := newMemory()
	other.objects = maps.Clone(m.objects)

	return other
}

// directoryOf copies an archive to a directory.
func directoryOf(t *testing.T, store *memory) string {
	t.Helper()

	dir := t.TempDir()

	to, err := durable.OpenStore(t.Context(), dir, durable.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}

	for key, data := range store.objects {
		if err := to.Create(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}

	return dir
}
