// SPDX-License-Identifier: MPL-2.0

package format

import (
	"errors"
	"slices"
)

// HTML is one page for people, which package report makes: it takes more than one pass
// over the entries, and their statement. It is no copy of the entries and cannot be read
// back, so it is not among All.
const HTML Format = "html"

// ForExports lists every format that an export can have.
func ForExports() []Format { return append(All(), HTML) }

// HTMLColumns are the fields that a page shows of each entry, in its order.
func HTMLColumns() []string {
	return []string{
		"time", "actor_type", "actor", "actor_id", "operation", "action", "resource_name", "resource_type", "resource_id",
		"ip_address", "origin", "message", "changes", "id",
	}
}

// What does not go with HTML.
var (
	ErrHTMLColumns     = errors.New("a page in HTML has columns of its own, so columns cannot be chosen")
	ErrHTMLCompression = errors.New("a page in HTML is not compressed, since browsers would not open it")
)

// CheckHTML says whether entries can be written in that format, where it is HTML.
func CheckHTML(f Format, c Compression, columns bool) error {
	switch {
	case f != HTML:
		return nil
	case columns:
		return ErrHTMLColumns
	case c != "" && c != Uncompressed:
		return ErrHTMLCompression
	default:
		return nil
	}
}

// known says whether there is such a format.
func (f Format) known() bool { return slices.Contains(ForExports(), f) }
