// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// TestYear runs 400 applies over more than a year of a log that grows between
// them and during their pages, with rows that come late, bursts, quiet days,
// crashes at every step of writing and a new runner each time.
func TestYear(t *testing.T) {
	t.Parallel()

	steps := 400
	if raceflag.Enabled {
		steps = 80
	}

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		t.Run(service+" in memory", func(t *testing.T) {
			t.Parallel()
			year(t, service, newMemory(), steps, 50)
		})
		t.Run(service+" over S3", func(t *testing.T) {
			t.Parallel()

			if raceflag.Enabled {
				t.Skip("the race detector makes it take minutes; make simulate runs this")
			}

			destination, s3 := storetest.NewS3(t)
			year(t, service, s3.Open(t, destination), steps, 200)
		})
		t.Run(service+" in a directory", func(t *testing.T) {
			t.Parallel()

			store, err := durable.OpenStore(t.Context(), t.TempDir(), durable.StoreOptions{})
			if err != nil {
				t.Fatal(err)
			}

			year(t, service, store, 60, 50)
		})
	}
}

// year looks at what each apply added, and at one in so many steps at the whole
// archive.
func year(t *testing.T, service string, store durable.Store, steps, whole int) {
	t.Helper()

	w := newWorld(t, service, 7)

	var known *archive.Checkpoint

	crashes := 0
	book := newLedger()

	for step := range steps {
		w.advance(step)

		o := w.options(store)
		o.Known = known

		var crash *crashing

		if step%3 == 2 {
			crash = &crashing{Store: store, at: 1 + step/3%9, after: step%2 == 0}
			o.Store = crash
		}

		r, err := w.apply(o)

		// A log that grows within the window during both of two readings is refused, which is
		// no business of the archive's.
		for n := 0; n < 3 && err != nil && strings.Contains(err.Error(), "two readings brought"); n++ {
			r, err = w.apply(o)
		}

		switch {
		case crash != nil && crash.crashed:
			crashes++

			if err == nil {
				t.Fatalf("step %d: the runner crashed and said nothing", step)
			}

			if step%whole == 2 && known != nil {
				checkVerifies(t, store, archive.VerifyOptions{Since: known}, archive.FindingUnfinished)
			}
		case err != nil:
			t.Fatalf("step %d: %v", step, err)
		default:
			if step%whole == 0 {
				checkVerifies(t, store, archive.VerifyOptions{Since: known})
				w.checkExactlyOnce(store, r.CoveredUntil)
			}

			known = remembered(t, r)
		}

		book.check(t, store)
	}

	w.now = w.now.Add(time.Hour)
	r := w.mustApply(w.options(store))
	w.checkExactlyOnce(store, r.CoveredUntil)

	report := checkVerifies(t, store, archive.VerifyOptions{Head: &r.Head})
	t.Logf("%d entries in %d segments after %d crashes", report.EntryCount, report.Segments, crashes)

	if crashes < steps/8 || report.Segments < int64(steps)*3/4 {
		t.Errorf("%d crashes, %d segments", crashes, report.Segments)
	}
}

// advance lets time go by and things happen.
func (w *world) advance(step int) {
	gap := time.Duration(w.random.IntN(36*60)) * time.Minute
	at := w.now

	w.duringPages = func() {}
	if step%4 == 1 {
		w.duringPages = func() {
			if w.random.IntN(2) == 0 {
				// The present, or a little late.
				w.happen(1, w.cloudNow().Add(-time.Duration(w.random.IntN(480))*time.Second))
			}
		}
	}

	switch {
	case step%7 == 5: // A quiet time.
	case step%11 == 6: // A burst, longer than a page.
		w.happen(230, at.Add(gap/2))
	default:
		for range w.random.IntN(12) {
			w.happen(1+w.random.IntN(3), at.Add(time.Duration(w.random.Int64N(int64(gap)+1))))
		}
	}

	w.now = at.Add(gap)

	// Some of the newest has not settled yet.
	w.happen(w.random.IntN(3), w.now.Add(-30*time.Second))
}

// TestTwoRunners: of two that began at the same time one is first, and the other one
// finds that nothing is left to archive.
func TestTwoRunners(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.happen(20, begin.Add(-time.Hour))

	first, err := archive.Open(t.Context(), w.options(store))
	if err != nil {
		t.Fatal(err)
	}

	second, err := archive.Open(t.Context(), w.options(store))
	if err != nil {
		t.Fatal(err)
	}

	if r, err := first.Append(t.Context()); err != nil || r.Added != 20 {
		t.Fatalf("added %d, %v", r.Added, err)
	}

	if r, err := second.Append(t.Context()); err != nil || r.Added != 0 {
		t.Errorf("added %d, %v", r.Added, err)
	}

	checkVerifies(t, store, archive.VerifyOptions{})
	w.checkExactlyOnce(store, begin)
}

// TestManyRunners: whatever the others do at whatever step, every entry is archived
// once, and nothing is left of those that lost.
func TestManyRunners(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()

			for _, runners := range []int{2, 3, 10} {
				w := newWorld(t, service, uint64(runners))
				store := newMemory()

				var known *archive.Checkpoint

				for round := range 4 {
					for day := range 3 {
						w.happen(7, w.now.Add(-time.Duration(50-20*day)*time.Hour))
					}

					var (
						group sync.WaitGroup
						added atomic.Int64
					)

					for range runners {
						o := w.options(store)
						o.Known = known

						group.Go(func() {
							r, err := w.apply(o)
							if err != nil {
								t.Error(err)
							}

							added.Add(r.Added)
						})
					}

					group.Wait()

					report := checkVerifies(t, store, archive.VerifyOptions{Since: known})
					w.checkExactlyOnce(store, w.now.Add(-time.Minute))

					c, err := archive.ParseCheckpoint(report.Checkpoint)
					if err != nil {
						t.Fatal(err)
					}

					if known = &c; round == 3 {
						t.Logf("%d runners: %d manifests, %d entries", runners, report.Manifests, report.EntryCount)
					}

					w.now = w.now.Add(60 * time.Hour)
				}
			}
		})
	}
}

// TestPausedRunners: a run that sleeps before any of its changes, while others archive
// what is new, goes on as if it had begun after them.
func TestPausedRunners(t *testing.T) {
	t.Parallel()

	for at := 1; ; at++ {
		w := newWorld(t, auditlog.ServiceCloudscale, 1)
		store := newMemory()
		w.happen(5, begin.Add(-50*time.Hour))
		w.mustApply(w.options(store))

		w.now = w.now.Add(48 * time.Hour)
		w.happen(5, w.now.Add(-30*time.Hour))
		w.happen(5, w.now.Add(-time.Hour))

		paused := &pausing{Store: store, at: at, meanwhile: func() {
			w.mustApply(w.options(store))
			w.now = w.now.Add(time.Hour)
			w.happen(3, w.now.Add(-30*time.Minute))
			w.mustApply(w.options(store))
		}}

		r := w.mustApply(w.options(paused))
		report := checkVerifies(t, store, archive.VerifyOptions{Since: remembered(t, r)})

		covered, err := time.Parse(auditlog.TimeLayout, report.CoveredUntil)
		if err != nil {
			t.Fatal(err)
		}

		w.checkExactlyOnce(store, covered)

		if paused.changes < at {
			if at < 12 {
				t.Errorf("a run has %d changes", at-1)
			}

			return
		}
	}
}

// pausing is a store whose user sleeps before its change of that number.
type pausing struct {
	durable.Store

	at, changes int
	meanwhile   func()
}

func (p *pausing) change() {
	if p.changes++; p.changes == p.at {
		p.meanwhile()
	}
}

func (p *pausing) Create(ctx context.Context, key string, data []byte) error {
	p.change()

	return p.Store.Create(ctx, key, data)
}

func (p *pausing) Replace(ctx context.Context, key string, data []byte) error {
	p.change()

	return p.Store.Replace(ctx, key, data)
}

func (p *pausing) Delete(ctx context.Context, key string) error {
	p.change()

	return p.Store.Delete(ctx, key)
}

// TestLostCursor falls back to time and says so.
func TestLostCursor(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceCloudscale, 1)
	store := newMemory()
	w.happen(30, begin.Add(-time.Hour))

	if r := w.mustApply(w.options(store)); r.ResumedBy != archive.ResumedFromStart {
		t.Errorf("resumed by %s", r.ResumedBy)
	}

	w.now = w.now.Add(time.Hour)
	w.happen(30, w.now.Add(-30*time.Minute))

	if r := w.mustApply(w.options(store)); r.ResumedBy != archive.ResumedByCursor || r.Added != 33 {
		t.Errorf("resumed by %s, added %d", r.ResumedBy, r.Added)
	}

	w.now = w.now.Add(time.Hour)
	w.happen(30, w.now.Add(-30*time.Minute))
	w.reject = true

	r := w.mustApply(w.options(store))
	if r.ResumedBy != archive.ResumedByFallback || r.Added != 33 {
		t.Errorf("resumed by %s, added %d", r.ResumedBy, r.Added)
	}

	w.checkExactlyOnce(store, r.CoveredUntil)
}

// TestAnArchiveVerifiesAfterARunThatFailed: what such a run has archived is named in
// the checkpoint, and the next run goes on behind it.
func TestAnArchiveVerifiesAfterARunThatFailed(t *testing.T) {
	t.Parallel()

	w := newWorldOf(t, auditlog.ServiceCloudscale, 1, fakeapi.Options{CloudscalePageSize: 10}, 0)
	store := newMemory()

	for day := range 5 {
		w.happen(10, begin.AddDate(0, 0, day-5))
	}

	pages := 0
	w.duringPages = func() {
		if pages++; pages == 4 {
			w.fake.SetFaults([]fakeapi.Fault{{Name: "html", Rate: 1}})
		}
	}

	if r, err := w.apply(w.options(store)); err == nil {
		t.Fatalf("the run ended well, with %d entries", r.Added)
	}

	if report := checkVerifies(t, store, archive.VerifyOptions{}); report.EntryCount == 0 {
		t.Error("nothing was archived before the error")
	}

	w.fake.SetFaults(nil)

	w.checkExactlyOnce(store, w.mustApply(w.options(store)).CoveredUntil)
	checkVerifies(t, store, archive.VerifyOptions{})
}

// TestGap: what is gone is not passed over in silence.
func TestGap(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, service, 1)
			store := newMemory()
			w.happen(5, begin.Add(-time.Hour))
			w.mustApply(w.options(store))

			w.now = w.now.AddDate(0, 0, 181)
			w.happen(7, w.now.Add(-time.Hour))

			_, err := w.apply(w.options(store))

			gap := (*archive.GapError)(nil)
			if !errors.As(err, &gap) || gap.After != 1 || !gap.CoveredUntil.Equal(begin.Add(-time.Minute)) {
				t.Fatalf("got %v", err)
			}

			// A refresh that found nothing new since is as good as a run.
			o := w.options(store)
			o.CoveredUntil = w.now.AddDate(0, 0, -1)

			if _, err := archive.Open(t.Context(), o); err != nil {
				t.Fatal(err)
			}

			o = w.options(store)
			o.AcceptGapAfter = 1
			r := w.mustApply(o)

			report := checkVerifies(t, store, archive.VerifyOptions{Head: &r.Head})
			if len(report.Gaps) != 1 || !report.Gaps[0].From.Equal(gap.CoveredUntil) {
				t.Errorf("gaps are %v", report.Gaps)
			}

			// The permission is used up.
			w.now = w.now.AddDate(0, 0, 181)
			if _, err := w.apply(o); !errors.As(err, &gap) || gap.After != r.Head.Sequence {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestForeignDestinations are refused and left as they are.
func TestForeignDestinations(t *testing.T) {
	t.Parallel()

	for name, prepare := range map[string]func(*memory){
		"some file":           func(m *memory) { m.objects["photo.jpg"] = []byte("x") },
		"a checkpoint":        func(m *memory) { m.objects["checkpoint"] = []byte("example.com/log\n1\nAAAA\n") },
		"another service":     func(m *memory) { other(t, m) },
		"a broken manifest":   func(m *memory) { m.objects["manifests/00000001.json"] = []byte("{}") },
		"a segment by itself": func(m *memory) { m.objects["entries/cloud=upcloud/date=2026-01-01/00000001-x.ndjson"] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, auditlog.ServiceUpCloud, 1)
			w.happen(5, begin.Add(-time.Hour))

			store := newMemory()
			prepare(store)

			before := fmt.Sprint(store.objects)

			_, err := w.apply(w.options(store))
			if !errors.Is(err, archive.ErrForeign) && !errors.Is(err, archive.ErrBroken) {
				t.Errorf("got %v", err)
			}

			if fmt.Sprint(store.objects) != before {
				t.Error("the destination was changed")
			}
		})
	}
}

// other fills a store with an archive of another service.
func other(t *testing.T, m *memory) {
	t.Helper()

	w := newWorld(t, auditlog.ServiceCloudscale, 1)
	w.happen(5, begin.Add(-time.Hour))
	w.mustApply(w.options(m))
}

// TestCostOfAnIncrement does not depend on how much is archived already.
func TestCostOfAnIncrement(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes; make simulate runs this")
	}

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		w := newWorld(t, service, 1)
		store := newMemory()

		cost := func() (calls, bytes, requests int) {
			w.now = w.now.Add(24 * time.Hour)
			w.happen(40, w.now.Add(-12*time.Hour))
			store.calls, store.bytes = 0, 0
			w.fake.ResetRequests()
			w.mustApply(w.options(store))

			return store.calls, store.bytes, len(w.fake.Requests())
		}

		// A bundle of manifests grows to 256, so that days are compared which have the same
		// place in theirs.
		const days = 256

		for range 5 {
			cost()
		}

		calls, bytes, requests := cost()
		for range days - 1 {
			cost()
		}

		laterCalls, laterBytes, laterRequests := cost()
		t.Logf("%s: %d calls, %d bytes, %d requests; %d days later %d, %d, %d",
			service, calls, bytes, requests, days, laterCalls, laterBytes, laterRequests)

		if laterCalls > calls+6 || laterBytes > bytes*3/2 || laterRequests > requests+1 {
			t.Errorf("%s: the cost has grown", service)
		}
	}
}

func TestPending(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.happen(5, begin.Add(-time.Hour))

	pending := func() int64 {
		t.Helper()

		a, err := archive.Open(t.Context(), w.options(store))
		if err != nil {
			t.Fatal(err)
		}

		p, err := a.Pending(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}

		return p.Count
	}

	if n := pending(); n != 5 || len(store.objects) != 0 { // Looking writes nothing.
		t.Errorf("%d are pending, %d objects", n, len(store.objects))
	}

	w.mustApply(w.options(store))

	if n := pending(); n != 0 {
		t.Errorf("%d are pending", n)
	}

	w.now = w.now.Add(time.Hour)
	w.happen(3, w.now.Add(-30*time.Minute))

	if n := pending(); n != 3 {
		t.Errorf("%d are pending", n)
	}
}

// TestRedacted: what is taken out never reaches the archive, and what is archived
// is still recognised.
func TestRedacted(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		w := newWorld(t, service, 1)
		store := newMemory()

		redactor, err := redact.New(map[string]string{"actor": redact.Hash, "ip_address": redact.Mask},
			[]byte("a random text of some length"))
		if err != nil {
			t.Fatal(err)
		}

		var added int64

		for range 4 {
			w.now = w.now.Add(5 * time.Minute)
			w.happen(9, w.now.Add(-2*time.Minute))

			o := w.options(store)
			o.Redactor, o.Compression = redactor, format.Uncompressed
			added += w.mustApply(o).Added
		}

		want := int64(36)
		if service == auditlog.ServiceCloudscale {
			want = int64(len(w.fake.CloudscaleRecords()))
		}

		if n := len(archived(t, store)); int64(n) != added || added != want {
			t.Errorf("%s: %d are archived, %d were added, %d exist", service, n, added, want)
		}

		for key, data := range store.objects {
			if strings.Contains(string(data), "ci@example.com") || strings.Contains(string(data), `"ci"`) ||
				strings.Contains(string(data), `"192.0.2.1"`) {
				t.Errorf("%s: %s holds what was to be taken out", service, key)
			}
		}

		checkVerifies(t, store, archive.VerifyOptions{})
	}
}

// TestRedactedInEverySegment: a person of the last day is taken out of the first
// day's segment as well, where both are archived by one run.
func TestRedactedInEverySegment(t *testing.T) {
	t.Parallel()

	redactor, err := redact.New(map[string]string{"actor": redact.Drop}, nil)
	if err != nil {
		t.Fatal(err)
	}

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		w := newWorld(t, service, 1)
		store := newMemory()
		last := func() time.Time { return w.now.Add(-time.Hour) }

		for day := range 3 {
			at := last().AddDate(0, 0, day-2)
			w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
				Time: at, CloudEventID: fmt.Sprintf("01HQXYZ123456789ABCDEFGH%02d", day), Action: "update", ResourceType: "server",
				ResourceID: fmt.Sprintf("of-mia.%d", 2-day), AccountUsername: fmt.Sprintf("mia.%d", day), Origin: "api",
				AuthType: "api",
			})
			w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
				Action: "server_update", Message: fmt.Sprintf("Server 'of-mia.%d' has been updated", 2-day), Timestamp: at,
				Actor: fakeapi.CloudscaleActor{User: &fakeapi.CloudscaleUser{Email: fmt.Sprintf("mia.%d", day)}},
			})
		}

		o := w.options(store)
		o.Redactor, o.Compression = redactor, format.Uncompressed

		if r := w.mustApply(o); r.Added != 3 || r.Segments != 3 {
			t.Errorf("%s: %d in %d", service, r.Added, r.Segments)
		}

		for key, data := range store.objects {
			if strings.Contains(string(data), "mia.") {
				t.Errorf("%s: %s holds what was to be taken out: %s", service, key, data)
			}
		}

		checkVerifies(t, store, archive.VerifyOptions{})
	}
}

// TestRedactedInPart: what only some segments have lost is not taken for whole.
func TestRedactedInPart(t *testing.T) {
	t.Parallel()

	redactor, err := redact.New(map[string]string{"actor": redact.Drop, "origin": redact.Drop}, nil)
	if err != nil {
		t.Fatal(err)
	}

	only, err := redact.New(map[string]string{"origin": redact.Drop}, nil)
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	happen := func(id string) {
		w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
			Time: w.now.Add(-time.Hour), CloudEventID: id, Action: "update", ResourceType: "server",
			AccountUsername: "mia", Origin: "api", AuthType: "api",
		})
	}

	happen("01HQXYZ123456789ABCDEFGH01")

	o := w.options(store)
	o.Redactor = redactor
	w.mustApply(o)

	info := func() auditlog.Info {
		r, err := archive.OpenReader(t.Context(), store, archive.ReaderOptions{InfoOf: infoOf(w.service.Info())})
		if err != nil {
			t.Fatal(err)
		}

		return r.Info()
	}

	if i := info(); !slices.Contains(i.Redacted, "actor") || len(i.RedactedInPart) > 0 {
		t.Errorf("of every segment %v, of some %v", i.Redacted, i.RedactedInPart)
	}

	w.now = w.now.Add(24 * time.Hour)
	happen("01HQXYZ123456789ABCDEFGH02")

	o = w.options(store)
	o.Redactor = only
	w.mustApply(o)

	if i := info(); !slices.Contains(i.Redacted, "origin") || slices.Contains(i.Redacted, "actor") ||
		!slices.Contains(i.RedactedInPart, "actor") {
		t.Errorf("of every segment %v, of some %v", i.Redacted, i.RedactedInPart)
	}
}

// TestCrashAfterALateRecord: what a run archived before it crashed is recognised
// by the next one, however old the record is that came behind the cursor.
func TestCrashAfterALateRecord(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceCloudscale, 1)
	store := newMemory()
	w.happen(5, begin.Add(-time.Hour))
	w.mustApply(w.options(store))

	// Behind the cursor: a record of three days ago, and those of today, which end
	// its segment. The run crashes after that one.
	w.now = w.now.Add(24 * time.Hour)
	w.happen(1, w.now.Add(-72*time.Hour))
	w.happen(5, w.now.Add(-2*time.Hour))

	o := w.options(store)
	o.Store = &crashing{Store: store, at: 3, after: true} // claim, segment, manifest

	if _, err := w.apply(o); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}

	r := w.mustApply(w.options(store))

	if r.ResumedBy != archive.ResumedByCursor {
		t.Errorf("resumed by %s", r.ResumedBy)
	}

	w.checkExactlyOnce(store, r.CoveredUntil)
	checkVerifies(t, store, archive.VerifyOptions{Head: &r.Head})
}

// TestOtherFilters: a refresh that found nothing new for the filters of then says
// nothing about what other filters would have kept.
func TestOtherFilters(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.happen(5, begin.Add(-time.Hour))
	w.mustApply(w.options(store))

	// Nothing of what happens next passes the filters, so that nothing is pending.
	narrow := auditlog.Query{ResourceIDs: []string{"none"}}

	w.now = w.now.Add(24 * time.Hour)
	w.happen(7, w.now.Add(-12*time.Hour))

	o := w.options(store)
	o.Filters = narrow

	a, err := archive.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}

	pending, err := a.Pending(t.Context(), 10)
	if err != nil || pending.Count != 0 {
		t.Fatalf("%+v, %v", pending, err)
	}

	w.now = w.now.Add(time.Hour)

	o = w.options(store)
	o.CoveredUntil = pending.CoveredUntil
	o.Filters = auditlog.Query{Operations: auditlog.Operations()} // Everything, in other words.

	r := w.mustApply(o)
	if r.Added != 7 {
		t.Errorf("%d were added", r.Added)
	}

	w.checkExactlyOnce(store, r.CoveredUntil)
}
