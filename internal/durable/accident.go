// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
)

// What befalls files between writing and verifying without anybody meaning harm. It
// only helps to say what a difference looks like: whoever means harm can make one look
// like this as well, so it stays a difference.

// LineEndings finds out whether bytes that are not what was written are so again once
// their line endings are: Git with core.autocrlf, FTP in text mode and editors change
// them. The bytes are written to it.
//
// What had both kinds of line endings cannot be restored for certain. CSV files have,
// and are tried with CRLF behind records and LF inside quotes.
type LineEndings struct {
	variants [3]variant

	// held says that a CR was seen, of which only the next byte tells what it is.
	held, quoted, changed bool
}

// variant is the bytes with one kind of line endings.
type variant struct {
	*bufio.Writer

	hash hash.Hash
}

// NewLineEndings returns one that has seen nothing yet.
func NewLineEndings() *LineEndings {
	l := &LineEndings{}
	for i := range l.variants {
		h := sha256.New()
		l.variants[i] = variant{bufio.NewWriter(h), h}
	}

	return l
}

// Write implements io.Writer. It never fails.
func (l *LineEndings) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n':
			l.lineEnding()

			continue
		case l.held: // A CR that belongs to no line ending.
			l.put('\r')
		}

		l.held = b == '\r'

		if b == '"' {
			l.quoted = !l.quoted
		}

		if !l.held {
			l.put(b)
		}
	}

	return len(p), nil
}

func (l *LineEndings) put(b byte) {
	for _, v := range l.variants {
		_ = v.WriteByte(b) // Hashes never fail.
	}
}

func (l *LineEndings) lineEnding() {
	l.held, l.changed = false, true

	for i, cr := range [...]bool{false, true, !l.quoted} {
		if cr {
			_ = l.variants[i].WriteByte('\r')
		}
	}

	l.put('\n')
}

// Restore says whether the bytes have that SHA-256 with other line endings.
func (l *LineEndings) Restore(sum string) bool {
	if l.held {
		l.put('\r')

		l.held = false
	}

	return l.changed && slices.ContainsFunc(l.variants[:], func(v variant) bool {
		_ = v.Flush()

		return hex.EncodeToString(v.hash.Sum(nil)) == sum
	})
}

// RestoresTo says whether the content of a regular file has that SHA-256 with other
// line endings.
func RestoresTo(path, sum string) (bool, error) {
	l := NewLineEndings()
	_, err := store{OS()}.copyTo(l, path, -1, nil)

	return l.Restore(sum), err
}

// UnixLineEndings makes every CRLF an LF. Texts of ours hold no CRLF but in CSV.
func UnixLineEndings(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }

// AttributesKey and AttributesText are the file that keeps Git from changing line
// endings in the directory that it lies in, and below.
const (
	AttributesKey  = ".gitattributes"
	AttributesText = "* -text\n"
)

// InDirectory says that the objects of a store are files, which programs that know
// nothing of the store may touch.
func InDirectory(s Store) bool {
	_, ok := s.(*directoryStore)

	return ok
}

// leftBy has what operating systems and their file managers leave in directories, in
// lower case; a "/" ends the name of a directory.
var leftBy = map[string][]string{
	"macOS": {
		".ds_store", ".appledouble/", ".lsoverride", ".localized", "icon\r", "__macosx/", ".spotlight-v100/", ".trashes/", ".fseventsd/",
		".temporaryitems/", ".documentrevisions-v100/", ".volumeicon.icns", ".apdisk", ".com.apple.timemachine.donotpresent",
	},
	"Windows": {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin/", "system volume information/", "recycler/", "indexervolumeguid", "wpsettings.dat"},
	"Linux":   {".directory", ".trash/", "lost+found/", ".hidden", ".xdg-volume-info"},
	"a NAS":   {"@eadir/", "#recycle/", ".@__thumb/", "#snapshot/"},
}

// LeftBySystem names the operating system that the name of an object looks like a file
// of, "" where it looks like none's.
func LeftBySystem(key string) string {
	parts := strings.SplitAfter(strings.ToLower(key), "/")

	for i, part := range parts {
		// macOS keeps what other file systems have no place for beside each file.
		if i == len(parts)-1 && strings.HasPrefix(part, "._") {
			return "macOS"
		}

		// A number follows.
		for _, prefix := range []string{".trash-", ".nfs", ".fuse_hidden"} {
			if strings.HasPrefix(part, prefix) {
				return "Linux"
			}
		}

		for system, names := range leftBy {
			if slices.Contains(names, part) {
				return system
			}
		}
	}

	return ""
}
