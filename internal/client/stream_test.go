// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// stream returns what a body brought until it ended or failed, and how often it was read.
func stream(ctx context.Context, o client.Options) (text string, reads int, err error) {
	err = client.New(o).Stream(ctx, "v1/export", url.Values{"q": {"jane.doe"}},
		func(body io.Reader, _ *auditlog.ServiceClock) error {
			reads++

			all, err := io.ReadAll(body)
			text = string(all)

			return err
		})

	return text, reads, err
}

func isKind(err error, kind client.Kind) bool {
	e := (*client.Error)(nil)

	return errors.As(err, &e) && e.Kind == kind && e.Path == "/v1/export" && e.Attempts > 0 &&
		!strings.Contains(err.Error(), "jane")
}

func TestStreamTriesAgainUntilABodyBegins(t *testing.T) {
	t.Parallel()

	for name, failure := range map[string]http.HandlerFunc{
		"429": answer(429, "", "", "Retry-After", "0"), "503": answer(503, "", ""), "connection reset": reset,
		"empty": ok(""), "only space": ok(" \n"), "nothing of a length": broken(""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, count := serve(t, failure, failure, ok(" \n[1]\n"))

			text, reads, err := stream(t.Context(), options(t, s.URL))
			if err != nil || text != "[1]\n" || reads != 1 || count.Load() != 3 {
				t.Errorf("got %q in %d of %d, %v", text, reads, count.Load(), err)
			}
		})
	}
}

func TestStreamReportsErrors(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		handler  http.HandlerFunc
		kind     client.Kind
		requests int64
		reads    int
	}{
		"401":               {answer(401, "", ""), client.KindCredentials, 1, 0},
		"403":               {answer(403, "", ""), client.KindForbidden, 1, 0},
		"404":               {answer(404, "", ""), client.KindNotFound, 1, 0},
		"400":               {answer(400, "", ""), client.KindRejected, 1, 0},
		"206":               {answer(206, "application/json", "[]"), client.KindShape, 1, 0},
		"a redirect":        {answer(302, "", "", "Location", "https://other.example"), client.KindRedirect, 1, 0},
		"503 always":        {answer(503, "", ""), client.KindServer, 4, 0},
		"empty always":      {ok(""), client.KindBrokenBody, 4, 0},
		"a page for people": {answer(200, "text/html", "<html>"), client.KindNotJSON, 1, 0},
		"another encoding":  {answer(200, "application/json; charset=utf-16", "[]"), client.KindShape, 1, 0},
		"another year": {
			answer(200, "application/json", "[]", "Date", "Thu, 01 Jan 2015 00:00:00 GMT"), client.KindClock, 1, 0,
		},
		"broken off": {broken(`[1`), client.KindBrokenBody, 1, 1},
		"reset": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "[1")
			_ = http.NewResponseController(w).Flush()

			panic(http.ErrAbortHandler)
		}, client.KindBrokenBody, 1, 1},
		"no gzip": {answer(200, "application/json", "[1]", "Content-Encoding", "gzip"), client.KindBrokenBody, 4, 0},
		"gzip that is cut": {func(w http.ResponseWriter, _ *http.Request) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(bytes.Repeat([]byte("[1]"), 1000))
			_ = z.Close()

			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes()[:b.Len()-9])
		}, client.KindBrokenBody, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, count := serve(t, tt.handler)

			_, reads, err := stream(t.Context(), options(t, s.URL))
			if !isKind(err, tt.kind) || count.Load() != tt.requests || reads != tt.reads {
				t.Errorf("%d requests, %d read: %v", count.Load(), reads, err)
			}
		})
	}
}

// TestStreamSaysWhatItsReaderSays, by the kinds that a Decode has.
func TestStreamSaysWhatItsReaderSays(t *testing.T) {
	t.Parallel()

	own := errors.New("our own")

	for want, err := range map[client.Kind]error{
		client.KindBrokenBody: exactjson.ErrSyntax, client.KindShape: own,
		client.KindIncomplete: &client.Error{Kind: client.KindIncomplete, Err: own}, "": nil,
	} {
		s, count := serve(t, ok(strings.Repeat("[1]", 1<<20)))

		got := client.New(options(t, s.URL)).Stream(t.Context(), "v1/export", nil,
			func(io.Reader, *auditlog.ServiceClock) error { return err })

		if (want == "") != (got == nil) || want != "" && !isKind(got, want) || count.Load() != 1 {
			t.Errorf("%d requests: got %v, want %s", count.Load(), got, want)
		}
	}
}

// TestStreamUnpacks what is larger than any answer that is read whole.
func TestStreamUnpacks(t *testing.T) {
	t.Parallel()

	const size = client.MaxBody + 1

	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" || r.Header.Get("Authorization") != "Bearer "+secret {
			t.Errorf("asked with %v", r.Header)
		}

		w.Header().Set("Content-Encoding", "gzip")

		z := gzip.NewWriter(w)
		_, _ = z.Write(bytes.Repeat([]byte("x"), size))
		_ = z.Close()
	})

	text, _, err := stream(t.Context(), options(t, s.URL))
	if err != nil || len(text) != size {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestStreamGoesNowhereElse(t *testing.T) {
	t.Parallel()

	s, count := serve(t, ok("[]"))

	err := client.New(options(t, s.URL)).Stream(t.Context(), "https://other.example/v1/export", nil,
		func(io.Reader, *auditlog.ServiceClock) error { return nil })

	e := (*client.Error)(nil)
	if !errors.As(err, &e) || e.Kind != client.KindForeignOrigin || count.Load() > 0 {
		t.Errorf("%d requests, %v", count.Load(), err)
	}
}

// pipeTransport answers every request with a body that somebody else writes.
type pipeTransport struct {
	answer func(n int, w *io.PipeWriter) bool
	n      int
}

func (p *pipeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	p.n++

	body, w := io.Pipe()
	if !p.answer(p.n, w) {
		<-r.Context().Done()

		return nil, r.Context().Err()
	}

	stop := context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(net.ErrClosed) })
	_ = stop

	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}

// TestStreamWaitsForNoSilence: a body may take any time, but not bring nothing for as long
// as a request may take. The time that its reader takes does not count.
func TestStreamWaitsForNoSilence(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		answer   func(n int, w *io.PipeWriter) bool
		kind     client.Kind
		requests int
		busy     time.Duration
		took     time.Duration
	}{
		"slow": {func(_ int, w *io.PipeWriter) bool {
			go func() {
				for range 100 {
					time.Sleep(59 * time.Second)

					_, _ = w.Write([]byte("1"))
				}

				_ = w.Close()
			}()

			return true
		}, "", 1, 0, 5900 * time.Second},
		"silent in the middle": {func(_ int, w *io.PipeWriter) bool {
			go func() { _, _ = w.Write([]byte("[1")) }()

			return true
		}, client.KindTimeout, 1, 0, time.Minute},
		"silent before its first byte": {func(n int, w *io.PipeWriter) bool {
			if n == 3 {
				go func() {
					_, _ = w.Write([]byte("[]"))
					_ = w.Close()
				}()
			}

			return true
		}, "", 3, 0, 2 * time.Minute},
		"no answer": {func(int, *io.PipeWriter) bool { return false }, client.KindTimeout, 4, 0, 4 * time.Minute},
		"a reader at work": {func(_ int, w *io.PipeWriter) bool {
			go func() {
				_, _ = w.Write([]byte("[1"))
				_, _ = w.Write([]byte("2]"))
				_ = w.Close()
			}()

			return true
		}, "", 1, time.Hour, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				transport := &pipeTransport{answer: tt.answer}
				o := options(t, "https://api.example.com")
				o.Transport, o.RequestTimeout = transport, time.Minute
				begun := time.Now()

				err := client.New(o).Stream(t.Context(), "v1/export", nil,
					func(body io.Reader, _ *auditlog.ServiceClock) error {
						for buffer := make([]byte, 1); ; {
							_, err := body.Read(buffer)
							if errors.Is(err, io.EOF) {
								return nil
							}

							if err != nil {
								return err
							}

							if buffer[0] == '[' || buffer[0] == '2' {
								time.Sleep(tt.busy)
							}
						}
					})

				if (tt.kind == "") != (err == nil) || err != nil && !isKind(err, tt.kind) || transport.n != tt.requests {
					t.Errorf("%d requests, %v", transport.n, err)
				}

				if took := time.Since(begun).Truncate(time.Second); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}

				synctest.Wait()
			})
		})
	}
}

// TestStreamEndsWithItsContext, and says so.
func TestStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		o := options(t, "https://api.example.com")
		o.Transport = &pipeTransport{answer: func(_ int, w *io.PipeWriter) bool {
			go func() { _, _ = w.Write([]byte("[1")) }()

			return true
		}}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		if _, _, err := stream(ctx, o); !isKind(err, client.KindDeadline) {
			t.Errorf("got %v", err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)

		if _, _, err := stream(ctx, o); !isKind(err, client.KindCanceled) {
			t.Errorf("got %v", err)
		}
	})
}

// TestStreamTakesASlot and gives it back.
func TestStreamTakesASlot(t *testing.T) {
	t.Parallel()

	s, _ := serve(t, ok("[]"))
	o := options(t, s.URL)
	o.MaxConcurrency = 1
	c := client.New(o)

	if c.MaxConcurrency() != 1 {
		t.Errorf("%d at once", c.MaxConcurrency())
	}

	for range 3 {
		err := c.Stream(t.Context(), "v1/export", nil, func(io.Reader, *auditlog.ServiceClock) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()

			if err := c.Get(ctx, "v1/logs", nil, nil); err == nil {
				t.Error("a second request was made")
			}

			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
