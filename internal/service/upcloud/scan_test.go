// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// scan returns the records of a body, as far as they come before an error.
func scan(body io.Reader) (raws []json.RawMessage, err error) {
	s := &scanner{body: body}

	for {
		rec, err := s.next()
		if err != nil {
			return raws, err
		}

		raws = append(raws, bytes.Clone(rec.raw))
	}
}

// scanAgrees holds the scanner, and what takes its records, against whoever decodes the
// whole text at once.
func scanAgrees(t interface {
	Fatalf(format string, args ...any)
}, text []byte,
) {
	got, err := scan(bytes.NewReader(text))

	slow, slowErr := scan(iotest.OneByteReader(bytes.NewReader(text)))
	if (err == nil) != (slowErr == nil) || err.Error() != slowErr.Error() || len(got) != len(slow) {
		t.Fatalf("%q: %v at once, %v byte by byte", text, err, slowErr)
	}

	var want []json.RawMessage

	wantErr := exactjson.Unmarshal(text, &want)

	if wantErr != nil {
		var object map[string][]json.RawMessage
		if exactjson.Unmarshal(text, &object) == nil && len(object) == 1 && object["audit_logs"] != nil {
			want, wantErr = object["audit_logs"], nil
		}
	}

	whole := errors.Is(err, io.EOF)

	for _, raw := range got {
		var fields map[string]json.RawMessage
		if exactjson.Unmarshal(raw, &fields) != nil {
			whole = false // Whoever takes the record refuses it.
		}
	}

	if !whole {
		if wantErr != nil {
			return
		}

		objects := !slices.ContainsFunc(want, func(raw json.RawMessage) bool { return raw[0] != '{' })
		if objects && !strings.HasPrefix(string(bytes.TrimSpace(text)), "null") &&
			!bytes.Contains(text, []byte(`\u`)) {
			t.Fatalf("%q was refused: %v", text, err)
		}

		return
	}

	if wantErr != nil {
		t.Fatalf("%q was accepted: %v", text, wantErr)
	}

	if !slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		t.Fatalf("%q: got %q, want %q", text, got, want)
	}
}

var scanSeeds = []string{
	`[]`, ` [ ] `, `{"audit_logs":[]}`, `[{}]`, `[{},{}]`, "[\n{\"a\":\"]\"} ,\t{\"b\":[{\"c\":\"\\\\\\\"}\"}]}]\r\n",
	`{"audit_logs" : [{"a":1}] }`, `{"audit_logs":[],"x":1}`, `{"Audit_logs":[]}`, `{"audit_logs":{}}`, `{}`, `null`, `1`,
	``, `[`, `[{]`, `[{}`, `[{},]`, `[,{}]`, `[{}{}]`, `[{}]]`, `[{}] []`, `[1]`, `[null]`, `["a"]`, `[[]]`, `[{"a":[1}]]`,
	`[{"time":"2026-06-30T12:00:00Z","cloud_event_id":"x"}]`, `[{"time":{"time":"a"},"time":"b"}]`, "[{\"a\":\"\xff\"}]",
	`[{"a":"\"}]`, `[{"a":"\\"}]`, `{"audit_logs"`, `{"audit_logs":`, "\ufeff[]", `[{"a" 1}]`,
}

func FuzzScan(f *testing.F) {
	for _, text := range scanSeeds {
		f.Add([]byte(text))
	}

	f.Fuzz(func(t *testing.T, text []byte) { scanAgrees(t, text) })
}

// TestScanCutsWhatItIsGiven: texts of the bytes that matter, in any order.
func TestScanCutsWhatItIsGiven(t *testing.T) {
	t.Parallel()

	parts := []string{
		"[", "]", "{", "}", ",", ":", `"`, `\`, `\"`, " ", "\n", "1", "null", `"a":1`, `{"a":"b"}`, `{"a":[{"b":"}]"}]}`,
		`"audit_logs"`,
		`{"time":"x","cloud_event_id":"y\\"}`,
	}

	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "text"), "")
		if rapid.Bool().Draw(t, "array") {
			text = "[" + text + "]"
		}

		scanAgrees(t, []byte(text))
	})
}

// TestScanTellsKeys: the time and the id that records are sorted by are those that whoever
// decodes them finds.
func TestScanTellsKeys(t *testing.T) {
	t.Parallel()

	parts := []string{
		`"time":"2026-06-30T12:00:00Z"`, `"time":"2026-06-30T14:00:00.123456789+02:00"`, `"time":null`, `"time":7`, `"time":"x"`,
		`"t\u0069me":"2026-06-30T12:00:00Z"`, `"time":"2026-06-30T12:00:00\u005a"`, `"time" : "2026-06-30t12:00:00z"`,
		`"cloud_event_id":"01H"`, `"cloud_event_id" :"\u0041"`, `"cloud_event_id":""`, `"cloud_event_id":{"a":"b"}`,
		`"cloud_event_id":"01I"`,
		`"action":"create"`, `"current_state":{"time":"2020-01-01T00:00:00Z","cloud_event_id":"no"}`, `"x":["time","cloud_event_id"]`,
		`"time":"2026-06-30T12:00:00,5Z"`, `"cloud_event_id":"` + "\xff" + `"`,
	}

	rapid.Check(t, func(t *rapid.T) {
		raw := "{" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 6).Draw(t, "fields"), ", ") + "}"

		rec, err := (&scanner{body: strings.NewReader("[" + raw + "]")}).next()
		if err != nil {
			t.Fatal(err)
		}

		e, wantErr := entryOf(json.RawMessage(raw))
		at, id, err := rec.key()

		// What does not decode may have a key: it is decoded before anybody gets it.
		if wantErr == nil && (err != nil || !at.Equal(e.Time) || string(id) != e.ID) && !strings.Contains(raw, "\xff") {
			t.Fatalf("%s: %s %q, %v, want %s %q", raw, at, id, err, e.Time, e.ID)
		}
	})
}

// TestEdgesCountOnlyWhatIsCertain: whatever a service compares with its bounds, the times
// that it shows or the exact ones, and however it rounds, it counts the events that lie
// between bounds at which there is none.
func TestEdgesCountOnlyWhatIsCertain(t *testing.T) {
	t.Parallel()

	from := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	span := slice{from: from, to: from.Add(10 * time.Second)}

	round := map[string]func(time.Time) time.Time{
		"exact":   func(t time.Time) time.Time { return t },
		"down":    func(t time.Time) time.Time { return t.Truncate(time.Second) },
		"up":      ceilSecond,
		"nearest": func(t time.Time) time.Time { return t.Round(time.Second) },
	}
	ways := []string{"exact", "down", "up", "nearest"}

	rapid.Check(t, func(t *rapid.T) {
		compare, show := round[rapid.SampledFrom(ways).Draw(t, "compare")], round[rapid.SampledFrom(ways).Draw(t, "show")]
		// One of both is exact.
		if rapid.Bool().Draw(t, "which") {
			compare = round["exact"]
		} else {
			show = round["exact"]
		}

		counted := newEdges(span)

		var compared []time.Time

		for range rapid.IntRange(0, 30).Draw(t, "events") {
			// Halves of seconds, so that all cases are met.
			at := from.Add(time.Duration(rapid.IntRange(-20, 40).Draw(t, "at")) * 500 * time.Millisecond)
			compared = append(compared, compare(at))
			counted.add(show(at))
		}

		below, above := counted.free()
		if below < 0 || above < 0 {
			t.Fatal("there is a second without an event")
		}

		lo, hi := span.from.Add(-time.Duration(below)*time.Second), span.to.Add(time.Duration(above)*time.Second)
		want := int64(0)

		for _, at := range compared {
			if !at.Before(lo) && !at.After(hi) {
				want++
			}
		}

		if got := counted.count(below, above); got != want {
			t.Fatalf("counted %d, want %d", got, want)
		}
	})
}

// TestWorthStreaming: the walk costs its requests, the stream all records of the log.
func TestWorthStreaming(t *testing.T) {
	t.Parallel()

	const ms = time.Millisecond

	for name, tt := range map[string]struct {
		matching, whole int64
		concurrency     int
		trip            time.Duration
		want            bool
	}{
		"nothing":                            {0, 1_000_000, 8, 50 * ms, false},
		"a few pages, however slow":          {fewPages * pageLimit, 5000, 1, time.Hour, false},
		"the whole log":                      {1_000_000, 1_000_000, 8, 50 * ms, true},
		"the whole log, no time for a trip":  {1_000_000, 1_000_000, 8, 0, true},
		"a hundredth of the log":             {10_000, 1_000_000, 8, 50 * ms, false},
		"the same, one at a time, and slow":  {10_000, 1_000_000, 1, time.Second, true},
		"half of the log":                    {500_000, 1_000_000, 8, 50 * ms, true},
		"half of the log, many at a time":    {500_000, 1_000_000, 64, 50 * ms, false},
		"a total that is less than its part": {100_000, 10, 8, 50 * ms, true},
	} {
		if got := worthStreaming(tt.matching, tt.whole, tt.concurrency, tt.trip); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestSpoolSorts: whatever comes in, in however many runs, comes out in order.
func TestSpoolSorts(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		s := &spool{}
		defer s.close()

		var want []string

		for i := range rapid.IntRange(0, 200).Draw(t, "records") {
			at := time.Unix(int64(rapid.IntRange(-3, 3).Draw(t, "second")), int64(rapid.IntRange(0, 2).Draw(t, "nano"))).UTC()
			id := strings.Repeat("i", rapid.IntRange(0, 3).Draw(t, "id"))
			raw := strings.Repeat("x", i)

			s.add(at, []byte(id), []byte(raw))
			want = append(want, at.Format(time.RFC3339Nano)+id+" "+raw)

			if rapid.IntRange(0, 30).Draw(t, "spill") == 0 {
				if err := s.spill(); err != nil {
					t.Fatal(err)
				}
			}
		}

		for _, onlyKeys := range []bool{true, false} {
			var (
				got  []string
				last item
			)

			for from := s.all(onlyKeys); ; {
				i, err := from.next()
				if errors.Is(err, io.EOF) {
					break
				}

				if err != nil {
					t.Fatal(err)
				}

				if last.id != nil && last.compare(&i) > 0 {
					t.Fatalf("%v %s before %v %s", last.at, last.id, i.at, i.id)
				}

				last = item{at: i.at, id: bytes.Clone(i.id)}
				got = append(got, i.at.Format(time.RFC3339Nano)+string(i.id)+" "+string(i.raw))
			}

			if onlyKeys {
				if len(got) != len(want) {
					t.Fatalf("%d keys, want %d", len(got), len(want))
				}

				continue
			}

			slices.Sort(got)
			slices.Sort(want)

			if !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	})
}

// BenchmarkScan cuts and keys a log.
func BenchmarkScan(b *testing.B) {
	record := `{"time":"2026-06-30T12:00:00Z","auth_type":"api","cloud_event_id":"01HQXYZ0000000000000000001","upcloud_correlation_id":"a7c3a1a2-6d44-4d6e-9a53-0f3a7d9ab1c1","resource_type":"server","action":"update","origin":"api","account_username":"jane.doe","ip_address":"192.0.2.17","resource_id":"00c78863-db86-44ea-af70-d6edc4d162bf","current_state":{"plan":"2xCPU-4GB","title":"web","tags":["a","b"]},"previous_state":{"plan":"1xCPU-2GB","title":"web","tags":["a","b"]}}`
	text := []byte("[" + strings.Repeat(record+",", 9999) + record + "]")

	b.SetBytes(int64(len(text)))
	b.ReportAllocs()

	for b.Loop() {
		for s := (&scanner{body: bytes.NewReader(text)}); ; {
			rec, err := s.next()
			if err != nil {
				break
			}

			if _, _, err := rec.key(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
