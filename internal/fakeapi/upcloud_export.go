// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
)

// getUpCloud answers with one bare event. The answer for a missing one is undocumented.
func (s *Server) getUpCloud(id string, query url.Values) *response {
	c := queryChecker{query: query}
	if c.known(); len(c.bad) > 0 {
		return s.invalid(c.bad...)
	}
	s.mu.Lock()
	at := slices.IndexFunc(s.upcloud.rows, func(row upCloudRow) bool { return row.id == id })
	var raw json.RawMessage
	if at >= 0 {
		raw = s.upcloud.rows[at].raw
	}
	s.mu.Unlock()
	if raw == nil {
		return s.problem(http.StatusNotFound, "ERROR_RESOURCE_NOT_FOUND", "The audit log event does not exist.")
	}
	return newResponse(http.StatusOK, typeJSON, raw)
}

// exportColumns are the fields in the specification's order. What the service's CSV really looks like (its columns,
// their order, whether it has a header at all) is documented nowhere: this header is our guess.
var exportColumns = []string{
	"time", "auth_type", "cloud_event_id", "upcloud_correlation_id", "resource_type", "resource_sub_type", "action",
	"origin", "account_username", "ip_address", "resource_id", "current_state", "previous_state",
}

// exportUpCloud streams the whole log; format is the only parameter. Its order, the CSV's content type and the file
// name are undocumented.
func (s *Server) exportUpCloud(query url.Values) *response {
	c := queryChecker{query: query}
	c.known("format")
	format, given := c.one("format")
	if !given {
		format = "csv"
	}
	if format != "csv" && format != "json" && len(c.bad) == 0 {
		c.fail("format", "Must be csv or json.")
	}
	if len(c.bad) > 0 {
		return s.invalid(c.bad...)
	}
	s.mu.Lock()
	all := s.upCloudPage(upCloudFilter{after: math.MinInt64, before: math.MaxInt64}, 0, len(s.upcloud.rows)).rows
	s.mu.Unlock()

	contentType, stream := "text/csv; charset=utf-8", writeCSV
	if format == "json" {
		contentType, stream = typeJSON, writeArray
	}
	p := newResponse(http.StatusOK, contentType, nil)
	p.header.Set("Content-Disposition", `attachment; filename="audit-logs.`+format+`"`)
	p.stream = func(w io.Writer) error { return stream(w, all) }
	return p
}

func writeArray(w io.Writer, rows []json.RawMessage) error {
	lead := []byte("[")
	for _, raw := range rows {
		if _, err := w.Write(lead); err != nil {
			return err
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
		lead = []byte(",")
	}
	if len(rows) > 0 {
		lead = nil
	}
	_, err := w.Write(append(lead, ']'))
	return err
}

// writeCSV writes strings as they are, absent values and nulls as empty cells, and everything else as JSON.
func writeCSV(w io.Writer, rows []json.RawMessage) error {
	out := csv.NewWriter(w)
	if err := out.Write(exportColumns); err != nil {
		return err
	}
	cells := make([]string, len(exportColumns))
	for _, raw := range rows {
		f, err := parseFields(raw)
		if err != nil {
			return err
		}
		for i, column := range exportColumns {
			if cells[i], err = f.text(column); err != nil {
				cells[i] = string(f[column])
			}
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
