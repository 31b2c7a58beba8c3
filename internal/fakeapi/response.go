// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// response is an answer before it meets the wire.
type response struct {
	status int
	header http.Header
	body   []byte
	// stream, if set, writes the body instead, for what should not be held in memory.
	stream func(io.Writer) error
	// cut is how the answer breaks off on the wire: the name of a fault, or one of its variants.
	cut   string
	drip  time.Duration // how long the fault "drip" takes
	fault string
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
	switch p.cut {
	case "reset-before":
		sent(0)
		reset(w)
		return
	case "hang":
		sent(0)
		<-r.Context().Done()
		return
	case "1xx":
		for range interimAnswers {
			w.Header().Set("Link", "</style.css>; rel=preload; as=style")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Link")
	default:
	}
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Vary", "Accept-Encoding")
	// The length of a huge answer is what matters, and one that is not compressed is none.
	compress := acceptsGzip(r.Header) && (p.stream != nil || len(p.body) > 0) && p.cut != "huge" && p.cut != "gzip-broken"
	if compress || p.cut == "gzip-bomb" || p.cut == "gzip-broken" {
		w.Header().Set("Content-Encoding", "gzip")
	}
	sent(p.status)

	if p.stream != nil {
		p.sendStream(w, compress)
		return
	}
	body := p.body
	if p.cut == "truncate-silent-chunked" || p.cut == "truncate-silent-close" {
		body = body[:len(body)/2]
	}
	if compress || p.cut == "gzip-bomb" {
		body = gzipped(body)
	}
	switch p.cut {
	case "truncate-silent-chunked":
		w.WriteHeader(p.status)
		_ = http.NewResponseController(w).Flush() // headers without a length: the rest is chunked
		_, _ = w.Write(body)
	case "truncate-silent-close":
		w.Header().Set("Transfer-Encoding", "identity") // net/http: no chunks, close after the body
		w.WriteHeader(p.status)
		_, _ = w.Write(body)
	case "cut", "length-short":
		p.sendRaw(w, body)
	case "drip":
		p.sendSlowly(w, r, body)
	case "gzip-bomb":
		w.WriteHeader(p.status)
		_, _ = w.Write(body)
		p.pad(w, gzipped(padding), bombSize/len(padding))
	case "huge":
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+hugeSize))
		w.WriteHeader(p.status)
		_, _ = w.Write(body)
		p.pad(w, padding, hugeSize/len(padding))
	default:
		p.sendDeclared(w, r, body)
	}
}

const (
	interimAnswers = 100
	hugeSize       = 60 << 20
	bombSize       = 1 << 30
)

// padding is white space, which may follow any JSON.
var padding = bytes.Repeat([]byte(" "), 1<<20)

// pad writes chunks until the client has enough of them.
func (p *response) pad(w io.Writer, chunk []byte, times int) {
	for range times {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// sendDeclared declares a length and keeps to it as far as the fault lets it.
func (p *response) sendDeclared(w http.ResponseWriter, r *http.Request, body []byte) {
	length := len(body)
	if p.cut == "length-long" {
		length += 16
	}
	if len(body) > 0 || p.status == http.StatusOK {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(p.status)
	switch p.cut {
	case "reset-after", "truncate", "hang-body":
		body = body[:len(body)/2]
	default:
	}
	_, _ = w.Write(body)
	switch p.cut {
	case "reset-after":
		_ = http.NewResponseController(w).Flush()
		reset(w)
	case "hang-body":
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	default:
		// Where bytes are missing, net/http notices and closes the connection.
	}
}

// sendSlowly sends a body in pieces.
func (p *response) sendSlowly(w http.ResponseWriter, r *http.Request, body []byte) {
	const pieces = 16
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.status)
	pause := time.NewTicker(max(p.drip/pieces, 1))
	defer pause.Stop()
	for piece := range slices.Chunk(body, len(body)/pieces+1) {
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		}
		_, _ = w.Write(piece)
		_ = http.NewResponseController(w).Flush()
	}
}

// sendRaw writes what net/http would not: a body that is longer than was declared, or one of no declared length on a
// connection that is closed in its middle.
func (p *response) sendRaw(w http.ResponseWriter, body []byte) {
	header := w.Header().Clone()
	header.Set("Connection", "close")
	if p.cut == "cut" {
		body = body[:len(body)/2]
	} else {
		header.Set("Content-Length", strconv.Itoa(len(body)-len(body)/4))
	}
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 and test recorders have no connection of their own
		panic(http.ErrAbortHandler)
	}
	_, _ = buffer.WriteString("HTTP/1.1 " + strconv.Itoa(p.status) + " " + http.StatusText(p.status) + "\r\n")
	_ = header.Write(buffer)
	_, _ = buffer.WriteString("\r\n")
	_, _ = buffer.Write(body)
	_ = buffer.Flush()
	_ = inner(conn).Close()
}

// sendStream leaves a failed stream visibly incomplete: the connection is aborted, never ended cleanly.
func (p *response) sendStream(w http.ResponseWriter, compress bool) {
	w.WriteHeader(p.status)
	to, end := io.Writer(w), func() error { return nil }
	if compress {
		zip := &zipStream{to: w}
		to, end = zip, zip.close
	}
	out := bufio.NewWriterSize(to, streamChunk)
	if p.stream(out) != nil || out.Flush() != nil || end() != nil {
		panic(http.ErrAbortHandler)
	}
}

// streamChunk is how much of a stream leaves at a time.
const streamChunk = 256 << 10

// reset closes the connection so that the peer sees a reset (RST) rather than an orderly end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 and test recorders have no connection of their own
		panic(http.ErrAbortHandler)
	}
	below := inner(conn)
	if tcp, ok := below.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = below.Close()
}

// inner is the connection below TLS, which ends without TLS's own end.
func inner(conn net.Conn) net.Conn {
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return tls.NetConn()
	}
	return conn
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

// gzipped compresses a body, or finds it among those that it has compressed before.
func gzipped(body []byte) []byte {
	return zipped.find(body, false, func() []byte { return gzipAnew(body) })
}

func gzipAnew(body []byte) []byte {
	zip, ok := zippers.Get().(*gzip.Writer)
	if !ok {
		zip = newGzipWriter(io.Discard)
	}
	defer zippers.Put(zip)

	var buf bytes.Buffer
	zip.Reset(&buf)
	_, _ = zip.Write(body) // a bytes.Buffer takes everything
	_ = zip.Close()
	return bytes.Clone(buf.Bytes())
}

// zipStream is a gzip member (RFC 1952) of chunks, each of which is compressed by itself, or found among those that
// have been compressed before.
type zipStream struct {
	to     io.Writer
	begun  bool
	sum    uint32
	length uint32
}

// Write takes one chunk.
func (z *zipStream) Write(chunk []byte) (int, error) {
	z.sum, z.length = crc32.Update(z.sum, crc32.IEEETable, chunk), z.length+uint32(len(chunk))
	if err := z.begin(); err != nil {
		return 0, err
	}
	if _, err := z.to.Write(zipped.find(chunk, true, func() []byte { return deflated(chunk) })); err != nil {
		return 0, err
	}
	return len(chunk), nil
}

func (z *zipStream) begin() error {
	if z.begun {
		return nil
	}
	z.begun = true
	_, err := z.to.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}) // deflate, no time, no system
	return err
}

// close writes an empty last block, and the checksum and the length of what was compressed.
func (z *zipStream) close() error {
	if err := z.begin(); err != nil {
		return err
	}
	end := binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 0xff, 0xff}, z.sum)
	_, err := z.to.Write(binary.LittleEndian.AppendUint32(end, z.length))
	return err
}

// deflated compresses a chunk to whole bytes behind which others may follow.
func deflated(chunk []byte) []byte {
	var buf bytes.Buffer
	zip, err := flate.NewWriter(&buf, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a valid constant
	}
	_, _ = zip.Write(chunk) // a bytes.Buffer takes everything
	_ = zip.Flush()
	return bytes.Clone(buf.Bytes())
}

// zipped holds compressed bodies by what they are compressed from, whichever server, request or fault made it: a
// log that is walked a second time is not compressed again.
var zipped = zipCache{bodies: map[zipKey][]byte{}}

// zipKey tells bodies apart by two hashes of 64 bits.
type zipKey struct {
	one, two uint64
	length   int
	chunk    bool // of a stream
}

var zipSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// mostZipped bounds the bytes that a cache holds. A walk through a million entries takes some 100 MB.
const mostZipped = 192 << 20

type zipCache struct {
	mu     sync.Mutex
	bodies map[zipKey][]byte
	size   int
}

// find looks for what a body becomes, and keeps it where it has to be made.
func (c *zipCache) find(body []byte, chunk bool, compress func() []byte) []byte {
	key := zipKey{maphash.Bytes(zipSeeds[0], body), maphash.Bytes(zipSeeds[1], body), len(body), chunk}
	small, ok := c.get(key)
	if !ok {
		small = compress()
		c.put(key, small)
	}
	return small
}

func (c *zipCache) get(key zipKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	small, ok := c.bodies[key]
	return small, ok
}

func (c *zipCache) put(key zipKey, small []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size+len(small) > mostZipped {
		clear(c.bodies)
		c.size = 0
	}
	if _, ok := c.bodies[key]; !ok {
		c.bodies[key] = small
		c.size += len(small)
	}
}
