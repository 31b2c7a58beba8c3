// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// sizes are those of exports: within what is held in memory, and larger. With the race
// detector few tests take the larger ones: make simulate runs all of them.
var sizes = map[bool][]bool{false: {false, true}, true: {false}}[raceflag.Enabled]

// exporter is a fake whose export is made into another one.
type exporter struct {
	fake *fakeapi.Server
	// rows changes the records, which come oldest first, text the whole body.
	rows func([]json.RawMessage) []json.RawMessage
	text func([]byte) []byte
	// answer, if set, may answer the n-th request for the export, from 1, by itself.
	answer func(w http.ResponseWriter, n int) bool
	gzip   bool
	// meanwhile runs when the export has been written.
	meanwhile func()

	// Of pages that were asked for ahead, some come when nobody waits for them any more.
	exports atomic.Int64
	lists   atomic.Int64 // requests for more than one row
}

func (x *exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/export") {
		if r.URL.Query().Get("limit") != "1" && strings.HasSuffix(r.URL.Path, "/audit-logs") {
			x.lists.Add(1)
		}

		x.fake.UpCloud().ServeHTTP(w, r)

		return
	}

	n := int(x.exports.Add(1))

	if x.answer != nil && x.answer(w, n) {
		return
	}

	gzips := x.gzip && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	r.Header.Del("Accept-Encoding")

	plain := httptest.NewRecorder()
	x.fake.UpCloud().ServeHTTP(plain, r)

	if plain.Code != http.StatusOK {
		w.Header().Set("Content-Type", plain.Header().Get("Content-Type"))
		w.WriteHeader(plain.Code)
		_, _ = w.Write(plain.Body.Bytes())

		return
	}

	var rows []json.RawMessage
	if err := json.Unmarshal(plain.Body.Bytes(), &rows); err != nil {
		panic(err)
	}

	if x.rows != nil {
		rows = x.rows(rows)
	}

	var body bytes.Buffer

	for i, raw := range rows {
		body.WriteString([]string{"[", ","}[min(i, 1)])
		body.Write(raw)
	}

	body.WriteString([]string{"]", "[]"}[1-min(len(rows), 1)])

	text := body.Bytes()
	if x.text != nil {
		text = x.text(text)
	}

	w.Header().Set("Content-Type", "application/json")

	if gzips {
		w.Header().Set("Content-Encoding", "gzip")

		z := gzip.NewWriter(w)
		_, _ = z.Write(text)
		_ = z.Close()
	} else {
		_, _ = w.Write(text)
	}

	if x.meanwhile != nil {
		x.meanwhile()
	}
}

// newExporter serves n records of a month. Where they are large, several times as many
// bytes as are held in memory.
func newExporter(t *testing.T, n int, large bool) *exporter {
	t.Helper()

	fake, err := fakeapi.New(fakeapi.Options{NoExamples: true, UpCloudOrder: fakeapi.OldestFirst})
	if err != nil {
		t.Fatal(err)
	}

	records := spread(n)
	for i := range records {
		if large {
			records[i].PreviousState = json.RawMessage(`{"text":"` + strings.Repeat("\\\"x{", 10_000_000/n/5) + `"}`)
		}
	}

	fake.AppendUpCloud(records...)

	return &exporter{fake: fake}
}

func (x *exporter) read(
	t *testing.T, ctx context.Context, strategy upcloud.Strategy, q auditlog.Query,
) ([]auditlog.Entry, auditlog.Completeness, error) {
	t.Helper()

	x.exports.Store(0)
	x.lists.Store(0)
	service := upcloud.New(servicetest.Client(t, x), fakeapi.DefaultNow, 0).WithStrategy(strategy)

	return servicetest.Read(ctx, service, q)
}

func shuffled(rows []json.RawMessage) []json.RawMessage {
	random := rand.New(rand.NewPCG(3, 3))
	random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })

	return rows
}

func newestFirst(rows []json.RawMessage) []json.RawMessage {
	slices.Reverse(rows)

	return rows
}

// hardlyLate is a log in the order of its commits.
func hardlyLate(rows []json.RawMessage) []json.RawMessage {
	for i := 301; i < len(rows); i += 301 {
		rows[i-1], rows[i] = rows[i], rows[i-1]
	}

	return rows
}

func inBlocks(rows []json.RawMessage) []json.RawMessage {
	return slices.Concat(rows[len(rows)/2:], rows[:len(rows)/2])
}

var orders = map[string]func([]json.RawMessage) []json.RawMessage{
	"oldest first": nil, "newest first": newestFirst, "shuffled": shuffled, "hardly late": hardlyLate,
}

// plain is what must be the same, whichever way the log was read.
type plain struct {
	Entries []auditlog.Entry
	Claimed int64
	Window  auditlog.Window
	Proof   auditlog.Proof
	Unknown []string
}

func plainly(t *testing.T, entries []auditlog.Entry, c *auditlog.Completeness) plain {
	t.Helper()

	if c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+int64(len(entries)) {
		t.Errorf("the statement does not add up: %+v for %d entries", c, len(entries))
	}

	for i := range entries {
		entries[i].Endpoint = ""
	}

	return plain{entries, *c.ClaimedTotal, c.Window, c.Proof, c.UnknownActions}
}

// same holds two readings against each other.
func same(t *testing.T, want, got plain) {
	t.Helper()

	if len(want.Entries) != len(got.Entries) {
		t.Fatalf("%d entries, want %d", len(got.Entries), len(want.Entries))
	}

	for i := range want.Entries {
		if !reflect.DeepEqual(want.Entries[i], got.Entries[i]) {
			t.Fatalf("entry %d: %.500v, want %.500v", i, got.Entries[i], want.Entries[i])
		}
	}

	want.Entries, got.Entries = nil, nil
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

// TestStreamEqualsPages: whatever the order and the form of the export, the entries and
// the statement are those of the pages, and no page is read.
func TestStreamEqualsPages(t *testing.T) {
	t.Parallel()

	month := servicetest.Month()
	middle := month.Start.Add(15 * 24 * time.Hour)

	for name, order := range orders {
		for _, large := range sizes {
			t.Run(fmt.Sprintf("%s/large %v", name, large), func(t *testing.T) {
				t.Parallel()

				x := newExporter(t, 5000, large)
				x.rows, x.gzip = order, true
				times := x.fake.UpCloudRecords()

				for i, w := range []auditlog.Window{
					month,
					{Start: middle.Add(-time.Hour), End: middle.Add(time.Hour)},
					{Start: times[100].Time, End: times[4000].Time},
					{Start: times[100].Time.Truncate(time.Second), End: times[4000].Time.Truncate(time.Second)},
					{Start: times[100].Time.Add(time.Second), End: times[4000].Time.Add(time.Microsecond)},
					{Start: month.Start.Add(-48 * time.Hour), End: month.Start.Add(-24 * time.Hour)},
				} {
					q := auditlog.Query{Window: w}
					if i == 1 {
						q.Actors, q.AllowUnknownValues = []string{"nobody"}, true
					}

					if x.text = nil; i%2 == 1 {
						x.text = func(text []byte) []byte {
							return slices.Concat([]byte("\r\n { \"audit_logs\"\t:\n"), text, []byte(" } \n"))
						}
					}

					pages, byPages, err := x.read(t, t.Context(), upcloud.StrategyPages, q)
					if err != nil || x.exports.Load() > 0 {
						t.Fatal(x.exports.Load(), err)
					}

					stream, byStream, err := x.read(t, t.Context(), upcloud.StrategyStream, q)
					if err != nil {
						t.Fatal(err)
					}

					if i > 1 { // The bounds of the others are where events are, which may count or not.
						byStream.ClaimedTotal = byPages.ClaimedTotal
					}

					same(t, plainly(t, pages, &byPages), plainly(t, stream, &byStream))

					if x.exports.Load() != 1 || x.lists.Load() > 0 || byStream.SecondPass {
						t.Errorf("%s: %d exports, %d pages, %+v", w, x.exports.Load(), x.lists.Load(), byStream)
					}
				}
			})
		}
	}
}

// TestStreamDropsWhatComesTwice: an event is there once, however often it comes.
func TestStreamDropsWhatComesTwice(t *testing.T) {
	t.Parallel()

	for name, order := range orders {
		for _, large := range sizes {
			x := newExporter(t, 5000, large)
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				rows = slices.Concat(rows[:3000], rows[2990:])
				if order != nil {
					rows = order(rows)
				}

				return rows
			}

			entries, c, err := x.read(t, t.Context(), upcloud.StrategyStream, wholeMonth())
			if err != nil || x.exports.Load() != 1 {
				t.Fatal(name, x.exports.Load(), err)
			}

			if len(entries) != 5000 || servicetest.Repeated(servicetest.IDs(entries)) > 0 {
				t.Errorf("%s: %d entries", name, len(entries))
			}

			if x.lists.Load() == 0 && c.DuplicatesDropped < 10 {
				t.Errorf("%s: %d duplicates", name, c.DuplicatesDropped)
			}

			plainly(t, entries, &c)
		}
	}
}

func wholeMonth() auditlog.Query { return auditlog.Query{Window: servicetest.Month()} }

// altered returns the rows with one changed.
func altered(rows []json.RawMessage, at int, change func(string) string) []json.RawMessage {
	rows = slices.Clone(rows)
	rows[at] = json.RawMessage(change(string(rows[at])))

	return rows
}

func status(code int) func(http.ResponseWriter, int) bool {
	return func(w http.ResponseWriter, _ int) bool {
		w.WriteHeader(code)

		return true
	}
}

// TestStreamFallsBack: an export that fails, or that the list does not agree with, is
// given up, and the pages are read. What was used of it before has to be what they begin
// with.
func TestStreamFallsBack(t *testing.T) {
	t.Parallel()

	half := func(text []byte) []byte { return text[:len(text)/2] }
	with := func(text string) func([]byte) []byte {
		return func(body []byte) []byte { return slices.Concat(body, []byte(text)) }
	}
	cut := func(w http.ResponseWriter, _ int) bool {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("["))

		return true
	}

	const last = 2590

	for name, set := range map[string]func(x *exporter){
		"cut cleanly":        func(x *exporter) { x.text = half },
		"cut":                func(x *exporter) { x.answer = cut },
		"forbidden":          func(x *exporter) { x.answer = status(http.StatusForbidden) },
		"not found":          func(x *exporter) { x.answer = status(http.StatusNotFound) },
		"refused":            func(x *exporter) { x.answer = status(http.StatusBadRequest) },
		"unavailable always": func(x *exporter) { x.answer = status(http.StatusServiceUnavailable) },
		"too many always":    func(x *exporter) { x.answer = status(http.StatusTooManyRequests) },
		"a redirect":         func(x *exporter) { x.answer = status(http.StatusFound) },
		"nothing":            func(x *exporter) { x.text = func([]byte) []byte { return nil } },
		"a page for people":  func(x *exporter) { x.text = func([]byte) []byte { return []byte("<html>") } },
		"a byte order mark":  func(x *exporter) { x.text = func(b []byte) []byte { return slices.Concat([]byte("\uFEFF"), b) } },
		"broken JSON":        func(x *exporter) { x.text = func(b []byte) []byte { b[len(b)-60] = 0; return b } },
		"followed by more":   func(x *exporter) { x.text = with("[]") },
		"a comma too many":   func(x *exporter) { x.text = func(b []byte) []byte { return append(b[:len(b)-1], ",]"...) } },
		"another object": func(x *exporter) {
			x.text = func(b []byte) []byte { return slices.Concat([]byte(`{"logs":`), b, []byte("}")) }
		},
		"an object with more": func(x *exporter) {
			x.text = func(b []byte) []byte { return slices.Concat([]byte(`{"audit_logs":`), b, []byte(`,"more":true}`)) }
		},
		"too long": func(x *exporter) {
			x.text = func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 20<<20)...) }
		},
		"a record of null": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				return altered(rows, last, func(string) string { return "null" })
			}
		},
		"a record of another shape": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				return altered(rows, last, func(s string) string { return strings.Replace(s, `"action":"delete"`, `"action":7`, 1) })
			}
		},
		"a bad time": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				return altered(rows, last, func(s string) string { return strings.Replace(s, `"time":"2`, `"time":"x`, 1) })
			}
		},
		"a time twice": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				return altered(rows, last, func(s string) string { return strings.TrimSuffix(s, "}") + `,"time":null}` })
			}
		},
		"one missing": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage { return slices.Delete(rows, last, last+1) }
		},
		"one missing, another twice": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				return slices.Concat(rows[:last], rows[last-1:last], rows[last+1:])
			}
		},
		"one too many": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				more := strings.Replace(string(rows[last]), `"01HQXYZ0`, `"01HQXYZ9`, 1)

				return slices.Concat(rows[:last+1], []json.RawMessage{json.RawMessage(more)}, rows[last+1:])
			}
		},
		"one missing, another twice at two times": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				again := regexp.MustCompile(`"cloud_event_id":"[^"]*"`)
				id := again.FindString(string(rows[10]))

				return altered(rows, last, func(s string) string { return again.ReplaceAllString(s, id) })
			}
		},
		"a key with spaces": func(x *exporter) {
			x.text = func(b []byte) []byte { return slices.Concat([]byte(`{"audit_logs ":`), b, []byte("}")) }
		},
		"two of one id": func(x *exporter) {
			x.rows = func(rows []json.RawMessage) []json.RawMessage {
				more := strings.Replace(string(rows[last]), `"action":"delete"`, `"action":"create"`, 1)

				return slices.Concat(rows[:last+1], []json.RawMessage{json.RawMessage(more)}, rows[last+1:])
			}
		},
		"one that comes meanwhile": func(x *exporter) {
			x.meanwhile = sync.OnceFunc(func() {
				late := burst(1, servicetest.Month().End.Add(-12*time.Hour))
				late[0].CloudEventID = "01HQXYZZZZZZZZZZZZZZZZZZZZ"
				x.fake.AppendUpCloud(late...)
			})
		},
		"another year": func(x *exporter) {
			x.answer = func(w http.ResponseWriter, _ int) bool {
				w.Header().Set("Date", "Thu, 01 Jan 2015 00:00:00 GMT")

				return false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for order, mix := range map[string]func([]json.RawMessage) []json.RawMessage{"asc": nil, "desc": newestFirst} {
				if raceflag.Enabled && mix == nil {
					continue
				}

				for _, large := range sizes {
					x := newExporter(t, 2600, large)
					if set(x); mix != nil {
						rows := x.rows
						x.rows = func(r []json.RawMessage) []json.RawMessage {
							if rows != nil {
								r = rows(r)
							}

							return mix(r)
						}
					}

					stream, byStream, err := x.read(t, t.Context(), upcloud.StrategyStream, wholeMonth())
					if err != nil {
						t.Fatal(order, err)
					}

					if x.exports.Load() == 0 || x.lists.Load() == 0 {
						t.Errorf("%s: %d exports, %d pages", order, x.exports.Load(), x.lists.Load())
					}

					pages, byPages, err := x.read(t, t.Context(), upcloud.StrategyPages, wholeMonth())
					if err != nil {
						t.Fatal(err)
					}

					same(t, plainly(t, pages, &byPages), plainly(t, stream, &byStream))
				}
			}
		})
	}
}

// TestStreamIsNeverMixedWithPages: where a part of an export was used that the list does
// not begin with, the reading is an error.
func TestStreamIsNeverMixedWithPages(t *testing.T) {
	t.Parallel()

	for name, rows := range map[string]func([]json.RawMessage) []json.RawMessage{
		"another value": func(rows []json.RawMessage) []json.RawMessage {
			return altered(rows, 3, func(s string) string { return strings.Replace(s, `"ci"`, `"me"`, 1) })[:4000]
		},
		"one missing": func(rows []json.RawMessage) []json.RawMessage { return slices.Delete(rows, 3, 4) },
		"in blocks":   inBlocks,
		"one too many": func(rows []json.RawMessage) []json.RawMessage {
			more := strings.Replace(string(rows[3]), `"01HQXYZ0`, `"01HQXYZ9`, 1)

			return slices.Concat(rows[:4], []json.RawMessage{json.RawMessage(more)}, rows[4:])
		},
	} {
		x := newExporter(t, 5000, true)
		x.rows = rows

		_, c, err := x.read(t, t.Context(), upcloud.StrategyStream, wholeMonth())

		e := (*client.Error)(nil)
		if !errors.As(err, &e) || e.Kind != client.KindDisagreement || c.Proof != "" || x.lists.Load() == 0 {
			t.Errorf("%s: %d pages, proof %q, %v", name, x.lists.Load(), c.Proof, err)
		}

		// A small one was not used at all.
		x = newExporter(t, 5000, false)
		x.rows = rows

		if entries, _, err := x.read(t, t.Context(), upcloud.StrategyStream,
			wholeMonth()); err != nil || len(entries) != 5000 {
			t.Errorf("%s: %d entries, %v", name, len(entries), err)
		}
	}
}

// TestStreamTriesAgainBeforeItsFirstByte, and not later.
func TestStreamTriesAgainBeforeItsFirstByte(t *testing.T) {
	t.Parallel()

	x := newExporter(t, 1000, false)
	x.answer = func(w http.ResponseWriter, n int) bool {
		codes := []int{429, 503, 200, 0}
		if code := codes[min(n, len(codes))-1]; code != 0 {
			w.WriteHeader(code)

			return true
		}

		return false
	}

	entries, _, err := x.read(t, t.Context(), upcloud.StrategyStream, wholeMonth())
	if err != nil || len(entries) != 1000 || x.exports.Load() != 4 || x.lists.Load() > 0 {
		t.Errorf("%d entries after %d exports and %d pages, %v", len(entries), x.exports.Load(), x.lists.Load(), err)
	}

	x.answer, x.text = nil, func(text []byte) []byte { return text[:10] }

	entries, _, err = x.read(t, t.Context(), upcloud.StrategyStream, wholeMonth())
	if err != nil || len(entries) != 1000 || x.exports.Load() != 1 || x.lists.Load() == 0 {
		t.Errorf("%d entries after %d exports and %d pages, %v", len(entries), x.exports.Load(), x.lists.Load(), err)
	}
}

// TestStreamWithAWrongToken ends as the pages do.
func TestStreamWithAWrongToken(t *testing.T) {
	t.Parallel()

	x := newExporter(t, 10, false)
	service := upcloud.New(servicetest.Client(t, x, func(o *client.Options) { o.Authorization = "Bearer wrong" }),
		fakeapi.DefaultNow, 0).WithStrategy(upcloud.StrategyStream)

	_, _, err := servicetest.Read(t.Context(), service, wholeMonth())

	e := (*client.Error)(nil)
	if !errors.As(err, &e) || e.Kind != client.KindCredentials {
		t.Errorf("got %v", err)
	}
}

// TestAutoStreamsOnlyWhatIsLong: the stream is taken where pages would take longer, and a
// short log costs no request more than before.
func TestAutoStreamsOnlyWhatIsLong(t *testing.T) {
	t.Parallel()

	x := newExporter(t, 6000, false)
	month := servicetest.Month()

	entries, c, err := x.read(t, t.Context(), upcloud.StrategyAuto, auditlog.Query{Window: month})
	if err != nil || len(entries) != 6000 || x.exports.Load() != 1 || x.lists.Load() != 1 || c.SecondPass {
		t.Errorf("%d entries after %d exports and %d pages, %v", len(entries), x.exports.Load(), x.lists.Load(), err)
	}

	plainly(t, entries, &c)

	part := auditlog.Query{Window: auditlog.Window{Start: month.Start, End: month.Start.Add(10 * 24 * time.Hour)}}

	_, _, err = x.read(t, t.Context(), upcloud.StrategyPages, part)
	if err != nil {
		t.Fatal(err)
	}

	lists := x.lists.Load()

	_, _, err = x.read(t, t.Context(), upcloud.StrategyAuto, part)
	if err != nil || x.exports.Load() > 0 || x.lists.Load() != lists {
		t.Errorf("%d exports and %d pages instead of %d, %v", x.exports.Load(), x.lists.Load(), lists, err)
	}

	x.answer = status(http.StatusForbidden)

	entries, _, err = x.read(t, t.Context(), upcloud.StrategyAuto, auditlog.Query{Window: month})
	if err != nil || len(entries) != 6000 || x.exports.Load() != 1 {
		t.Errorf("%d entries after %d exports and %d pages, %v", len(entries), x.exports.Load(), x.lists.Load(), err)
	}
}

// TestStreamLeavesNothingBehind: whoever stops, and whatever fails, no file and no
// goroutine is left.
func TestStreamLeavesNothingBehind(t *testing.T) { //nolint:paralleltest // It has the environment to itself.
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}

	files := func() int {
		found, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}

		return len(found)
	}

	for name, order := range orders {
		x := newExporter(t, 5000, true)
		x.rows = order

		c := servicetest.Client(t, x)

		for _, stopAt := range []int{0, 300, 4000} {
			if raceflag.Enabled && stopAt != 300 {
				continue
			}

			for _, how := range []string{"break", "cancel", "cut"} {
				x.text = nil
				if how == "cut" {
					x.text = func(b []byte) []byte { return b[:len(b)*3/4] }
				}

				ctx, cancel := context.WithCancel(t.Context())

				var (
					done auditlog.Completeness
					n    int
					last error
				)

				service := upcloud.New(c, fakeapi.DefaultNow, 0).WithStrategy(upcloud.StrategyStream)

				for _, err := range service.Read(ctx, wholeMonth(), &done) {
					if last = err; err != nil {
						break
					}

					if n++; n == stopAt+1 && how == "break" {
						break
					}

					if n == stopAt+1 && how == "cancel" {
						cancel()
					}

					if runtime.GOOS == "linux" && files() > 0 {
						t.Fatal("a file has a name while it is used")
					}
				}

				cancel()

				typed := (*client.Error)(nil)
				if how == "cancel" && (!errors.As(last, &typed) || typed.Kind != client.KindCanceled) ||
					how != "cancel" && last != nil {
					t.Errorf("%s, %s: %v", name, how, last)
				}

				if how != "cut" && done.Proof != "" {
					t.Errorf("%s, %s: proof %q", name, how, done.Proof)
				}
			}
		}
	}

	if n := files(); n > 0 {
		t.Errorf("%d files are left", n)
	}

	buffer := make([]byte, 1<<20)
	if stacks := string(buffer[:runtime.Stack(buffer, true)]); strings.Contains(stacks, "streaming") {
		t.Error("a goroutine is left")
	}
}

// TestStreamWithoutATemporaryDirectory reads by pages.
func TestStreamWithoutATemporaryDirectory(t *testing.T) { //nolint:paralleltest // It has the environment to itself.
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, "/nonexistent")
	}

	x := newExporter(t, 5000, true)
	x.rows = newestFirst

	entries, _, err := x.read(t, t.Context(), upcloud.StrategyStream, wholeMonth())
	if err != nil || len(entries) != 5000 || x.exports.Load() != 1 || x.lists.Load() == 0 {
		t.Errorf("%d entries after %d exports and %d pages, %v", len(entries), x.exports.Load(), x.lists.Load(), err)
	}
}

// TestStreamInBoundedMemory: a log of any order takes no more than a few of its parts.
func TestStreamInBoundedMemory(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	const (
		events = 100_000
		most   = 24 << 20
	)

	state := strings.Repeat("x", 1000)

	for name, nth := range map[string]func(int) int{
		"oldest first": func(i int) int { return i },
		"newest first": func(i int) int { return events - 1 - i },
		"scattered":    func(i int) int { return i * 77_777 % events },
	} {
		service := upcloud.New(servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("UpCloud-Total-Count", strconv.Itoa(events))

			if !strings.HasSuffix(r.URL.Path, "/export") {
				_, _ = w.Write([]byte(`{"audit_logs":[]}`))

				return
			}

			for i := range events {
				n := nth(i)
				at := servicetest.Month().Start.Add(time.Duration(n+1) * time.Second).Format(time.RFC3339)
				_, _ = fmt.Fprintf(w, `%s{"time":%q,"cloud_event_id":"01HQXYZ%019d","action":"create","current_state":{"a":%q}}`,
					[]string{"[", ","}[min(i, 1)], at, n, state)
			}

			_, _ = w.Write([]byte("]"))
		})), fakeapi.DefaultNow, 0).WithStrategy(upcloud.StrategyStream)

		var (
			c    auditlog.Completeness
			m    runtime.MemStats
			n    int
			peak uint64
		)

		runtime.GC()
		runtime.ReadMemStats(&m)
		before := m.HeapAlloc

		for _, err := range service.Read(t.Context(), wholeMonth(), &c) {
			if err != nil {
				t.Fatal(name, err)
			}

			if n++; n%10_000 == 1 {
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}

		if n != events || c.Proof != auditlog.ProofTotal || c.SecondPass {
			t.Errorf("%s: %d entries, %+v", name, n, c)
		}

		t.Logf("%s: %d KiB", name, (int64(peak)-int64(before))>>10)

		if peak > before+most {
			t.Errorf("%s: %d bytes are held", name, peak-before)
		}
	}
}

// TestStreamFiltersAsPages: what no filter lets pass is not looked at, and the entries and
// what is said of unknown actions are those of the pages all the same.
func TestStreamFiltersAsPages(t *testing.T) {
	t.Parallel()

	fake, err := fakeapi.New(fakeapi.Options{Entries: 3000})
	if err != nil {
		t.Fatal(err)
	}

	// None of these is read as it stands there.
	odd := func(rows []json.RawMessage) []json.RawMessage {
		for i := range rows {
			switch i % 7 {
			case 0:
				rows[i] = json.RawMessage(strings.Replace(string(rows[i]), `"action"`, `"\u0061ction"`, 1))
			case 1:
				rows[i] = json.RawMessage(strings.Replace(string(rows[i]), `"action":"d`, `"action":"\u0064`, 1))
			case 2:
				rows[i] = json.RawMessage(strings.Replace(string(rows[i]), `"origin":"api"`, `"other":{"origin":"gui"},"origin" : "api"`, 1))
			}
		}

		return rows
	}

	for name, rows := range map[string]func([]json.RawMessage) []json.RawMessage{"as it is": nil, "odd": odd} {
		x := &exporter{fake: fake, rows: rows}

		for _, q := range []auditlog.Query{
			{Actions: []string{"delete"}},
			{Actions: []string{"delete", "create"}, Origins: []string{"gui"}},
			{Operations: []auditlog.Operation{"delete", "grant"}},
			{Operations: []auditlog.Operation{"other"}},
			{Origins: []string{"api"}},
			{ResourceTypes: []string{"server", "storage"}},
			{Actions: []string{"purge"}},
			{Operations: []auditlog.Operation{"login", "create"}, Search: "a"},
		} {
			q.Window = servicetest.Month()
			before := fake.UpCloudRecords()

			pages, byPages, err := x.read(t, t.Context(), upcloud.StrategyPages, q)
			if err != nil {
				t.Fatal(err)
			}

			stream, byStream, err := x.read(t, t.Context(), upcloud.StrategyStream, q)
			if err != nil || x.exports.Load() != 1 || x.lists.Load() > 0 {
				t.Fatal(x.exports.Load(), x.lists.Load(), err)
			}

			if *byStream.ClaimedTotal < int64(len(before))/2 {
				t.Errorf("%s, %v: %d records were counted", name, q, *byStream.ClaimedTotal)
			}

			if len(pages) == 0 && q.Actions == nil {
				t.Errorf("%s, %v: nothing is found", name, q)
			}

			for i := range stream {
				stream[i].Raw = pages[min(i, len(pages)-1)].Raw // The export has it in another form.
			}

			byStream.ClaimedTotal = byPages.ClaimedTotal
			same(t, plainly(t, pages, &byPages), plainly(t, stream, &byStream))
		}
	}
}

// TestFilteredStreamFallsBack holds what was used of an export by a filter against pages
// that are read without.
func TestFilteredStreamFallsBack(t *testing.T) {
	t.Parallel()

	q := wholeMonth()
	q.Actions = []string{"create"}

	x := newExporter(t, 1000, true)

	others := spread(4000)
	for i := range others {
		others[i].Action, others[i].CloudEventID = "create", fmt.Sprintf("02%s", others[i].CloudEventID[2:])
	}

	x.fake.AppendUpCloud(others...)

	want, _, err := x.read(t, t.Context(), upcloud.StrategyPages, q)
	if err != nil {
		t.Fatal(err)
	}

	// The last record is missing, long after the first ones were used.
	x.rows = func(rows []json.RawMessage) []json.RawMessage { return rows[:len(rows)-1] }

	got, c, err := x.read(t, t.Context(), upcloud.StrategyStream, q)
	if err != nil || x.lists.Load() == 0 || !c.SecondPass {
		t.Fatal(x.lists.Load(), c, err)
	}

	if len(want) == 0 || len(want) == 5000 || !slices.Equal(servicetest.IDs(got), servicetest.IDs(want)) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}

	plainly(t, got, &c)
}
