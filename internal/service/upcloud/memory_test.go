// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// TestALargePageCostsLittle: the largest answer that is accepted takes a few times
// its size in memory, whatever its records hold.
func TestALargePageCostsLittle(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	const (
		events = 200
		state  = client.MaxBody/events - 500
	)

	fill := func(part func(i int) string) string {
		var b strings.Builder

		for i := 0; ; i++ {
			next := part(i)
			if b.Len()+len(next) > state {
				return strings.TrimSuffix(b.String(), ",")
			}

			b.WriteString(next)
		}
	}

	for name, tt := range map[string]struct {
		state string
		most  int // times the size of the page
	}{
		"one long text": {`"text":"` + strings.Repeat("x", state-10) + `"`, 6},
		"ordinary fields": {fill(
			func(i int) string { return fmt.Sprintf(`"property_%d":"a value of some length, %d",`, i, i) },
		), 12},
		"only tiny fields": {fill(func(i int) string { return fmt.Sprintf(`"%d":1,`, i) }), 24},
	} {
		s := &ours{}
		for i := range events {
			s.events = append(s.events, event{id: fmt.Sprintf("01HQXYZ%019d", i), compared: noon, shown: noon, state: tt.state})
		}

		body := record(t, s)
		service := upcloud.New(servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("UpCloud-Total-Count", fmt.Sprint(events))

			if r.URL.Query().Get("offset") != "0" {
				_, _ = w.Write([]byte(`{"audit_logs":[]}`))

				return
			}

			_, _ = w.Write(body)
		})), fakeapi.DefaultNow, 0)

		s.events = nil

		before, stop := watchHeap()
		entries, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: around})
		peak := stop()

		if err != nil || len(entries) != events {
			t.Fatalf("%s: %d entries, %v", name, len(entries), err)
		}

		t.Logf("%s: %d MiB for a page of %d MiB", name, (peak-before)>>20, len(body)>>20)

		if times := int(peak-before) / len(body); times > tt.most || len(body) < client.MaxBody*9/10 {
			t.Errorf("%s: a page of %d bytes took %d times its size", name, len(body), times)
		}
	}
}

// record returns the body of the one page that a service has.
func record(t *testing.T, s *ours) []byte {
	t.Helper()

	w := &recorder{header: http.Header{}}

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"/?limit=200&offset=0&created_after="+around.Start.Format(time.RFC3339)+"&created_before="+
			around.End.Format(time.RFC3339), nil)
	if err != nil {
		t.Fatal(err)
	}

	s.ServeHTTP(w, r)

	return w.body
}

type recorder struct {
	header http.Header
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)

	return len(p), nil
}

// watchHeap looks at the heap all the time, until stop returns its largest size.
func watchHeap() (before uint64, stop func() uint64) {
	var m runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&m)

	done, peak := make(chan struct{}), make(chan uint64)

	go func() {
		var m runtime.MemStats

		most := uint64(0)

		for {
			select {
			case <-done:
				peak <- most

				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
	}()

	return m.HeapAlloc, func() uint64 {
		close(done)

		return <-peak
	}
}
