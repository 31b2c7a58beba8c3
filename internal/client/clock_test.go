// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

var noon = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

// readClock reads one page of an offset walk and returns what it shows of the
// service's clock. Ours shows the times one after the other, the last one for ever.
func readClock(t *testing.T, o client.Options, ours ...time.Time) (*auditlog.ServiceClock, error) {
	t.Helper()

	var asked atomic.Int64

	o.Clock = func() time.Time { return ours[min(int(asked.Add(1)), len(ours))-1] }

	w := client.OffsetWalk[int]{Path: "v1/logs", Limit: 10, TotalHeader: "Total", Decode: decodeNumbers}

	for page, err := range w.Pages(t.Context(), client.New(o)) {
		return page.Clock, err
	}

	return nil, errors.New("there was no page")
}

func decodeNumbers(body []byte) ([]int, error) {
	var rows []int

	err := json.Unmarshal(body, &rows)

	return rows, err
}

func clockOptions(t *testing.T, headers ...string) client.Options {
	t.Helper()

	s, _ := serve(t, answer(http.StatusOK, "application/json", "[1]", append([]string{"Total", "1"}, headers...)...))
	o := options(t, s.URL)
	o.MaxClockSkew = time.Minute

	return o
}

func date(at time.Time) string { return at.UTC().Format(http.TimeFormat) }

// TestClockOfAnAnswer: a Date stands for a whole second, and the answer was on its
// way for some time. Only what cannot be explained by that is a skew.
func TestClockOfAnAnswer(t *testing.T) {
	t.Parallel()

	const half = 500 * time.Millisecond

	for name, tt := range map[string]struct {
		headers        []string
		sent, received time.Time
		want           *auditlog.ServiceClock
		fails          bool
	}{
		"the same second": {
			[]string{"Date", date(noon)},
			noon, noon, &auditlog.ServiceClock{Now: noon},
			false,
		},
		"the end of the same second": {
			[]string{"Date", date(noon)},
			noon.Add(time.Second - 1),
			noon.Add(time.Second - 1), &auditlog.ServiceClock{Now: noon}, false,
		},
		"ahead": {
			[]string{"Date", date(noon.Add(40 * time.Second))},
			noon, noon.Add(half),
			&auditlog.ServiceClock{Now: noon.Add(40 * time.Second), Skew: 40*time.Second - half}, false,
		},
		"ahead by the limit": {
			[]string{"Date", date(noon.Add(time.Minute))},
			noon, noon,
			&auditlog.ServiceClock{Now: noon.Add(time.Minute), Skew: time.Minute}, false,
		},
		"ahead by more": {
			[]string{"Date", date(noon.Add(time.Minute))},
			noon.Add(-1), noon.Add(-1),
			nil, true,
		},
		"behind": {
			[]string{"Date", date(noon.Add(-40 * time.Second))},
			noon.Add(half),
			noon.Add(half), &auditlog.ServiceClock{Now: noon.Add(-40 * time.Second), Skew: -39*time.Second - half}, false,
		},
		"behind by the limit": {
			[]string{"Date", date(noon.Add(-61 * time.Second))},
			noon, noon,
			&auditlog.ServiceClock{Now: noon.Add(-61 * time.Second), Skew: -time.Minute}, false,
		},
		"behind by more": {
			[]string{"Date", date(noon.Add(-61 * time.Second))},
			noon.Add(1), noon.Add(1),
			nil, true,
		},
		"an hour ahead":    {[]string{"Date", date(noon.Add(time.Hour))}, noon, noon, nil, true},
		"an hour behind":   {[]string{"Date", date(noon.Add(-time.Hour))}, noon, noon, nil, true},
		"a thousand years": {[]string{"Date", "Mon, 01 Jan 0001 00:00:00 GMT"}, noon, noon, nil, true},
		"ten slow minutes, made at the begin": {
			[]string{"Date", date(noon)},
			noon, noon.Add(10 * time.Minute),
			&auditlog.ServiceClock{Now: noon}, false,
		},
		"ten slow minutes, made at the end": {
			[]string{"Date", date(noon.Add(10 * time.Minute))},
			noon,
			noon.Add(10 * time.Minute), &auditlog.ServiceClock{Now: noon.Add(10 * time.Minute)}, false,
		},
		"ten slow minutes, and ahead": {
			[]string{"Date", date(noon.Add(12 * time.Minute))},
			noon,
			noon.Add(10 * time.Minute), nil, true,
		},
		"our clock was set back meanwhile": {[]string{"Date", date(noon)}, noon.Add(time.Hour), noon, nil, true},
		"another zone's spelling": {
			[]string{"Date", "Tuesday, 30-Jun-26 12:00:00 GMT"},
			noon, noon,
			&auditlog.ServiceClock{Now: noon}, false,
		},
		"nonsense":                   {[]string{"Date", "soon"}, noon, noon, nil, true},
		"nonsense that is hours off": {[]string{"Date", "2026-06-30T15:00:00Z"}, noon, noon, nil, true},
		"two times": {
			[]string{"Date", date(noon), "Date", date(noon.Add(time.Second))},
			noon,
			noon.Add(time.Second), nil, true,
		},
		"no time": {[]string{"Date", ""}, noon, noon, nil, false},
		"a fresh answer of a cache": {
			[]string{"Date", date(noon), "Age", "0"},
			noon, noon,
			&auditlog.ServiceClock{Now: noon}, false,
		},
		"a copy": {
			[]string{"Date", date(noon.Add(-30 * time.Second)), "Age", "30"},
			noon, noon,
			&auditlog.ServiceClock{Now: noon.Add(-30 * time.Second), Skew: -29 * time.Second}, false,
		},
		"a copy with a new Date": {
			[]string{"Date", date(noon), "Age", "30"},
			noon, noon,
			&auditlog.ServiceClock{Now: noon.Add(-30 * time.Second), Skew: -29 * time.Second}, false,
		},
		"an old copy": {
			[]string{"Date", date(noon.Add(-time.Hour)), "Age", "3600"},
			noon, noon, nil,
			true,
		},
		"an old copy with a new Date": {[]string{"Date", date(noon), "Age", "3600"}, noon, noon, nil, true},
		"an old copy without a Date":  {[]string{"Date", "", "Age", "3600"}, noon, noon, nil, true},
		"an age beyond all": {
			[]string{"Date", date(noon), "Age", "99999999999999999999999"},
			noon, noon,
			nil, true,
		},
		"an age that is none": {
			[]string{"Date", date(noon), "Age", "-5"},
			noon, noon,
			&auditlog.ServiceClock{Now: noon}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := readClock(t, clockOptions(t, tt.headers...), tt.sent, tt.received)

			apiErr := (*client.Error)(nil)
			if tt.fails {
				if !errors.As(err, &apiErr) || !slices.Contains([]client.Kind{client.KindClock, client.KindShape}, apiErr.Kind) ||
					apiErr.Page != 1 || apiErr.Path != "/v1/logs" || apiErr.Attempts != 1 {
					t.Fatalf("got %+v, %v", got, err)
				}

				return
			}

			if err != nil || (got == nil) != (tt.want == nil) ||
				(got != nil && (!got.Now.Equal(tt.want.Now) || got.Skew != tt.want.Skew)) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// TestClockErrorTellsBothClocks: and how far they are apart.
func TestClockErrorTellsBothClocks(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		headers []string
		want    client.ClockError
		differs time.Duration
	}{
		"ahead": {
			[]string{"Date", date(noon.Add(time.Hour))},
			client.ClockError{Service: noon.Add(time.Hour), Machine: noon.Add(2 * time.Second), Limit: time.Minute},
			time.Hour - 2*time.Second,
		},
		"behind": {
			[]string{"Date", date(noon.Add(-time.Hour))},
			client.ClockError{Service: noon.Add(-time.Hour), Machine: noon, Limit: time.Minute},
			-time.Hour,
		},
		"a copy": {
			[]string{"Date", date(noon), "Age", "3602"},
			client.ClockError{Service: noon.Add(-time.Hour), Machine: noon, Limit: time.Minute, Age: 3602 * time.Second},
			-time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := readClock(t, clockOptions(t, tt.headers...), noon, noon.Add(2*time.Second))

			got := (*client.ClockError)(nil)
			if !errors.As(err, &got) || *got != tt.want || got.Difference() != tt.differs {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestClockOfEveryRequest: the first page may be in time and the second not, and
// what is no page is an answer of a time as well.
func TestClockOfEveryRequest(t *testing.T) {
	t.Parallel()

	page := func(at time.Time) http.HandlerFunc {
		return answer(http.StatusOK, "application/json", "[1]", "Total", "3", "Date", date(at))
	}

	s, count := serve(t, page(noon), page(noon.Add(30*time.Second)), page(noon.Add(-time.Hour)))
	o := options(t, s.URL)
	o.Clock = func() time.Time { return noon }

	w := client.OffsetWalk[int]{Path: "v1/logs", Limit: 1, TotalHeader: "Total", Decode: decodeNumbers}

	var (
		pages int
		last  error
	)

	for _, err := range w.Pages(t.Context(), client.New(o)) {
		if last = err; err == nil {
			pages++
		}
	}

	apiErr := (*client.Error)(nil)
	if !errors.As(last, &apiErr) || !slices.Contains([]client.Kind{client.KindClock, client.KindShape}, apiErr.Kind) ||
		apiErr.Page != 3 || pages != 2 || count.Load() != 3 {
		t.Errorf("%d pages in %d requests, then %v", pages, count.Load(), last)
	}

	err := client.New(o).Get(t.Context(), "v1/logs", nil, func([]byte, func(string) string) error { return nil })
	if !errors.As(err, &apiErr) || apiErr.Kind != client.KindClock {
		t.Errorf("outside of a walk: %v", err)
	}
}

// TestErrorsKeepTheirKindWhateverTheClock: why a service refuses says more.
func TestErrorsKeepTheirKindWhateverTheClock(t *testing.T) {
	t.Parallel()

	for kind, handler := range map[client.Kind]http.HandlerFunc{
		client.KindCredentials: answer(401, "application/json", `{}`, "Date", date(noon)),
		client.KindServer:      answer(503, "", "", "Date", date(noon), "Age", "9999"),
		client.KindNotJSON:     answer(200, "text/html", "<html>", "Date", date(noon)),
		client.KindShape:       answer(200, "application/json", "[]", "Date", date(noon)),
	} {
		s, _ := serve(t, handler)

		_, err := get(t, options(t, s.URL)) // The clock is the machine's.

		if apiErr := (*client.Error)(nil); !errors.As(err, &apiErr) || apiErr.Kind != kind {
			t.Errorf("%s became %v", kind, err)
		}
	}
}

// TestClockOfTheLastAttempt: what an answer that is not used says of the time, and
// how long it took, does not matter.
func TestClockOfTheLastAttempt(t *testing.T) {
	t.Parallel()

	s, _ := serve(t,
		answer(503, "", "", "Date", date(noon.Add(-time.Hour)), "Retry-After", "0"),
		answer(http.StatusOK, "application/json", "[1]", "Total", "1", "Date", date(noon.Add(5*time.Minute))))

	got, err := readClock(t, options(t, s.URL), noon, noon, noon.Add(5*time.Minute))
	if err != nil || got == nil || got.Skew != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}
