// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"strconv"
	"strings"
)

// Error says what is wrong with an export, and where. It never holds what a cell
// says; headers are no personal data.
type Error struct {
	// File is the file's name, or the pattern that matches none; empty for a text
	// that is no file.
	File string
	// Line and Column count from 1, Column in characters; 0 where there is no
	// such place.
	Line, Column int
	// Header is that of the column at fault, Headers all that were found.
	Header  string
	Headers []string
	// Reason and Next are one sentence each: what is wrong, and what to do.
	Reason, Next string

	// unfinished says that a quote was still open where the text ended.
	unfinished bool
}

func (e *Error) Error() string {
	var b strings.Builder

	b.WriteString(e.File)

	for _, n := range []int{e.Line, e.Column} {
		if n > 0 {
			b.WriteString(":" + strconv.Itoa(n))
		}
	}

	return strings.TrimLeft(b.String()+": "+e.Reason, ": ")
}
