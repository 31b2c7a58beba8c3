// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds one line of a loaded file.
const maxLine = 16 << 20

// Load replaces the generated data by NDJSON: one {"service":"upcloud"|"cloudscale","record":{…}} a line, empty lines
// aside. Records are served byte for byte. UpCloud's need a cloud_event_id of their own and a time, cloudscale's a
// timestamp and are in the order of the file. The documented examples stay unless Options.NoExamples. Errors name the
// line and leave everything as it was.
func (s *Server) Load(r io.Reader) error {
	logs, err := s.exampleLogs()
	if err != nil {
		return err
	}
	if err := logs.read(r); err != nil {
		return err
	}
	s.adopt(logs)
	return nil
}

// loadedLogs are logs being read.
type loadedLogs struct {
	upcloud    upCloudLog
	cloudscale cloudscaleLog
}

func (l *loadedLogs) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	seen := map[string]int{}
	number := 0
	for lines.Scan() {
		number++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := l.line(lines.Bytes(), number, seen); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}

func (l *loadedLogs) line(text []byte, number int, seen map[string]int) error {
	var line struct {
		Service string          `json:"service"`
		Record  json.RawMessage `json:"record"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return fmt.Errorf(`not a JSON object of "service" and "record": %w`, err)
	}
	if line.Record == nil {
		return errors.New(`"record" is missing`)
	}
	switch line.Service {
	case serviceUpCloud:
		r, err := parseUpCloud(line.Record)
		if err != nil {
			return err
		}
		if first, twice := seen[r.CloudEventID]; twice {
			return fmt.Errorf("cloud_event_id %s is on line %d already", r.CloudEventID, first)
		}
		seen[r.CloudEventID] = number
		l.upcloud.add(r)
	case serviceCloudscale:
		r, err := parseCloudscale(line.Record)
		if err != nil {
			return err
		}
		l.cloudscale.add(r)
	default:
		return fmt.Errorf("unknown service %q; known are %q and %q", line.Service, serviceUpCloud, serviceCloudscale)
	}
	return nil
}
