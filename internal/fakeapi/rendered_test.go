// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A page that is asked for again is the same, and another one once the log, its faults or the name of the host differ.
func TestPagesAreRenderedAnew(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 30, NoExamples: true, Seed: 1, CloudscalePageSize: 10})
	both := func() string { return s.list("limit=10").body + s.logs("").body }

	first := both()
	if again := both(); again != first {
		t.Error("a page differs when it is asked for again")
	}
	other := s.logs("", func(r *http.Request) { r.Host = "other.example" })
	if !strings.Contains(other.body, "http://other.example/") {
		t.Errorf("the next page is not at the host that was asked: %s", other.body)
	}

	for _, name := range []string{"rounded-seconds", "duplicate-keys"} {
		s.SetFaults([]Fault{{Name: name, Rate: 1}})
		if spoiled := both(); spoiled == first {
			t.Errorf("the fault %s shows nowhere", name)
		}
		s.SetFaults(nil)
		if after := both(); after != first {
			t.Errorf("the fault %s outlasts itself", name)
		}
	}

	s.AppendUpCloud(UpCloudRecord{Time: DefaultNow().Add(time.Hour), CloudEventID: "new"})
	if body := s.list("limit=10").body; !strings.Contains(body, `"new"`) {
		t.Error("a record that has joined UpCloud's log is not shown")
	}
	end := DefaultNow().Add(2 * time.Hour).Format(time.RFC3339)
	query := "start=" + DefaultNow().Add(30*time.Minute).Format(time.RFC3339) + "&end=" + end
	for want := range 4 {
		if n := strings.Count(s.logs(query).body, `"new"`); n != want {
			t.Errorf("%d records have joined cloudscale's log, want %d", n, want)
		}
		s.AppendCloudscale(CloudscaleRecord{Timestamp: DefaultNow().Add(time.Hour), Message: "new"})
	}
}

// What is kept of pages has a bound.
func TestRenderedIsBounded(t *testing.T) {
	t.Parallel()
	var c rendered
	body, made := make([]byte, mostRendered/3), 0
	for i := range 20 {
		for range 2 {
			c.page(strings.Repeat("x", i), func() []byte { made++; return body })
		}
		if held := len(c.bodies) * len(body); held > mostRendered || held != c.size {
			t.Fatalf("%d bytes are kept, and %d are counted", held, c.size)
		}
	}
	if made != 20 {
		t.Errorf("20 pages were made %d times", made)
	}
}
