// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

func decodeInts(body []byte) ([]int, error) {
	var rows []int
	err := json.Unmarshal(body, &rows)

	return rows, err
}

// rowsServer serves the numbers from 0 to total by offset.
func rowsServer(total, largest int, reading client.OffsetReading) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		limit = min(limit, largest)

		if reading == client.OffsetPages {
			offset = max(offset-1, 0) * limit
		}

		rows := []int{}
		for i := offset; i < min(offset+limit, total); i++ {
			rows = append(rows, i)
		}

		w.Header().Set("Total", strconv.Itoa(total))
		_ = json.NewEncoder(w).Encode(rows)
	}
}

func TestOffsetWalkReadsEveryRow(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(0, 60).Draw(rt, "total")
		largest := rapid.IntRange(1, 20).Draw(rt, "largest")
		limit := rapid.IntRange(1, 20).Draw(rt, "limit")
		reading := rapid.SampledFrom([]client.OffsetReading{client.OffsetRows, client.OffsetPages}).Draw(rt, "reading")

		s, count := serve(t, rowsServer(total, largest, reading))

		var got []int

		w := client.OffsetWalk[int]{Path: "v1/logs", Limit: limit, Reading: reading, TotalHeader: "Total", Decode: decodeInts}
		for page, err := range w.Pages(t.Context(), client.New(options(t, s.URL))) {
			if err != nil {
				rt.Fatal(err)
			}

			got = append(got, page.Rows...)
		}

		for i, row := range got {
			if row != i {
				rt.Fatalf("row %d is %d", i, row)
			}
		}

		pageSize := min(limit, largest)
		want := max((total+pageSize-1)/pageSize, 1)

		// Whether a whole page is the last, only the next one can show.
		if total > 0 && total%pageSize == 0 && (want > 1 || pageSize == limit) {
			want++
		}

		if len(got) != total || int(count.Load()) != want {
			rt.Fatalf("got %d of %d rows with %d requests, want %d", len(got), total, count.Load(), want)
		}
	})
}

// TestOffsetWalkDoesNotBelieveATotalThatEndsWithAPage: a total that is too low, such
// as one that a service counts no further than to some number, leaves rows behind
// that nobody would miss.
func TestOffsetWalkDoesNotBelieveATotalThatEndsWithAPage(t *testing.T) {
	t.Parallel()

	rows := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }

	for name, tt := range map[string]struct {
		last http.HandlerFunc
		want int
	}{
		"more rows":   {answer(200, "application/json", rows(1), "Total", "6"), 7},
		"no more":     {answer(200, "application/json", rows(0), "Total", "6"), 6},
		"no page":     {answer(404, "application/json", `{"detail":"Invalid page."}`), 6},
		"bad request": {answer(400, "application/json", `{"offset":["Too large."]}`), 6},
	} {
		full := answer(200, "application/json", rows(3), "Total", "6")
		s, count := serve(t, full, full, tt.last)
		w := client.OffsetWalk[int]{Path: "v1/logs", Limit: 10, TotalHeader: "Total", Decode: decodeInts}
		got := 0

		for page, err := range w.Pages(t.Context(), client.New(options(t, s.URL))) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}

			got += len(page.Rows)
		}

		if got != tt.want || count.Load() != 3 {
			t.Errorf("%s: %d rows with %d requests, want %d with 3", name, got, count.Load(), tt.want)
		}
	}

	// A page of a size at which the service cuts may have been cut, the first as well.
	s, count := serve(t, answer(200, "application/json", rows(3), "Total", "3"),
		answer(200, "application/json", rows(0), "Total", "3"))

	w := client.OffsetWalk[int]{Path: "v1/logs", Limit: 10, Sizes: []int{3}, TotalHeader: "Total", Decode: decodeInts}
	for _, err := range w.Pages(t.Context(), client.New(options(t, s.URL))) {
		if err != nil {
			t.Error(err)
		}
	}

	if count.Load() != 2 {
		t.Errorf("%d requests", count.Load())
	}
}

func TestOffsetWalkNeedsATotal(t *testing.T) {
	t.Parallel()

	for _, total := range []string{"", "many", "-1"} {
		s, _ := serve(t, answer(200, "application/json", `[1]`, "Total", total))
		w := client.OffsetWalk[int]{Path: "v1/logs", Limit: 1, TotalHeader: "Total", Decode: decodeInts}

		var errs []error
		for _, err := range w.Pages(t.Context(), client.New(options(t, s.URL))) {
			errs = append(errs, err)
		}

		got := (*client.Error)(nil)
		if len(errs) != 1 || !errors.As(errs[0], &got) || got.Kind != client.KindShape || got.Page != 1 {
			t.Errorf("total %q: got %v", total, errs)
		}
	}
}

type cursorPage struct {
	Next string
	Rows []int
}

func decodeCursor(body []byte) ([]int, string, string, error) {
	var p cursorPage
	err := json.Unmarshal(body, &p)

	return p.Rows, p.Next, p.Next, err
}

func cursorBody(next string, rows ...int) http.HandlerFunc {
	text, err := json.Marshal(cursorPage{next, rows})
	if err != nil {
		panic(err)
	}

	return ok(string(text))
}

func walkCursor(t *testing.T, handlers func(base func() string) []http.HandlerFunc) ([]int, []*url.URL, error) {
	t.Helper()

	var base string

	var asked []*url.URL

	list := handlers(func() string { return base })
	for i, h := range list {
		list[i] = func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL)
			h(w, r)
		}
	}

	s, _ := serve(t, list...)
	base = s.URL

	var rows []int

	w := client.CursorWalk[int]{
		First: "v1/logs", Query: url.Values{"start": {"2026-01-01T00:00:00+02:00"}},
		Decode: decodeCursor,
	}
	for page, err := range w.Pages(t.Context(), client.New(options(t, s.URL))) {
		if err != nil {
			return rows, asked, err
		}

		rows = append(rows, page.Rows...)
	}

	return rows, asked, nil
}

// later builds a handler when it is called, once the server's address is known.
func later(h func() http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h()(w, r) }
}

func TestCursorWalkFollowsLinks(t *testing.T) {
	t.Parallel()

	rows, asked, err := walkCursor(t, func(base func() string) []http.HandlerFunc {
		return []http.HandlerFunc{
			later(func() http.HandlerFunc { return cursorBody(base()+"/v1/logs?cursor=1", 1, 2) }),
			later(func() http.HandlerFunc { return cursorBody(base()+"/v1/logs?cursor=2", 3) }),
			cursorBody("", 4),
		}
	})
	if err != nil || !slices.Equal(rows, []int{1, 2, 3, 4}) {
		t.Fatalf("got %v, %v", rows, err)
	}

	var queries []string
	for _, u := range asked {
		queries = append(queries, u.RawQuery)
	}

	if got := strings.Join(queries, " "); got != "start=2026-01-01T00%3A00%3A00%2B02%3A00 cursor=1 cursor=2" {
		t.Errorf("asked for %s", got)
	}
}

func TestCursorWalkRepairsOneOldPage(t *testing.T) {
	t.Parallel()

	rows, asked, err := walkCursor(t, func(base func() string) []http.HandlerFunc {
		first := later(func() http.HandlerFunc { return cursorBody(base()+"/v1/logs?cursor=1", 1) })

		return []http.HandlerFunc{first, first, cursorBody("", 2)}
	})
	if err != nil || !slices.Equal(rows, []int{1, 2}) || len(asked) != 3 {
		t.Errorf("got %v, %v with %d requests", rows, err, len(asked))
	}
}

func TestCursorWalkEndsALoop(t *testing.T) {
	t.Parallel()

	_, asked, err := walkCursor(t, func(base func() string) []http.HandlerFunc {
		n := 0

		return []http.HandlerFunc{later(func() http.HandlerFunc {
			n++

			return cursorBody(fmt.Sprintf("%s/v1/logs?cursor=%d", base(), n%3), n)
		})}
	})

	got := (*client.Error)(nil)
	if !errors.As(err, &got) || got.Kind != client.KindLoop || got.Page != 4 || got.Path != "/v1/logs" || len(asked) != 5 {
		t.Errorf("got %#v after %d requests", got, len(asked))
	}
}

func TestCursorWalkKeepsTheTokenAtHome(t *testing.T) {
	t.Parallel()

	foreign, asked := serve(t, ok(`{}`))

	rows, _, err := walkCursor(t, func(func() string) []http.HandlerFunc {
		return []http.HandlerFunc{cursorBody(foreign.URL+"/v1/logs?cursor=1", 1)}
	})

	got := (*client.Error)(nil)
	if !errors.As(err, &got) || got.Kind != client.KindForeignOrigin || got.Page != 2 || len(rows) != 1 ||
		asked.Load() != 0 {
		t.Errorf("got %v, %v; the other origin was asked %d times", rows, err, asked.Load())
	}
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"https://api.example.com":        "https://api.example.com",
		"https://api.example.com/v1":     "https://api.example.com",
		"https://api.example.com/v1/":    "https://api.example.com",
		"https://proxy.example.com/c/v1": "https://proxy.example.com/c",
		"http://127.0.0.1:8080":          "http://127.0.0.1:8080",
		"http://[::1]:8080/":             "http://[::1]:8080",
		"http://localhost":               "http://localhost",
	} {
		if got, err := client.ParseEndpoint(text, "v1"); err != nil || got.String() != want {
			t.Errorf("ParseEndpoint(%q) = %v, %v; want %s", text, got, err, want)
		}
	}

	for _, text := range []string{
		"", "api.example.com", "http://api.example.com", "ftp://api.example.com", "https://", "https://u:p@api.example.com",
		"https://api.example.com?x=1", "https://api.example.com#x", "http://127.0.0.1.example.com", "https://a b", "%",
	} {
		if got, err := client.ParseEndpoint(text, "v1"); err == nil {
			t.Errorf("ParseEndpoint(%q) = %v; want an error", text, got)
		}
	}
}
