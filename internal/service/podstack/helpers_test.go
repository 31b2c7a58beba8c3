// SPDX-License-Identifier: MPL-2.0

package podstack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

func now() time.Time { return time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC) }

// always is a window that holds every time of the tests.
func always() auditlog.Window {
	return auditlog.Window{Start: time.Unix(0, 0).UTC(), End: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()

	v, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}

	return v
}

// write puts files into a directory of the test's own and returns a service of
// them and the directory.
func write(t *testing.T, files map[string]string) (dir string, s *podstack.Service) {
	t.Helper()

	dir = t.TempDir()

	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return dir, podstack.New(podstack.Options{Exports: []string{filepath.Join(dir, "*")}, Clock: now})
}

func read(ctx context.Context, s *podstack.Service, q auditlog.Query) ([]auditlog.Entry, auditlog.Completeness, error) {
	var (
		entries []auditlog.Entry
		c       auditlog.Completeness
	)

	for e, err := range s.Read(ctx, q, &c) {
		if err != nil {
			return nil, c, err
		}

		entries = append(entries, e)
	}

	return entries, c, nil
}

// whole is all that an error says, one part a line.
func whole(err error) string {
	e := (*podstack.Error)(nil)
	if !errors.As(err, &e) {
		return err.Error()
	}

	lines := []string{e.Reason}
	add := func(key, value string) {
		if value != "" && value != "0" {
			lines = append(lines, key+": "+value)
		}
	}

	if e.File != "" {
		add("File", filepath.Base(e.File))
	}

	add("Line", strconv.Itoa(e.Line))
	add("Column", strconv.Itoa(e.Column))
	add("Header", e.Header)
	add("Headers", strings.Join(e.Headers, " | "))

	return strings.Join(append(lines, e.Next), "\n")
}

// shown writes entries as JSON, without what is absent.
func shown(t *testing.T, entries []auditlog.Entry) string {
	t.Helper()

	var b bytes.Buffer

	for i := range entries {
		object := map[string]any{}

		for _, f := range auditlog.Fields() {
			switch text := f.Text(&entries[i]); {
			case text == "":
			case f.Kind == auditlog.KindChanges, f.Kind == auditlog.KindRaw:
				object[f.Name] = json.RawMessage(text)
			default:
				object[f.Name] = text
			}
		}

		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")

		if err := e.Encode(object); err != nil {
			t.Fatal(err)
		}
	}

	return b.String()
}
