// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
)

// spoilRows is what the faults of single records do to those of a page. timeKey and nameKey name the fields of a record
// that hold its time and a text.
func spoilRows(rows []json.RawMessage, timeKey, nameKey string, hit strike) {
	switch hit.fault {
	case "bad-time":
		at := hit.variant(uint64(len(rows)))
		rows[at] = withValue(rows[at], timeKey, `"yesterday at noon"`)
	case "bad-record":
		rows[hit.variant(uint64(len(rows)))] = json.RawMessage([]string{`null`, `42`, `"a record"`, `[]`}[hit.ordinal%4])
	case "charset":
		for i := range rows {
			rows[i] = withValue(rows[i], nameKey, "\"Zo\xeb\"")
		}
	case "mixed-order":
		for i := len(rows) - 1; i > 0; i-- {
			j := draw(hit.seed, "mixed-order/"+strconv.Itoa(i), hit.ordinal) % uint64(i+1)
			rows[i], rows[j] = rows[j], rows[i]
		}
	case "rounded-seconds":
		for i := range rows {
			rows[i] = withValue(rows[i], timeKey, `"`+rounded(rows[i], timeKey, hit).Format(time.RFC3339)+`"`)
		}
	}
}

// rounded is a record's time in whole seconds: all down, all to the nearest, or all up.
func rounded(raw json.RawMessage, key string, hit strike) time.Time {
	t := must(raw, func(raw json.RawMessage) (time.Time, error) {
		f, err := parseFields(raw)
		if err != nil {
			return time.Time{}, err
		}
		return f.instant(key)
	})
	up := []time.Duration{0, time.Second / 2, time.Second - 1}[hit.steady(3)]
	return t.Add(up).UTC().Truncate(time.Second)
}

// faulty turns a good answer into what the fault makes of it. The faults that change which rows are served, and what
// they hold, have done their work before; for them, as for no fault at all, the answer stays as it is.
func (s *Server) faulty(r *http.Request, service string, hit strike, p *response) *response {
	switch hit.fault {
	case "401", "429", "500", "502", "503", "retry-after":
		p = s.serverError(service, hit)
	case "204", "206", "304", "redirect", "redirect-foreign":
		p = s.otherStatus(r, hit, p)
	case "html":
		p = newResponse(http.StatusOK, "text/html; charset=utf-8", []byte(loginPage))
	case "clock-fast":
		s.tell(p, 5*time.Minute)
	case "clock-slow":
		s.tell(p, -5*time.Minute)
	case "no-total":
		delete(p.header, headerTotal) // not Del, which would spell it as Go does
	case "total-garbage":
		p.header[headerTotal] = []string{[]string{"", "-1", "1e3", "200.0", "many"}[hit.variant(5)]}
	default:
		p.cut, p.drip = cutOf(hit), s.options.Drip
		p.spoil(hit)
	}
	p.fault = hit.fault
	return p
}

// tell makes an answer be of another time.
func (s *Server) tell(p *response, ahead time.Duration) {
	if !s.options.NoDate {
		p.header.Set("Date", s.options.Clock().Add(s.options.ClockSkew+ahead).UTC().Format(http.TimeFormat))
	}
}

// cutOf says how the answer breaks off on the wire.
func cutOf(hit strike) string {
	switch hit.fault {
	case "reset":
		return []string{"reset-before", "reset-after"}[hit.variant(2)]
	case "truncate-silent":
		return []string{"truncate-silent-chunked", "truncate-silent-close"}[hit.variant(2)]
	default:
		return hit.fault
	}
}

// spoil changes the bytes of a body.
func (p *response) spoil(hit strike) {
	switch hit.fault {
	case "malformed":
		p.body = slices.Clone(p.body)
		p.body[len(p.body)/2] = 0 // valid nowhere in JSON, neither between tokens nor within a string
	case "empty":
		p.body = nil
	case "trailing":
		rest := [][]byte{[]byte("\n<!-- 12 ms -->\n"), p.body}[hit.variant(2)]
		p.body = slices.Concat(p.body, rest)
	case "bom":
		p.body = slices.Concat([]byte("\uFEFF"), p.body)
	case "utf-16":
		p.body = inUTF16(p.body)
		p.header.Set("Content-Type", typeJSON+"; charset=utf-16")
	case "charset":
		p.header.Set("Content-Type", typeJSON+"; charset=iso-8859-1")
	case "deep":
		const levels = 100_000
		open, shut := bytes.Repeat([]byte("["), levels), bytes.Repeat([]byte("]"), levels)
		p.body = slices.Concat([]byte(`{"deep":`), open, shut, []byte(","), p.body[1:])
	case "duplicate-keys":
		p.body = withDuplicate(p.body, hit)
	}
}

// withDuplicate gives an object its first key once more, with null, before all the others or behind them.
func withDuplicate(body []byte, hit strike) []byte {
	key := body[1:bytes.IndexByte(body, ':')]
	if hit.variant(2) == 0 {
		return slices.Concat([]byte("{"), key, []byte(":null,"), body[1:])
	}
	return slices.Concat(body[:len(body)-1], []byte(","), key, []byte(":null}"))
}

func inUTF16(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(string(text))) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

// otherStatus is an answer that is neither one nor an error.
func (s *Server) otherStatus(r *http.Request, hit strike, p *response) *response {
	to := func(location string) *response {
		status := []int{
			http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
			http.StatusPermanentRedirect,
		}[hit.variant(5)]
		moved := newResponse(status, "text/html; charset=utf-8", []byte("<a href=\"#\">Moved</a>.\n"))
		moved.header.Set("Location", location)
		return moved
	}
	switch hit.fault {
	case "204":
		return newResponse(http.StatusNoContent, typeJSON, nil)
	case "206":
		p.status = http.StatusPartialContent
		p.header.Set("Content-Range", "bytes 0-"+strconv.Itoa(len(p.body)-1)+"/"+strconv.Itoa(2*len(p.body)))
		return p
	case "304":
		p = newResponse(http.StatusNotModified, typeJSON, nil)
		p.header.Set("ETag", `"1"`)
		return p
	case "redirect":
		return to([]string{r.URL.RequestURI(), "/login"}[hit.ordinal%2])
	default:
		return to(s.options.Foreign + r.URL.RequestURI())
	}
}

const loginPage = `<!DOCTYPE html>
<html lang="en">
<head><title>Sign in</title></head>
<body><form method="post" action="/login"><input name="username"><input name="password" type="password"></form></body>
</html>
`
