// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPagesForBrowsers writes the pages that browsertest opens; see make browser.
func TestPagesForBrowsers(t *testing.T) {
	t.Parallel()

	dir := os.Getenv("REPORT_PAGES")
	if dir == "" {
		t.Skip("REPORT_PAGES is not set")
	}

	const many = 50_000

	large, nothing := generated(many, 90), all()

	for name, page := range map[string]string{
		"everything.html": everything(t),
		"hostile.html":    write(t, hostileSubject(t), all(hostile()...)),
		"empty.html":      write(t, subject(t, nothing, complete(0, 1)), nothing),
		"large.html":      write(t, subject(t, large, complete(many, 90)), large),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
