// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// cut is how an answer breaks off on the wire.
type cut int

const (
	cutNone          cut = iota
	cutResetBefore       // reset instead of an answer
	cutResetAfter        // reset in the middle of the body
	cutDeclared          // less is sent than was declared
	cutSilentChunked     // a clean end in the middle, chunked
	cutSilentClose       // a clean end in the middle, delimited by the close
)

// response is an answer before it meets the wire.
type response struct {
	status int
	header http.Header
	body   []byte
	// stream, if set, writes the body instead, for what should not be held in memory.
	stream func(io.Writer) error
	cut    cut
	fault  string
}

const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
)

func newResponse(status int, contentType string, body []byte) *response {
	return &response{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
}

// send writes the answer, compressed when the client accepts that. sent is called once, right before the first byte
// leaves, so that a client holding an answer finds its request in the log; status 0 means that no answer was given.
func (p *response) send(w http.ResponseWriter, r *http.Request, sent func(status int)) {
	if p.cut == cutResetBefore {
		sent(0)
		reset(w)
		return
	}
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Vary", "Accept-Encoding")
	compress := acceptsGzip(r.Header) && (p.stream != nil || len(p.body) > 0)
	if compress {
		w.Header().Set("Content-Encoding", "gzip")
	}
	sent(p.status)

	if p.stream != nil {
		p.sendStream(w, compress)
		return
	}
	body := p.body
	if p.cut == cutSilentChunked || p.cut == cutSilentClose {
		body = body[:len(body)/2]
	}
	if compress {
		body = gzipped(body)
	}
	switch p.cut {
	case cutSilentChunked:
		w.WriteHeader(p.status)
		_ = http.NewResponseController(w).Flush() // headers without a length: the rest is chunked
		_, _ = w.Write(body)
		return
	case cutSilentClose:
		w.Header().Set("Transfer-Encoding", "identity") // net/http: no chunks, close after the body
		w.WriteHeader(p.status)
		_, _ = w.Write(body)
		return
	case cutNone, cutResetBefore, cutResetAfter, cutDeclared:
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.status)
	if p.cut == cutNone {
		_, _ = w.Write(body)
		return
	}
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	if p.cut == cutResetAfter {
		reset(w)
	}
	// For cutDeclared net/http notices the missing bytes and closes the connection.
}

// sendStream leaves a failed stream visibly incomplete: the connection is aborted, never ended cleanly.
func (p *response) sendStream(w http.ResponseWriter, compress bool) {
	w.WriteHeader(p.status)
	var err error
	if compress {
		zip := newGzipWriter(w)
		if err = p.stream(zip); err == nil {
			err = zip.Close()
		}
	} else {
		err = p.stream(w)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// reset closes the connection so that the peer sees a reset (RST) rather than an orderly end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 and test recorders have no connection of their own
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		inner = tls.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = inner.Close()
}

func acceptsGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			coding, params, _ := strings.Cut(part, ";")
			if coding = strings.TrimSpace(coding); !strings.EqualFold(coding, "gzip") && coding != "*" {
				continue
			}
			weight, found := strings.CutPrefix(strings.TrimSpace(params), "q=")
			if q, err := strconv.ParseFloat(weight, 64); !found || err == nil && q > 0 {
				return true
			}
		}
	}
	return false
}

func newGzipWriter(w io.Writer) *gzip.Writer {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a valid constant
	}
	return zip
}

// zippers holds writers to use again: a fresh one costs more memory than the
// page that it compresses.
var zippers = sync.Pool{New: func() any { return newGzipWriter(io.Discard) }}

func gzipped(body []byte) []byte {
	zip, ok := zippers.Get().(*gzip.Writer)
	if !ok {
		zip = newGzipWriter(io.Discard)
	}
	defer zippers.Put(zip)

	var buf bytes.Buffer
	zip.Reset(&buf)
	_, _ = zip.Write(body) // a bytes.Buffer takes everything
	_ = zip.Close()
	return buf.Bytes()
}
