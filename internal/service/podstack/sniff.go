// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"bytes"
	"strings"
)

// bom marks UTF-8.
const bom = "\xef\xbb\xbf"

// mistaken names the kind of a file that is no CSV, by its first bytes, and says
// what to do; a file that may be CSV has no reason.
func mistaken(begin []byte) (reason, next string) {
	const (
		again = "Click Export in the PodStack console and name the CSV file it gives."
		save  = "Save it as CSV UTF-8, or click Export in the PodStack console again."
	)

	for _, kind := range []struct{ magic, reason, next string }{
		{"\xff\xfe", "The file is UTF-16, not UTF-8", save},
		{"\xfe\xff", "The file is UTF-16, not UTF-8", save},
		{"%PDF", "The file is a PDF, not CSV", again},
		{"PK\x03\x04", "The file is an Excel workbook or another ZIP archive, not CSV", save},
		{"\xd0\xcf\x11\xe0", "The file is an old Excel workbook, not CSV", save},
		{"\x1f\x8b", "The file is compressed with gzip", "Unpack it first."},
		{"\x28\xb5\x2f\xfd", "The file is compressed with zstd", "Unpack it first."},
		{"BZh", "The file is compressed with bzip2", "Unpack it first."},
	} {
		if strings.HasPrefix(string(begin), kind.magic) {
			return kind.reason + ".", kind.next
		}
	}

	// Text in two bytes a character, without the mark that says so.
	if len(begin) > 3 && (begin[0] == 0) != (begin[1] == 0) && (begin[2] == 0) != (begin[3] == 0) {
		return "The file is UTF-16, not UTF-8.", save
	}

	text := bytes.TrimLeft(bytes.TrimPrefix(begin, []byte(bom)), " \t\r\n")

	switch {
	case len(text) == 0:
		return "The file is empty.", again
	case bytes.HasPrefix(text, []byte("<?xml")):
		return "The file is XML, not CSV.", again
	case text[0] == '<':
		return "The file is a web page, not CSV: perhaps one that asks to log in.", again
	case text[0] == '{' || text[0] == '[':
		return "The file is JSON, not CSV.", again
	default:
		return "", ""
	}
}
