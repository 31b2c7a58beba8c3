// SPDX-License-Identifier: MPL-2.0

package sink_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/followtest"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

func entries(n int) []auditlog.Entry {
	all := make([]auditlog.Entry, n)
	for i := range all {
		all[i] = auditlog.Entry{
			ID: fmt.Sprintf("E%06d", i), Time: time.Date(2026, 1, 1, 0, 0, i, 120000000, time.UTC), Service: "upcloud",
			Action: "create", Operation: auditlog.OperationCreate, ActorType: auditlog.ActorUser,
			Actor: "Zoë\n\x00\u2028 \"]\\ <ci>", Message: "x", Raw: []byte(`{"a": 1}`),
		}
	}

	return all
}

// written is the entries as a file of NDJSON has them.
func written(t *testing.T, all []auditlog.Entry) string {
	t.Helper()

	var text bytes.Buffer

	e, err := format.NewEncoder(&text, format.NDJSON, nil, format.EncoderOptions{})
	for i := range all {
		err = errors.Join(err, e.Encode(&all[i]))
	}

	if err != nil {
		t.Fatal(err)
	}

	return text.String()
}

func target(t *testing.T, text string) sink.Target {
	t.Helper()

	to, err := sink.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}

	return to
}

func TestParseTarget(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"":                                    "standard output",
		"-":                                   "standard output",
		"otlp+https://collector":              "otlp+https://collector:4318",
		"otlp+https://collector/otlp/":        "otlp+https://collector:4318/otlp",
		"otlp+http://[::1]:80":                "otlp+http://[::1]:80",
		"SYSLOG+TLS://logs.example.com":       "syslog+tls://logs.example.com:6514",
		"syslog+tcp://127.0.0.1":              "syslog+tcp://127.0.0.1:601",
		"file:/var/lib/auditlog/":             "file:/var/lib/auditlog",
		"file:here":                           "file:here",
		"https://collector":                   "no place that entries can be passed on to",
		"file:///var/lib":                     "no place that entries can be passed on to",
		"file:":                               "empty",
		"file:~/x":                            "shell",
		"stdout":                              "no place that entries can be passed on to",
		"otlp+https://":                       "without a host",
		"otlp+https://c?x=1":                  "\"?\"",
		"otlp+https://c#x":                    "\"#\"",
		"syslog+tls://c/path":                 "with a path",
		"otlp+https://joe:h%zz@c":             "not a readable address",
		"otlp+https://joe:sUp3rS3cretPw@c":    "user name or password",
		"syslog+tls://t0ken-of-someone@c:123": "user name or password",
	} {
		got, err := sink.ParseTarget(text)

		shown := got.String()
		if err != nil {
			shown = err.Error()
		}

		if !strings.Contains(shown, want) || err == nil && shown != want {
			t.Errorf("%q: got %q, want %q", text, shown, want)
		}

		if strings.Contains(shown, "sUp3rS3cretPw") {
			t.Errorf("%q: the password is shown", text)
		}
	}

	if shown := screen.Text("failed at sUp3rS3cretPw and t0ken-of-someone"); strings.Contains(shown, "sUp3r") || strings.Contains(shown, "t0ken") {
		t.Errorf("what stood in a URL is shown: %s", shown)
	}

	for text, inTheClear := range map[string]bool{
		"otlp+http://localhost": false, "otlp+http://127.0.0.9": false, "syslog+tcp://[::1]": false, "file:x": false,
		"otlp+https://c": false, "otlp+http://c": true, "syslog+tcp://10.0.0.1": true,
		"syslog+tcp://localhost.example.com": true,
	} {
		if got := target(t, text).InTheClear(); got != inTheClear {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// A collector that answers anything but that it has taken everything has not.
func TestOTLPAnswers(t *testing.T) {
	t.Parallel()

	partial := func(rejected int64, message string) []byte {
		body, err := proto.Marshal(&collector.ExportLogsServiceResponse{
			PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: message},
		})
		if err != nil {
			t.Fatal(err)
		}

		return body
	}

	const protobuf = "application/x-protobuf"

	for _, c := range []struct {
		name, kind string
		status     int
		body       []byte
		header     map[string]string
		want       string // "" where it has taken everything
		temporary  bool
		after      time.Duration
		warned     string
	}{
		{name: "empty", status: 200},
		{name: "accepted", status: 202},
		{name: "message", status: 200, kind: protobuf, body: partial(0, "")},
		{name: "parameter", status: 200, kind: protobuf + "; charset=utf-8", body: partial(0, "slow"), warned: "slow"},
		{name: "rejected", status: 200, kind: protobuf, body: partial(2, "no"), want: "rejected 2 records"},
		{name: "JSON", status: 200, kind: "application/json", body: []byte(`{"partialSuccess":{"rejectedLogRecords":"2"}}`), want: "not one of a collector"},
		{name: "page", status: 200, kind: "text/html", body: []byte("<html>Log in"), want: "not one of a collector"},
		{name: "none", status: 200, body: []byte("OK"), want: "not one of a collector"},
		{name: "broken", status: 200, kind: protobuf, body: []byte("OK"), want: "cannot be read"},
		{name: "redirect", status: 302, header: map[string]string{"Location": "/login"}, want: "status 302"},
		{name: "bad", status: 400, want: "status 400"},
		{name: "credentials", status: 401, want: "status 401"},
		{name: "missing", status: 404, want: "status 404"},
		{name: "large", status: 413, want: "status 413"},
		{name: "error", status: 500, want: "status 500"},
		{name: "busy", status: 429, header: map[string]string{"Retry-After": "7"}, want: "status 429", temporary: true, after: 7 * time.Second},
		{name: "down", status: 503, want: "status 503", temporary: true},
		{name: "gateway", status: 504, want: "status 504", temporary: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/logs" {
					_, _ = w.Write(nil) // Who follows a redirect would find success.

					return
				}

				w.Header()["Content-Type"] = nil
				if c.kind != "" {
					w.Header().Set("Content-Type", c.kind)
				}

				for name, value := range c.header {
					w.Header().Set(name, value)
				}

				w.WriteHeader(c.status)
				_, _ = w.Write(c.body)
			}))
			defer server.Close()

			warned := ""

			s, err := sink.NewOTLP(t.Context(), sink.OTLPOptions{
				Target: target(t, "otlp+"+server.URL), Clock: time.Now, Warned: func(m string) { warned = m },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()

			err = s.Take(t.Context(), entries(3))
			taking := (*sink.Error)(nil)

			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (!errors.As(err, &taking) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v", err)
			case c.want != "" && (taking.Temporary != c.temporary || taking.RetryAfter != c.after):
				t.Errorf("temporary %v, retry after %s", taking.Temporary, taking.RetryAfter)
			}

			if warned != c.warned {
				t.Errorf("warned %q", warned)
			}
		})
	}
}

// What a collector complains about is told once, and not at any length.
func TestOTLPLongComplaint(t *testing.T) {
	t.Parallel()

	rejected := int64(0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer, err := proto.Marshal(&collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{
			RejectedLogRecords: rejected, ErrorMessage: strings.Repeat("é", 100_000),
		}})
		if err != nil {
			t.Error(err)
		}

		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}))
	defer server.Close()

	var told []string

	s, err := sink.NewOTLP(t.Context(), sink.OTLPOptions{
		Target: target(t, "otlp+"+server.URL), Clock: time.Now, Warned: func(message string) { told = append(told, message) },
	})
	if err != nil {
		t.Fatal(err)
	}

	for range 3 {
		if err := s.Take(t.Context(), entries(1)); err != nil {
			t.Fatal(err)
		}
	}

	if len(told) != 1 || !strings.HasPrefix(told[0], "éé") || len(told[0]) > 1100 {
		t.Errorf("told %d times, the first in %d bytes", len(told), len(strings.Join(told[:min(1, len(told))], "")))
	}

	rejected = 1

	var refused *sink.RejectedError
	if err := s.Take(t.Context(), entries(1)); !errors.As(err, &refused) || len(refused.Message) > 1100 {
		t.Errorf("got %.200v", err)
	}
}

// The body of a record is the line that a file would have, and the exporter reads nothing from the environment itself.
func TestOTLPRecords(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20other,of%zz=the exporter's own reading")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://192.0.2.1:1")
	t.Setenv("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2")

	var (
		request *collector.ExportLogsServiceRequest
		token   string
	)

	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		request, token = followtest.ReadOTLP(t, r), r.Header.Get("Authorization")
	}))
	defer server.Close()

	headers, err := sink.ParseHeaders("Authorization=Bearer%20abc,other=1")
	if err != nil {
		t.Fatal(err)
	}

	s, err := sink.NewOTLP(t.Context(),
		sink.OTLPOptions{Target: target(t, "otlp+"+server.URL), Headers: headers, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}

	all := entries(3)
	if err := s.Take(t.Context(), all); err != nil {
		t.Fatal(err)
	}

	records := followtest.RecordsOf(request)
	if len(records) != 3 || token != "Bearer abc" {
		t.Fatalf("%d records, token %q", len(records), token)
	}

	for i, r := range records {
		if r.GetBody().GetStringValue()+"\n" != written(t, all[i:i+1]) || followtest.Attribute(r, "log.record.uid") != all[i].ID ||
			followtest.Attribute(r, "auditlog.action") != "create" || r.GetTimeUnixNano() != uint64(all[i].Time.UnixNano()) {
			t.Errorf("record %d is %v", i, r)
		}
	}
}

// Headers that cannot be used are an error, and never shown; neither are those that can.
func TestParseHeaders(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"Authorization: Bearer first-Secret-7": "wrong at part 1 of 1: it is no header, since it has no \"=\"",
		"a=b,Authorization=second%zzSecret-7":  "wrong at part 2 of 2: it is a header whose value has a \"%\"",
		"a b=third-Secret-7,c=d":               "wrong at part 1 of 2: it is a header whose name is none",
		"a=fourth-Secret-7,":                   "wrong at part 2 of 2: it is no header",
		"a=fifth-Secret-7%0Ab":                 "wrong at part 1 of 1: it is a header whose value has a line break",
		"a=1,A=sixth-Secret-7":                 "wrong at part 2 of 2: it is a header that was given before",
		"":                                     "wrong at part 1 of 1: it is no header",
		"a=Bearer%20seventh-Secret-7":          "",
	} {
		_, err := sink.ParseHeaders(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}

		if shown := screen.Text(text + " " + fmt.Sprint(err)); strings.Contains(shown, "Secret-7") {
			t.Errorf("%q is shown as %s", text, shown)
		}
	}

	if shown := screen.Text("no such token: seventh-Secret-7"); strings.Contains(shown, "Secret-7") {
		t.Errorf("a collector's answer is shown as %s", shown)
	}
}

// Both servers have to prove who they are.
func TestCertificates(t *testing.T) {
	t.Parallel()

	web := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer web.Close()

	web.Config.ErrorLog = nil
	logs := followtest.ServeSyslogTLS(t, &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12})
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	_, port, _ := net.SplitHostPort(logs.Address)

	for _, c := range []struct {
		name, host  string
		authorities []byte
		works       bool
	}{
		{"vouched for", "127.0.0.1", own, true},
		{"system", "127.0.0.1", nil, false},
		{"other name", "localhost", own, false},
	} {
		to := target(t, "syslog+tls://"+net.JoinHostPort(c.host, port))

		s, err := sink.NewSyslog(sink.SyslogOptions{Target: to, Authorities: c.authorities})
		if err != nil {
			t.Fatal(err)
		}

		check(t, "syslog "+c.name, s, c.works)

		to = target(t, strings.Replace("otlp+"+web.URL, "127.0.0.1", c.host, 1))

		o, err := sink.NewOTLP(t.Context(), sink.OTLPOptions{Target: to, Authorities: c.authorities, Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}

		check(t, "otlp "+c.name, o, c.works)
	}

	if len(logs.Messages()) != 2 {
		t.Errorf("%d messages", len(logs.Messages()))
	}

	if _, err := sink.NewSyslog(sink.SyslogOptions{
		Target: target(t, "syslog+tls://x"), Authorities: []byte("x"),
	}); !errors.Is(err, sink.ErrAuthorities) {
		t.Errorf("got %v", err)
	}
}

func check(t *testing.T, name string, s sink.Sink, works bool) {
	t.Helper()

	err := s.Take(t.Context(), entries(2))
	taking := (*sink.Error)(nil)

	switch {
	case works && err != nil:
		t.Errorf("%s: %v", name, err)
	case !works && (!errors.As(err, &taking) || taking.Temporary || !strings.Contains(err.Error(), "certificate")):
		t.Errorf("%s: got %v", name, err)
	}

	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A syslog server gets each entry as a message of RFC 5424.
func TestSyslogMessages(t *testing.T) {
	t.Parallel()

	server := followtest.ServeSyslog(t)

	var long int

	s, err := sink.NewSyslog(sink.SyslogOptions{
		Target: target(t, "syslog+tcp://"+server.Address), Hostname: "runner.example.com",
		Long: func(size int) { long = size },
	})
	if err != nil {
		t.Fatal(err)
	}

	all := entries(3)
	all[2].Message = strings.Repeat("é", 10_000)

	if err := s.Take(t.Context(), all); err != nil {
		t.Fatal(err)
	}

	messages := server.Messages()
	if len(messages) != 3 {
		t.Fatalf("%d messages", len(messages))
	}

	for i, m := range messages {
		if *m.Message+"\n" != written(t, all[i:i+1]) || *m.Priority != 110 || !m.Timestamp.Equal(all[i].Time) ||
			*m.Hostname != "runner.example.com" || *m.Appname != "auditlog" || *m.MsgID != "create" {
			t.Errorf("message %d is %+v", i, m)
		}
	}

	if long < 20_000 {
		t.Errorf("a message of %d bytes was reported", long)
	}
}

// A server that ends before it has read everything has not taken it, although everything was sent.
func TestSyslogServerEnds(t *testing.T) {
	t.Parallel()

	server := followtest.ServeSyslog(t)
	server.Break = func() bool { return true }

	s, err := sink.NewSyslog(sink.SyslogOptions{Target: target(t, "syslog+tcp://"+server.Address)})
	if err != nil {
		t.Fatal(err)
	}

	taking := (*sink.Error)(nil)
	if err := s.Take(t.Context(), entries(5)); !errors.As(err, &taking) || !taking.Temporary {
		t.Errorf("got %v", err)
	}
}

// A server that closes the connection before it can have read everything has not taken it.
func TestSyslogServerClosesFirst(t *testing.T) {
	t.Parallel()

	if runtime.GOOS != "linux" {
		t.Skip("Only Linux tells who closed first.")
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	closed := make(chan error)

	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = conn.(*net.TCPConn).CloseWrite() // It reads nothing.
		}
		closed <- err
		<-t.Context().Done()
	}()

	s, err := sink.NewSyslog(sink.SyslogOptions{Target: target(t, "syslog+tcp://"+listener.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}

	s.OnceConnected(func() {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})

	taking := (*sink.Error)(nil)
	if err := s.Take(t.Context(), entries(5)); !errors.As(err, &taking) || !taking.Temporary {
		t.Errorf("got %v", err)
	}
}

// A server that never closes the connection leaves open whether it has read anything.
func TestSyslogServerHangs(t *testing.T) {
	t.Parallel()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	s, err := sink.NewSyslog(sink.SyslogOptions{Target: target(t, "syslog+tcp://"+listener.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()

	if err := s.Take(ctx, entries(5)); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("got %v", err)
	}
}

// A line that a killed process has begun in a file is ended, so that the next one is whole. Whole lines stay as they
// are.
func TestWriterEndsLine(t *testing.T) {
	t.Parallel()

	all := entries(2)

	for before, want := range map[string]string{
		"": "", `{"id":"E0"}` + "\n": `{"id":"E0"}` + "\n", `{"id":"E0"}` + "\n" + `{"i`: `{"id":"E0"}` + "\n" + `{"i` + "\n",
	} {
		path := filepath.Join(t.TempDir(), "out.ndjson")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}

		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}

		s, err := sink.NewWriter(f, sink.Encoding{})
		if err != nil {
			t.Fatal(err)
		}

		if err := errors.Join(s.Take(t.Context(), all), f.Close()); err != nil {
			t.Fatal(err)
		}

		if got, err := os.ReadFile(path); err != nil || string(got) != want+written(t, all) {
			t.Errorf("behind %q: %v, %q", before, err, got)
		}
	}
}

// Standard output gets the lines that a file would have, and a pipe without a reader ends it.
func TestWriter(t *testing.T) {
	t.Parallel()

	var text bytes.Buffer

	s, err := sink.NewWriter(&text, sink.Encoding{})
	if err != nil {
		t.Fatal(err)
	}

	all := entries(3)
	if err := s.Take(t.Context(), all); err != nil || text.String() != written(t, all) {
		t.Errorf("%v: %s", err, text.String())
	}

	r, w := io.Pipe()
	_ = r.Close()

	if s, err = sink.NewWriter(w, sink.Encoding{}); err != nil {
		t.Fatal(err)
	}

	if err := s.Take(t.Context(), all); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("got %v", err)
	}

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full")
	}
	defer func() { _ = full.Close() }()

	if s, err = sink.NewWriter(full, sink.Encoding{}); err != nil {
		t.Fatal(err)
	}

	taking := (*sink.Error)(nil)
	if err := s.Take(t.Context(), all); !errors.As(err, &taking) || taking.Temporary {
		t.Errorf("got %v", err)
	}
}

// A pipe that nobody reads holds the writer up until the context ends. After that, nothing more is written behind what
// may be a part of a line.
func TestWriterHeldUp(t *testing.T) {
	t.Parallel()

	_, w := io.Pipe()
	defer func() { _ = w.Close() }()

	s, err := sink.NewWriter(w, sink.Encoding{})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()

	if err := s.Take(ctx, entries(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	if err := s.Take(t.Context(), entries(1)); err == nil {
		t.Error("a line was written behind a part of another")
	}
}

// What was not saved shows nowhere. Files that are taken away stay away, and their numbers are not given again.
func TestDirectory(t *testing.T) {
	t.Parallel()

	directory := filepath.Join(t.TempDir(), "a", "b")

	open := func() *sink.Directory {
		d, err := sink.OpenDirectory(directory, sink.Encoding{}, durable.Options{})
		if err != nil {
			t.Fatal(err)
		}

		return d
	}

	names := func() string {
		all, _ := filepath.Glob(filepath.Join(directory, "*.ndjson"))
		for i := range all {
			all[i] = filepath.Base(all[i])
		}

		return strings.Join(all, " ")
	}

	d, all := open(), entries(10)
	if state, err := d.Load(t.Context()); state != nil || err != nil {
		t.Fatal(state, err)
	}

	if err := errors.Join(d.Take(t.Context(), all[:4]), d.Save(t.Context(), []byte(`{"n":1}`)), d.Take(t.Context(), all[4:])); err != nil {
		t.Fatal(err)
	}

	if got := names(); got != "auditlog-0000000001.ndjson" {
		t.Errorf("there are %s", got)
	}

	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	if err := os.Remove(filepath.Join(directory, names())); err != nil {
		t.Fatal(err)
	}

	d = open()
	defer func() { _ = d.Close() }()

	state, err := d.Load(t.Context())
	if err != nil || !strings.Contains(string(state), `"n"`) {
		t.Fatalf("%s, %v", state, err)
	}

	if err := errors.Join(d.Take(t.Context(), all[4:]), d.Save(t.Context(), []byte(`{"n":2}`))); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(filepath.Join(directory, "auditlog-0000000002.ndjson"))
	if err != nil || string(text) != written(t, all[4:]) || names() != "auditlog-0000000002.ndjson" {
		t.Errorf("%v: %s: %s", err, names(), text)
	}

	// A place that was put back from a copy would have files written over.
	if err := os.WriteFile(filepath.Join(directory, "auditlog-0000000003.ndjson"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}

	if err := d.Take(t.Context(), all[:1]); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("got %v", err)
	}
}

// A file ends with the line that makes it large enough. What a call left that failed is in none.
func TestDirectoryRotates(t *testing.T) {
	t.Parallel()

	const size = 200 << 10 // more than what is written at once

	all := entries(1000)
	directory := t.TempDir()

	d, err := sink.OpenDirectory(directory, sink.Encoding{}, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()

	d.RotateAfter(size)

	broken := entries(1)
	broken[0].Raw = []byte("{")

	if err := d.Take(t.Context(), append(entries(3), broken...)); err == nil {
		t.Fatal("a record that is no JSON was taken")
	}

	for i := 0; i < len(all); i += 300 {
		if err := d.Take(t.Context(), all[i:min(i+300, len(all))]); err != nil {
			t.Fatal(err)
		}
	}

	if err := d.Save(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}

	names, err := filepath.Glob(filepath.Join(directory, "*.ndjson"))
	if err != nil || len(names) < 2 {
		t.Fatal(names, err)
	}

	var got []byte

	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}

		last := strings.LastIndexByte(strings.TrimSuffix(string(text), "\n"), '\n')
		if len(text) < size && i < len(names)-1 || last >= size {
			t.Errorf("%s has %d bytes, and its last line begins after %d", name, len(text), last)
		}

		got = append(got, text...)
	}

	if string(got) != written(t, all) {
		t.Error("the files do not hold the entries, each in one line")
	}
}
