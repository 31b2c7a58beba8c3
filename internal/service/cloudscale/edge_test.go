// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"errors"
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
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
)

// pagesOf is a service that answers the n-th request, from 1, with what it returns.
func pagesOf(t *testing.T, page func(n int, r *http.Request) string) *cloudscale.Service {
	t.Helper()

	n := 0

	return cloudscale.New(servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++

		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(page(n, r)))
	})), fakeapi.DefaultNow, 0)
}

func text(action string, at time.Time) string {
	return fmt.Sprintf(`{"action":%q,"message":"m","timestamp":%q,"actor":{"system":{}}}`, action,
		at.Format(time.RFC3339Nano))
}

var (
	noon   = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)
	window = auditlog.Window{Start: noon.Add(500 * time.Millisecond), End: noon.Add(time.Hour)}
)

// TestReadRefusesRecordsOutsideOfTheWindow: the first page is asked for within
// bounds, and pages behind a cursor hold nothing from long before it.
func TestReadRefusesRecordsOutsideOfTheWindow(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		at            time.Time
		first, second bool // whether it is an error on that page
	}{
		"year 1":               {time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), true, true},
		"long before":          {noon.Add(-time.Hour), true, true},
		"before":               {noon.Add(-5*time.Second - time.Microsecond), true, true},
		"overtaken":            {noon.Add(-5 * time.Second), false, false},
		"rounded":              {noon, false, false},
		"within":               {noon.Add(time.Minute), false, false},
		"overtaken at the end": {window.End.Add(10 * time.Second), false, false},
		"beyond":               {window.End.Add(10*time.Second + time.Microsecond), true, false},
		"ahead of now":         {fakeapi.DefaultNow().Add(time.Hour), true, false},
		"far ahead of now":     {fakeapi.DefaultNow().Add(time.Hour + 2*time.Second), true, true},
		"year 9999":            {time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), true, true},
	} {
		for number, fails := range map[int]bool{1: tt.first, 2: tt.second} {
			s := pagesOf(t, func(n int, _ *http.Request) string {
				stray := ""
				if n == number {
					stray = "," + text("stray", tt.at)
				}

				next := "null"
				if n < 3 {
					next = fmt.Sprintf(`"?cursor=%d"`, n)
				}

				return fmt.Sprintf(`{"next":%s,"poll_more":"?cursor=%d","results":[%s%s]}`, next, n,
					text("a", noon.Add(time.Duration(n)*time.Minute)), stray)
			})

			entries, c, err := servicetest.Read(t.Context(), s, auditlog.Query{Window: window})
			got := (*client.Error)(nil)

			switch {
			case fails &&
				(!errors.As(err, &got) || got.Kind != client.KindShape || got.Page != number || got.Path != "/v1/project-logs" ||
					!strings.HasPrefix(got.Err.Error(), "a record is dated ")):
				t.Errorf("%s on page %d: got %v", name, number, err)
			case !fails && (err != nil || c.RowsFetched != 4 || c.RowsFilteredOut != 4-int64(len(entries)) || len(entries) < 3):
				t.Errorf("%s on page %d: %d entries, %+v, %v", name, number, len(entries), c, err)
			}
		}
	}
}

// TestResumeRefusesRecordsFromLongBefore both the window and the place that it goes
// on from. Late ones are still new.
func TestResumeRefusesRecordsFromLongBefore(t *testing.T) {
	t.Parallel()

	for at, fails := range map[time.Time]bool{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC): true,
		noon.Add(-time.Hour):                     true,
		noon.Add(30 * time.Minute):               false,
		noon.Add(48 * time.Hour):                 false,
	} {
		s := pagesOf(t, func(int, *http.Request) string {
			return `{"next":null,"poll_more":"?cursor=9","results":[` + text("a", at) + `]}`
		})

		from := auditlog.Position{Link: "?cursor=7", Since: noon.Add(40 * time.Minute)}

		for _, err := range s.Resume(t.Context(), from, auditlog.Query{Window: window}, &auditlog.Completeness{}) {
			got := (*client.Error)(nil)
			if fails != (errors.As(err, &got) && got.Kind == client.KindShape) {
				t.Errorf("%v: %v", at, err)
			}
		}
	}
}

// TestAFarRecordForgetsNoTwin: a record beyond the window does not make the ordinals
// of identical records begin again.
func TestAFarRecordForgetsNoTwin(t *testing.T) {
	t.Parallel()

	at := noon.Add(time.Minute)
	far := noon.AddDate(0, 0, 5)

	// Only a page that lies wholly beyond the window ends the reading, so that the
	// far records share pages with others.
	for _, size := range []int{2, 3, 6} {
		big := serve(t, fakeapi.Options{CloudscaleEnd: fakeapi.EndFirstPage, CloudscalePageSize: size},
			record("twin", at), record("twin", at), record("far", far), record("twin", at), record("far", far.Add(time.Hour)),
			record("twin", at))

		entries, _, err := servicetest.Read(t.Context(), big.service, auditlog.Query{Window: window})
		if err != nil || servicetest.Repeated(servicetest.IDs(entries)) > 0 || len(entries) < 2 {
			t.Errorf("%d a page: ids %v, %v", size, servicetest.IDs(entries), err)
		}
	}
}

// TestRelativeLinks: a next and a poll_more without an origin lead where they say,
// from the first page to the last and on.
func TestRelativeLinks(t *testing.T) {
	t.Parallel()

	for _, form := range []string{
		"?cursor=N", "/v1/project-logs?cursor=N", "project-logs?cursor=N",
		"./project-logs?cursor=N#x", "//HOST/v1/project-logs?cursor=N", "http://HOST/v1/project-logs?cursor=N",
	} {
		var asked []string

		s := pagesOf(t, func(n int, r *http.Request) string {
			asked = append(asked, r.URL.RequestURI())
			link := `"` + strings.NewReplacer("N", fmt.Sprint(n), "HOST", r.Host).Replace(form) + `"`

			next := link
			if n >= 3 {
				next = "null"
			}

			return fmt.Sprintf(`{"next":%s,"poll_more":%s,"results":[%s]}`, next, link,
				text(fmt.Sprint("a", n), noon.Add(time.Duration(n)*time.Minute)))
		})

		entries, c, err := servicetest.Read(t.Context(), s, auditlog.Query{Window: window})
		if err != nil || len(entries) != 3 || c.Pages != 3 || len(asked) != 3 || asked[2] != "/v1/project-logs?cursor=2" {
			t.Fatalf("%s: %d entries, asked for %q, %v", form, len(entries), asked, err)
		}

		if !strings.HasPrefix(c.Resume.Link, "http://127.0.0.1:") ||
			!strings.HasSuffix(c.Resume.Link, "/v1/project-logs?cursor=3") {
			t.Errorf("%s: goes on from %s", form, c.Resume.Link)
		}

		// What older versions kept, and what this one does.
		for _, kept := range []string{"?cursor=3", "/v1/project-logs?cursor=3", c.Resume.Link} {
			from := *c.Resume
			from.Link = kept

			for _, err := range s.Resume(t.Context(), from, auditlog.Query{Window: window}, &auditlog.Completeness{}) {
				if err != nil {
					t.Errorf("%s: %v", kept, err)
				}
			}

			if last := asked[len(asked)-1]; last != "/v1/project-logs?cursor=3" {
				t.Errorf("from %s: asked for %s", kept, last)
			}
		}
	}
}

// TestReadEndsWithoutEnd: a service whose pages never end is an error that says
// which limit was hit, long before memory or time run out.
func TestReadEndsWithoutEnd(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes; make simulate runs this")
	}

	for name, tt := range map[string]struct {
		rows func(n int) []string
		want string
	}{
		"different records of one minute": {func(n int) []string {
			rows := make([]string, 200)
			for i := range rows {
				rows[i] = text(fmt.Sprintf("a%d_%d", n, i), noon.Add(time.Minute))
			}

			return rows
		}, "more than 100000 different records lie within two minutes of the log"},
		"nothing": {func(int) []string { return nil }, "100 empty pages in a row lead to yet another one"},
	} {
		var before, after runtime.MemStats

		runtime.GC()
		runtime.ReadMemStats(&before)

		requests := 0
		s := pagesOf(t, func(n int, _ *http.Request) string {
			requests = n

			return fmt.Sprintf(`{"next":"?cursor=%d","poll_more":"?cursor=%d","results":[%s]}`, n, n,
				strings.Join(tt.rows(n), ","))
		})

		var (
			c   auditlog.Completeness
			err error
		)

		for _, readErr := range s.Read(t.Context(), auditlog.Query{Window: window}, &c) {
			err = readErr
		}

		runtime.GC()
		runtime.ReadMemStats(&after)

		got := (*client.Error)(nil)
		if !errors.As(err, &got) || got.Kind != client.KindEndless || got.Err.Error() != tt.want || got.Page == 0 ||
			requests > 600 {
			t.Errorf("%s: %v after %d requests", name, err, requests)
		}

		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
			t.Errorf("%s: the heap grew by %d bytes", name, grown)
		}
	}
}
