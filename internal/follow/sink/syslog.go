// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// The header of messages: facility 13 (log audit), severity 6 (informational), RFC 5424.
const (
	syslogPriority = 13*8 + 6
	syslogVersion  = 1
	syslogApp      = "auditlog"
)

// UsualMessage is the length of a message that RFC 5425 asks every receiver to take, in bytes. Longer ones many cut.
const UsualMessage = 8192

// syslogPatience is how long a server may take to read what was sent and to close the connection.
const syslogPatience = 30 * time.Second

// SyslogOptions say how messages are sent.
type SyslogOptions struct {
	Target Target
	// Authorities are the certificates in PEM of those who may vouch for the server, nil for the system's.
	Authorities []byte
	// Hostname is this machine's, "" where it is not known.
	Hostname string
	Encoding Encoding
	// Long is told once of a message that is longer than UsualMessage, in bytes. Nil tells nobody.
	Long func(size int)
}

// SyslogSink sends messages of RFC 5424 in frames with their lengths (RFC 5425 over TLS, RFC 6587 over TCP).
//
// The protocol has no answers: bytes that were sent may lie unread in a server that ends. So each batch has a
// connection of its own. The sink says that it has sent all, and waits until the server closes the connection as well,
// which it does once it has read everything. A connection that breaks before that was not read to its end. Neither was
// one that the server closes before it can know the end, such as a balancer without a server behind it: where the
// operating system tells (Linux), that is an error as well.
type SyslogSink struct {
	o     SyslogOptions
	lines *lines
	tls   *tls.Config
	long  bool
	// connected is done between a connection and what is sent over it, by tests.
	connected func()
}

// NewSyslog returns the sink. It makes no connection.
func NewSyslog(o SyslogOptions) (*SyslogSink, error) {
	l, err := newLines(o.Encoding)
	if err != nil {
		return nil, err
	}

	s := &SyslogSink{o: o, lines: l}

	if o.Target.TLS {
		if s.tls, err = trusted(o.Target.Host, o.Authorities); err != nil {
			return nil, err
		}
	}

	return s, nil
}

// Take implements Sink.
func (s *SyslogSink) Take(ctx context.Context, entries []auditlog.Entry) error {
	var frames bytes.Buffer

	for i := range entries {
		message, err := s.message(&entries[i])
		if err != nil {
			return &Error{Place: s.o.Target.String(), Err: err}
		}

		if len(message) > UsualMessage && !s.long && s.o.Long != nil {
			s.long = true
			s.o.Long(len(message))
		}

		_, _ = fmt.Fprintf(&frames, "%d %s", len(message), message) // It never fails.
	}

	if err := s.send(ctx, frames.Bytes()); err != nil {
		return &Error{Place: s.o.Target.String(), Temporary: isTemporary(err), Err: err}
	}

	return nil
}

// message is an entry as a message, with its line of NDJSON as the text.
func (s *SyslogSink) message(e *auditlog.Entry) (string, error) {
	line, err := s.lines.of(e)
	if err != nil {
		return "", err
	}

	text := strings.TrimSuffix(string(line), "\n")

	m := &rfc5424.SyslogMessage{}
	m.SetPriority(syslogPriority).SetVersion(syslogVersion).
		SetTimestamp(e.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00")).
		SetAppname(syslogApp).SetMsgID(string(e.Operation)).SetMessage(text)

	if s.o.Hostname != "" {
		m.SetHostname(s.o.Hostname)
	}

	// The builder leaves out what it does not like, and says nothing.
	if m.Timestamp == nil || m.Message == nil || *m.Message != text {
		return "", fmt.Errorf("the entry %s does not fit into a syslog message", e.ID)
	}

	message, err := m.String()
	if err != nil {
		return "", fmt.Errorf("make a syslog message of the entry %s: %w", e.ID, err)
	}

	return message, nil
}

// halfCloser is a connection one direction of which can be closed.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

func (s *SyslogSink) send(ctx context.Context, frames []byte) (err error) {
	ctx, cancel := context.WithTimeout(ctx, syslogPatience)
	defer cancel()

	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}

	defer func() { _ = conn.Close() }() // What there is to tell, the end of the reading has told.

	// What waits for the network gives up when the context ends.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	if s.connected != nil {
		s.connected()
	}

	if _, err = conn.Write(frames); err != nil {
		return fmt.Errorf("send: %w", err)
	}

	switch closed, err := closedFirst(conn); {
	case err != nil:
		return err
	case closed:
		return errClosedFirst
	}

	if err = conn.CloseWrite(); err != nil {
		return fmt.Errorf("send: %w", err)
	}

	// What a server says has no meaning here.
	_, err = io.Copy(io.Discard, io.LimitReader(conn, UsualMessage))

	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the server did not close the connection, so whether it has read everything is not known: %w",
			context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("the connection broke, so whether the server has read everything is not known: %w", err)
	}

	switch bytes, err := unheard(conn); {
	case err != nil:
		return err
	case bytes > 0:
		return errClosedFirst
	default:
		return nil
	}
}

// errClosedFirst says that a server cannot have read everything.
var errClosedFirst = errors.New("the server closed the connection before everything had come to it, " +
	"so whether it has read anything is not known")

func (s *SyslogSink) dial(ctx context.Context) (halfCloser, error) {
	var (
		conn net.Conn
		err  error
	)

	if s.tls == nil {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", s.o.Target.Address())
	} else {
		conn, err = (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.o.Target.Address())
	}

	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}

	half, ok := conn.(halfCloser)
	if !ok {
		return nil, errors.Join(errors.New("the connection cannot be closed in one direction"), conn.Close())
	}

	return half, nil
}

// Close implements Sink.
func (s *SyslogSink) Close() error { return nil }
