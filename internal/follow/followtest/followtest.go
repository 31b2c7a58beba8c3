// SPDX-License-Identifier: MPL-2.0

// Package followtest has servers that take what a stream passes on, for tests.
package followtest

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/rfc5424"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// maxRequest bounds what is read of a request, in bytes.
const maxRequest = 64 << 20

// ReadOTLP reads a request of an exporter of logs.
func ReadOTLP(tb testing.TB, r *http.Request) *collector.ExportLogsServiceRequest {
	tb.Helper()

	var body io.Reader = r.Body

	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			tb.Error(err)

			return nil
		}

		body = z
	}

	data, err := io.ReadAll(io.LimitReader(body, maxRequest)) //nolint:forbidigo // It is bounded.
	if err != nil {
		tb.Error(err)
	}

	request := &collector.ExportLogsServiceRequest{}
	if err := proto.Unmarshal(data, request); err != nil {
		tb.Error(err)
	}

	return request
}

// RecordsOf are all records of a request.
func RecordsOf(request *collector.ExportLogsServiceRequest) []*logs.LogRecord {
	var all []*logs.LogRecord

	for _, r := range request.GetResourceLogs() {
		for _, s := range r.GetScopeLogs() {
			all = append(all, s.GetLogRecords()...)
		}
	}

	return all
}

// Attribute is an attribute of a record, "" where it has none of that name.
func Attribute(record *logs.LogRecord, name string) string {
	for _, a := range record.GetAttributes() {
		if a.GetKey() == name {
			return a.GetValue().GetStringValue()
		}
	}

	return ""
}

// Syslog is a server that reads messages in frames with their lengths.
type Syslog struct {
	// Address is where it listens.
	Address string
	// Break says, for each connection, whether the server ends before it has read everything. It may be set before
	// the first connection.
	Break func() bool

	mu       sync.Mutex
	messages []syslog.Message
}

// ServeSyslog serves until the test ends, without encryption.
func ServeSyslog(tb testing.TB) *Syslog {
	tb.Helper()

	return serveSyslog(tb, nil)
}

// ServeSyslogTLS serves by TLS.
func ServeSyslogTLS(tb testing.TB, c *tls.Config) *Syslog {
	tb.Helper()

	return serveSyslog(tb, c)
}

func serveSyslog(tb testing.TB, c *tls.Config) *Syslog {
	tb.Helper()

	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	s := &Syslog{Address: listener.Addr().String()}

	var done sync.WaitGroup

	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			done.Go(func() { s.serve(tb, conn, c) })
		}
	})

	tb.Cleanup(func() {
		_ = listener.Close()

		done.Wait()
	})

	return s
}

func (s *Syslog) serve(tb testing.TB, raw net.Conn, c *tls.Config) {
	tb.Helper()

	conn := raw
	if c != nil {
		conn = tls.Server(raw, c)
	}

	defer func() { _ = conn.Close() }()

	breaks := s.broken()
	from := bufio.NewReader(conn)
	parser := rfc5424.NewMachine()

	for n := 0; ; n++ {
		if breaks && n == 1 {
			if tcp, ok := raw.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}

			return
		}

		text, err := frame(from)
		if err != nil {
			return
		}

		m, err := parser.Parse([]byte(text))
		if err != nil {
			tb.Errorf("the message cannot be read: %v: %s", err, text)

			return
		}

		s.mu.Lock()
		s.messages = append(s.messages, m)
		s.mu.Unlock()
	}
}

func (s *Syslog) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.Break != nil && s.Break()
}

func frame(from *bufio.Reader) (string, error) {
	length, err := from.ReadString(' ')
	if err != nil {
		return "", err //nolint:wrapcheck // It ends the connection.
	}

	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil || n < 0 || n > maxRequest {
		return "", errors.New("a frame without a length")
	}

	text := make([]byte, n)
	_, err = io.ReadFull(from, text)

	return string(text), err
}

// Messages are those that have arrived.
func (s *Syslog) Messages() []*rfc5424.SyslogMessage {
	s.mu.Lock()
	defer s.mu.Unlock()

	all := make([]*rfc5424.SyslogMessage, 0, len(s.messages))

	for _, m := range s.messages {
		if m, ok := m.(*rfc5424.SyslogMessage); ok {
			all = append(all, m)
		}
	}

	return all
}

// Texts are the texts of the messages that have arrived.
func (s *Syslog) Texts() []string {
	messages := s.Messages()
	texts := make([]string, 0, len(messages))

	for _, m := range messages {
		if m.Message != nil {
			texts = append(texts, *m.Message)
		}
	}

	return texts
}
