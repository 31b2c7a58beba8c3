// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// trip is a service without a network.
type trip func(r *http.Request) string

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(f(r))), Request: r,
	}, nil
}

// follow walks from a page that is asked for with a query, below a root that has a
// path, and returns the URLs that were requested.
func follow(
	t *testing.T, w client.CursorWalk[int], answer func(n int) string,
) (asked []string, last client.Page[int], err error) {
	t.Helper()

	o := options(t, "https://api.example.com/root")
	o.Transport = trip(func(r *http.Request) string {
		asked = append(asked, r.URL.String())

		return answer(len(asked))
	})

	w.First, w.Query, w.Decode = "v1/logs", map[string][]string{"start": {"x"}}, decodeCursor

	for page, err := range w.Pages(t.Context(), client.New(o)) {
		if err != nil {
			return asked, last, err
		}

		last = page
	}

	return asked, last, nil
}

// TestCursorWalkResolvesLinks as RFC 3986 says, against the page that had them.
func TestCursorWalkResolvesLinks(t *testing.T) {
	t.Parallel()

	for link, want := range map[string]string{
		"?cursor=7":                                         "https://api.example.com/root/v1/logs?cursor=7",
		"logs?cursor=7":                                     "https://api.example.com/root/v1/logs?cursor=7",
		"./logs?cursor=7&x=%2F":                             "https://api.example.com/root/v1/logs?cursor=7&x=%2F",
		"../v1/other?cursor=7":                              "https://api.example.com/root/v1/other?cursor=7",
		"/v1/logs?cursor=7":                                 "https://api.example.com/v1/logs?cursor=7",
		"//api.example.com/v1/logs?cursor=7":                "https://api.example.com/v1/logs?cursor=7",
		"https://api.example.com/v1/logs?cursor=7":          "https://api.example.com/v1/logs?cursor=7",
		"HTTPS://API.example.com:443/v1/logs?cursor=7":      "https://API.example.com:443/v1/logs?cursor=7",
		"https://api.example.com/root/v1/logs?cursor=7#top": "https://api.example.com/root/v1/logs?cursor=7",
		"?cursor=7#?cursor=8":                               "https://api.example.com/root/v1/logs?cursor=7",
		"?cursor=b%2Fc%20d&x=1+2":                           "https://api.example.com/root/v1/logs?cursor=b%2Fc%20d&x=1+2",
		"a%2Fb":                                             "https://api.example.com/root/v1/a%2Fb",
	} {
		asked, last, err := follow(t, client.CursorWalk[int]{}, func(n int) string {
			if n == 1 {
				return fmt.Sprintf(`{"Next":%q,"Rows":[1]}`, link)
			}

			return `{"Rows":[2]}`
		})
		if err != nil || len(asked) != 2 || asked[1] != want || last.Rows[0] != 2 {
			t.Errorf("%s: asked for %q, %v", link, asked, err)
		}

		// The same link, given to go on from.
		asked, _, err = follow(t, client.CursorWalk[int]{From: link}, func(int) string { return `{"Rows":[2]}` })
		if err != nil || len(asked) != 1 || asked[0] != want {
			t.Errorf("from %s: asked for %q, %v", link, asked, err)
		}
	}
}

// TestCursorWalkGivesWholeLinks: what is kept to go on from later needs no page.
func TestCursorWalkGivesWholeLinks(t *testing.T) {
	t.Parallel()

	_, last, err := follow(t, client.CursorWalk[int]{}, func(n int) string {
		if n < 4 {
			return fmt.Sprintf(`{"Next":"?cursor=%d"}`, n)
		}

		return `{}`
	})
	if err != nil || last.Number != 4 {
		t.Fatalf("got %+v, %v", last, err)
	}

	var polls []string

	w := client.CursorWalk[int]{
		First:  "v1/logs",
		Decode: func([]byte) ([]int, string, string, error) { return nil, "", "?cursor=9#x", nil },
	}
	o := options(t, "https://api.example.com")
	o.Transport = trip(func(*http.Request) string { return `{}` })

	for page, err := range w.Pages(t.Context(), client.New(o)) {
		polls = append(polls, fmt.Sprintf("%s %v", page.PollMore, err))
	}

	if len(polls) != 1 || polls[0] != "https://api.example.com/v1/logs?cursor=9 <nil>" {
		t.Errorf("got %q", polls)
	}
}

// TestCursorWalkRefusesLinks that lead elsewhere or nowhere.
func TestCursorWalkRefusesLinks(t *testing.T) {
	t.Parallel()

	for link, want := range map[string]client.Kind{
		"//other.example.com/root/v1/logs?cursor=7":       client.KindForeignOrigin,
		"http://api.example.com/root/v1/logs?cursor=7":    client.KindForeignOrigin,
		"https://api.example.com:8443/v1/logs?cursor=7":   client.KindForeignOrigin,
		"https://u:p@api.example.com/v1/logs?cursor=7":    client.KindForeignOrigin,
		"//u@api.example.com/v1/logs":                     client.KindForeignOrigin,
		"https:logs?cursor=7":                             client.KindForeignOrigin,
		"https:///v1/logs?cursor=7":                       client.KindForeignOrigin,
		"file:///etc/passwd":                              client.KindForeignOrigin,
		"?start=x":                                        client.KindLoop,
		"#top":                                            client.KindLoop,
		"https://api.example.com/root/v1/logs?start=x#1":  client.KindLoop,
		"/root/v1/../v1/./logs?start=x":                   client.KindLoop,
		"%zz":                                             client.KindShape,
		"https://api.example.com/%":                       client.KindShape,
		"?cursor=" + strings.Repeat("7", 8<<10):           client.KindEndless,
		"https://" + strings.Repeat("a", 10<<20) + "/v1/": client.KindEndless,
	} {
		asked, _, err := follow(t, client.CursorWalk[int]{},
			func(int) string { return fmt.Sprintf(`{"Next":%q,"Rows":[1]}`, link) })

		got := (*client.Error)(nil)
		if !errors.As(err, &got) || got.Kind != want || len(asked) > 2 {
			t.Errorf("%.60s: %v after %d requests", link, err, len(asked))
		}

		for _, u := range asked {
			if u != "https://api.example.com/root/v1/logs?start=x" {
				t.Errorf("%.60s: asked for %.100s", link, u)
			}
		}
	}
}

// TestCursorWalkEndsWithoutEnd: a chain of ever fresh links ends in an error that
// names the limit, and costs little memory until then.
func TestCursorWalkEndsWithoutEnd(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes; make simulate runs this")
	}

	pad := strings.Repeat("x", 1000)

	for name, tt := range map[string]struct {
		rows, link string
		want       string
		most       int
	}{
		"rows on every page": {`[1]`, "?cursor=%d&pad=" + pad, "20000 pages lead to yet another one", 20_000},
		"nothing":            {`[]`, "?cursor=%d", "100 empty pages in a row lead to yet another one", 100},
		"a fresh fragment":   {`[]`, "?cursor=7#%d", "the next page is one that was read before", 3},
		"a long poll_more": {
			`[]`, "?cursor=%d" + strings.Repeat(pad, 9),
			"a link has 9009 bytes, and 8192 is the most that is followed", 1,
		},
	} {
		var before, after runtime.MemStats

		runtime.GC()
		runtime.ReadMemStats(&before)

		n := 0
		o := options(t, "https://api.example.com")
		o.Transport = trip(func(*http.Request) string {
			n++

			return fmt.Sprintf(`{"Next":"`+tt.link+`","Rows":%s}`, n, tt.rows)
		})

		w := client.CursorWalk[int]{First: "v1/logs", Decode: decodeCursor}
		walked, c := 0, client.New(o)

		var err error

		for _, err = range w.Pages(t.Context(), c) {
			if walked++; walked == 19_000 {
				runtime.GC()
				runtime.ReadMemStats(&after)
			}
		}

		got := (*client.Error)(nil)
		if !errors.As(err, &got) || got.Err.Error() != tt.want || got.Path != "/v1/logs" || got.Page == 0 || n > tt.most {
			t.Errorf("%s: %v after %d pages", name, err, n)
		}

		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
			t.Errorf("%s: the heap grew by %d bytes", name, grown)
		}
	}
}

// A URL is taken apart at characters that a secret can hold.
func TestLinksWithSecretsAreNotShown(t *testing.T) {
	t.Parallel()

	for _, token := range []string{
		"pieceOne/pieceTwo", "pieceOne?pieceTwo", "pieceOne#pieceTwo", "pieceOne:pieceTwo",
		"pieceOne@pieceTwo", "pieceOne\\pieceTwo", "pieceOne;pieceTwo", "pieceOne+pieceTwo",
	} {
		for _, address := range []string{
			"https://" + token + ".example.com/", "https://" + strings.ToLower(token) + ".example.com/", "https://example.com:" +
				token,
			"https://" + url.PathEscape(token) + ".example.com/", "/" + token, "?a=" + token, "https://x@" + token,
		} {
			for name, respond := range map[string]http.HandlerFunc{
				"next":     ok(fmt.Sprintf(`{"Next":%q,"Rows":[1]}`, address)),
				"Location": answer(http.StatusFound, "", "", "Location", address),
				"type":     answer(http.StatusBadRequest, token, "<p>"),
				"problem":  answer(http.StatusBadRequest, "application/json", fmt.Sprintf(`{"type":%q,"title":"x"}`, address)),
			} {
				server, _ := serve(t, respond)
				o := options(t, server.URL)
				o.Authorization, o.MaxRetries = "Bearer "+token, 0

				var err error
				for _, err = range (client.CursorWalk[int]{First: "v1/logs", Decode: decodeCursor}).Pages(t.Context(),
					client.New(o)) {
					if err != nil {
						break
					}
				}

				if err == nil {
					t.Errorf("%s of %s: no error", name, address)
				} else if got := strings.ToLower(err.Error()); strings.Contains(got, "pieceone") ||
					strings.Contains(got, "piecetwo") {
					t.Errorf("%s of %s: %v", name, address, err)
				}
			}
		}
	}
}
