// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
)

// TestReportOfAnArchive has a part of its time that the archive holds nothing about.
func TestReportOfAnArchive(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	place, page := filepath.Join(dir, "archive"), filepath.Join(dir, "page.html")

	private, _, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	archived(t, place, private)

	var stdout, stderr bytes.Buffer

	now := func() time.Time { return time.Date(2026, 6, 30, 13, 0, 0, 0, time.UTC) }
	code := run(t.Context(), []string{
		"report", "--service", "archive", "--destination", place,
		"--start", "2026-06-30T10:00:00Z", "--end", "2026-06-30T11:30:00Z", "-o", page,
	}, testEnvironment(&stdout, &stderr, now))

	text, err := os.ReadFile(page)
	if code != 0 || err != nil {
		t.Fatalf("%d, %v: %s", code, err, stderr.String())
	}

	for _, want := range []string{
		"Something may be missing between 2026-06-30 10:00:00 UTC and 2026-06-30 11:30:00 UTC, because ",
		"&#39;s archive holds nothing about 1 part of this time, 1 hour in all",
		"<li>from 2026-06-30 10:00:00 UTC to 2026-06-30 11:00:00 UTC</li>",
		"is what its chain of hashes says.",
		"<code>auditlog verify " + place + "</code>",
		"Not all of it is known",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not there", want)
		}
	}

	if !strings.Contains(stderr.String(), "Warning: The window is not covered throughout") {
		t.Errorf("got %s", stderr.String())
	}
}
