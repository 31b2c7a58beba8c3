// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
)

// carrying serves a log whose links carry both bounds along, or one of them, so that they
// hold on every page.
type carrying struct {
	times      []time.Time // in the order of the log
	size       int
	start, end bool
	twin       int // the record that is identical to the one of number 5, if any
}

func (s *carrying) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, _ := strconv.Atoi(q.Get("cursor"))
	start, startErr := time.Parse(time.RFC3339, q.Get("start"))
	end, endErr := time.Parse(time.RFC3339, q.Get("end"))

	var (
		rows []string
		last = from
		more bool
	)

	for i := from; i < len(s.times); i++ {
		if at := s.times[i]; startErr == nil && at.Before(start) || endErr == nil && !at.Before(end) {
			continue
		}

		if more = len(rows) == s.size; more {
			break
		}

		name := i
		if i == s.twin {
			name = 5
		}

		rows = append(rows, text("server_create_"+strconv.Itoa(name), s.times[i]))
		last = i + 1
	}

	link := func() string {
		kept := url.Values{"cursor": {strconv.Itoa(last)}}
		if s.start && q.Has("start") {
			kept.Set("start", q.Get("start"))
		}

		if s.end && q.Has("end") {
			kept.Set("end", q.Get("end"))
		}

		return strconv.Quote("http://" + r.Host + r.URL.Path + "?" + kept.Encode())
	}

	next := "null"
	if more {
		next = link()
	}

	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"next":%s,"poll_more":%s,"results":[%s]}`, next, link(), strings.Join(rows, ","))
}

// TestSlicesNeverLoseWhatIsVeryLate: records that joined the log long after their time come
// with slices side by side as well, or the reading is an error.
func TestSlicesNeverLoseWhatIsVeryLate(t *testing.T) {
	t.Parallel()

	const n = 6000

	for name, s := range map[string]carrying{
		"both bounds on every page":   {start: true, end: true},
		"the end on every page":       {end: true},
		"the bounds on the first one": {},
	} {
		for _, late := range []time.Duration{2 * time.Minute, time.Hour, 20 * time.Hour, 100 * time.Hour} {
			t.Run(name+"/"+late.String(), func(t *testing.T) {
				t.Parallel()

				step := servicetest.Month().End.Sub(servicetest.Month().Start) / (n + 1)

				log := s
				log.size = 20

				for i := range n {
					at := servicetest.Month().Start.Add(time.Duration(i+1) * step).Truncate(time.Second)
					if i > n/4 && i%97 == 0 {
						at = at.Add(-late)
					}

					log.times = append(log.times, at)
				}

				service := cloudscale.New(servicetest.InMemory(t, &log, func(o *client.Options) { o.MaxConcurrency = 8 }),
					fakeapi.DefaultNow, 0)

				entries, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})

				switch {
				case err != nil && log.start:
					t.Error(err)
				case err != nil:
					if failed := (*client.Error)(nil); !errors.As(err, &failed) {
						t.Error(err)
					}
				case len(entries) != n || c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+n:
					t.Errorf("%d entries of %d, %+v", len(entries), n, c)
				case c.DuplicatesDropped == 0:
					t.Error("nothing was cut")
				}
			})
		}
	}
}

// TestSlicesKeepALateTwin: of two identical records, one that comes again because its slice
// was cut does not stand for the other one, which is very late.
func TestSlicesKeepALateTwin(t *testing.T) {
	t.Parallel()

	const n = 6000

	log := carrying{size: 20, start: true, end: true, twin: 65}
	for i := range n {
		log.times = append(log.times, servicetest.Month().Start.Add(time.Duration(i+1)*7*time.Minute))
	}

	log.times[log.twin] = log.times[5]

	service := cloudscale.New(servicetest.InMemory(t, &log, func(o *client.Options) { o.MaxConcurrency = 8 }),
		fakeapi.DefaultNow, 0)

	entries, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
	if err != nil || len(entries) != n || c.DuplicatesDropped == 0 {
		t.Errorf("%d entries, %d dropped, %v", len(entries), c.DuplicatesDropped, err)
	}
}

// TestSlicesOfALogThatBeginsLate: where the window begins long before the log, a slice is
// cut late, and what is read of it anew is cut once more.
func TestSlicesOfALogThatBeginsLate(t *testing.T) {
	t.Parallel()

	month := servicetest.Month()
	o := fakeapi.Options{NoExamples: true, CloudscalePageSize: 20}

	for _, before := range []time.Duration{time.Hour, 10 * 24 * time.Hour, 55 * 24 * time.Hour} {
		q := auditlog.Query{Window: auditlog.Window{Start: month.Start.Add(-before), End: month.End}}
		records := spread(20_000)
		one, many := readBy(t, 1, o, records, nil, q), readBy(t, 8, o, records, nil, q)

		if one.Err != "" || many.Err != "" {
			t.Fatalf("%s: %s, and side by side %s", before, one.Err, many.Err)
		}

		if len(many.Entries) != len(records) || !slices.EqualFunc(one.Entries, many.Entries, sameEntry) {
			t.Errorf("%s: %d entries, and %d side by side", before, len(one.Entries), len(many.Entries))
		}
	}
}
