// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

func sumOf(text string) string {
	s := sha256.Sum256([]byte(text))

	return hex.EncodeToString(s[:])
}

// pieces gives the text in pieces of a length.
type pieces struct {
	text   string
	length int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}

	n := copy(b, p.text[:min(p.length, len(p.text))])
	p.text = p.text[n:]

	return n, nil
}

func restores(found, written string, piece int) bool {
	restored, err := durable.Restores(&pieces{found, piece}, sumOf(written))

	return restored && err == nil
}

func TestLineEndingsAreRestored(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		written, found string
		want           bool
	}{
		"LF became CRLF":                   {"a\nb\n", "a\r\nb\r\n", true},
		"CRLF became LF":                   {"a\r\nb\r\n", "a\nb\n", true},
		"some LF became CRLF":              {"a\nb\nc\n", "a\r\nb\nc\r\n", true},
		"CSV became LF":                    {"a,\"b\nc\"\r\nd,e\r\n", "a,\"b\nc\"\nd,e\n", true},
		"CSV became CRLF":                  {"a,\"b\"\"\nc\"\r\nd,e\r\n", "a,\"b\"\"\r\nc\"\r\nd,e\r\n", true},
		"a CR by itself is no line ending": {"a\rb\n\r", "a\rb\r\n\r", true},
		"an LF behind a CR became CRLF":    {"a\r\nb", "a\r\r\nb", true},
		"another byte":                     {"a\nb\n", "a\r\nc\r\n", false},
		"one line more":                    {"a\nb\n", "a\r\nb\r\n\r\n", false},
		"one line less":                    {"a\nb\n", "a\r\nb", false},
		"nothing to restore":               {"ab", "ab", false},
		"nothing":                          {"a\n", "", false},
	} {
		for piece := 1; piece < 6; piece++ {
			if got := restores(c.found, c.written, piece); got != c.want {
				t.Errorf("%s, %d bytes at a time: got %t", name, piece, got)
			}
		}
	}
}

// Whatever the text, both ways of changing all its line endings are found out, and
// nothing that differs otherwise.
func TestLineEndingsOfAnyText(t *testing.T) {
	t.Parallel()

	parts := rapid.SampledFrom([]string{"\n", "\r", `"`, "a", "b", "\x00"})

	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(parts, 0, 12).Draw(t, "text"), "")
		piece := rapid.IntRange(1, 5).Draw(t, "piece")
		unix := strings.ReplaceAll(text, "\r\n", "\n")
		windows := strings.ReplaceAll(unix, "\n", "\r\n")

		if strings.Contains(unix, "\r\n") {
			t.Skip("a CR before a CRLF is not told from the CRLF")
		}

		for _, pair := range [][2]string{{unix, windows}, {windows, unix}} {
			if got, want := restores(pair[0], pair[1], piece), strings.Contains(text, "\n"); got != want {
				t.Fatalf("%q to %q: got %t", pair[0], pair[1], got)
			}
		}

		if restores(windows, unix+"x", piece) || restores(unix, "x"+windows, piece) {
			t.Fatalf("%q: more than line endings was restored", text)
		}
	})
}

func TestLeftBySystem(t *testing.T) {
	t.Parallel()

	for key, want := range map[string]string{
		".DS_Store": "macOS", "entries/cloud=upcloud/.DS_Store": "macOS", "entries/._00000001-x.ndjson": "macOS",
		"__MACOSX/entries/._x":       "macOS",
		".Spotlight-V100/Store-V2/x": "macOS", ".fseventsd/0000": "macOS", "Icon\r": "macOS", "a/.AppleDouble/x": "macOS",
		"Thumbs.db": "Windows", "manifests/thumbs.db": "Windows", "desktop.ini": "Windows", "Desktop.ini": "Windows",
		"$RECYCLE.BIN/S-1/x":          "Windows",
		"System Volume Information/x": "Windows", ".directory": "Linux", "claims/.directory": "Linux",
		".Trash-1000/files/x": "Linux", ".nfs000000000001": "Linux",
		"lost+found/#12": "Linux", "@eaDir/x": "a NAS",

		"": "", "README": "", "DS_Store": "", ".DS_Store.ndjson": "", "entries/x.DS_Store": "", "my-desktop.ini": "",
		"desktop.ini.json": "", "__MACOSX": "",
		".git/config": "", "entries/00000001-x.ndjson": "", "_x": "", "._x/y": "",
	} {
		if got := durable.LeftBySystem(key); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

func TestInDirectory(t *testing.T) {
	t.Parallel()

	if s := openDirectory(t, t.TempDir(), nil); !durable.InDirectory(s) {
		t.Error("a directory is none")
	}
}
