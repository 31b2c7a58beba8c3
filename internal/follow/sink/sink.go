// SPDX-License-Identifier: MPL-2.0

// Package sink hands entries over to others: to standard output, to a collector by OTLP, to a syslog server, to files.
//
// A sink says that entries were taken only when the other side has said so, as far as its protocol can:
//
//	standard output   the operating system has taken the bytes
//	OTLP              the collector has answered, and has rejected no record
//	syslog            the server has read to the end of the connection, and closed it then
//	files             they are durable, together with the place that the log goes on from
package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
)

// Sink is a place that entries are handed over to.
type Sink interface {
	// Take hands entries over in their order. Without an error all of them have been taken. With one, some of them may
	// have been: the caller hands all of them over again. Errors are *Error or ErrClosed.
	Take(ctx context.Context, entries []auditlog.Entry) error
	// Close gives up what the sink holds open. Nothing that was taken is lost by it.
	Close() error
}

// ErrClosed means that whoever reads the standard output has closed it and wants no more.
var ErrClosed = errors.New("nobody reads the output any more")

// Error says why entries were not taken.
type Error struct {
	// Place is the sink as it may be shown, or the state file where State says so.
	Place string
	// State says that the place could not be kept, and that the entries are not at fault, nor the sink.
	State bool
	// Temporary says that trying again can help without anybody doing something.
	Temporary bool
	// RetryAfter is how long the other side has asked to wait, 0 where it has not.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string { return e.Place + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Encoding is how entries are written.
type Encoding struct {
	// Shape is format.ShapeEntry when "".
	Shape format.Shape
	// Product is who makes events of entries, for format.ShapeOCSF.
	Product ocsf.Product
}

// lines writes entries as NDJSON.
type lines struct {
	buffer  bytes.Buffer
	encoder format.Encoder
}

func newLines(e Encoding) (*lines, error) {
	l := &lines{}

	var err error

	l.encoder, err = format.NewEncoder(&l.buffer, format.NDJSON, nil,
		format.EncoderOptions{Compression: format.Uncompressed, Shape: e.Shape, Product: e.Product})
	if err != nil {
		return nil, fmt.Errorf("encode entries: %w", err)
	}

	return l, nil
}

// of returns the entry's line with its end. The bytes are overwritten by the next call.
func (l *lines) of(e *auditlog.Entry) ([]byte, error) {
	l.buffer.Reset()

	if err := l.encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("encode the entry %s: %w", e.ID, err)
	}

	return l.buffer.Bytes(), nil
}

// trusted returns how a server is to prove who it is: by the system's authorities, or by those in PEM alone.
func trusted(host string, authorities []byte) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if authorities == nil {
		return c, nil
	}

	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(authorities) {
		return nil, ErrAuthorities
	}

	return c, nil
}

// ErrAuthorities means that there is no certificate where those of authorities should be.
var ErrAuthorities = errors.New("the file holds no certificate in PEM")

// isTemporary says whether an error of the network may be over later. That the other side is not who it should be is
// not.
func isTemporary(err error) bool {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verified *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		dns      *net.DNSError
	)

	switch {
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verified),
		errors.As(err, &record):
		return false
	case errors.As(err, &dns):
		return true // A name server may answer that there is no such name while it starts.
	default:
		return true
	}
}
