// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"regexp"
)

// What befalls files between writing and verifying without anybody meaning harm. It
// only helps to say what a difference looks like: whoever means harm can make one look
// like this as well, so it stays a difference.

// Restores finds out whether bytes that are not what was written have that SHA-256 once
// their line endings are what they were: Git with core.autocrlf, FTP in text mode and
// editors change them.
//
// What had both kinds of line endings cannot be restored for certain. CSV files have,
// and are tried with CRLF behind records and LF inside quotes.
func Restores(text io.Reader, sum string) (bool, error) {
	var (
		from   = bufio.NewReader(text)
		hashes [3]hash.Hash
		to     [len(hashes)]*bufio.Writer

		quoted, changed bool
	)

	for i := range hashes {
		hashes[i] = sha256.New()
		to[i] = bufio.NewWriter(hashes[i])
	}

	for {
		b, err := from.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			return false, err //nolint:wrapcheck // The reader names what it reads.
		}

		// A CR may belong to no line ending.
		if next, _ := from.Peek(1); b == '\r' && string(next) == "\n" {
			b, _ = from.ReadByte()
		}

		changed = changed || b == '\n'
		quoted = quoted != (b == '"')

		for i, crlf := range [...]bool{false, true, !quoted} {
			if crlf && b == '\n' {
				_ = to[i].WriteByte('\r') // Hashes never fail.
			}

			_ = to[i].WriteByte(b)
		}
	}

	for i := range hashes {
		_ = to[i].Flush()

		if changed && hex.EncodeToString(hashes[i].Sum(nil)) == sum {
			return true, nil
		}
	}

	return false, nil
}

// RestoresTo is Restores for the content of a regular file.
func RestoresTo(path, sum string) (bool, error) {
	f, err := openRegular(path)
	if err != nil {
		return false, err
	}

	restored, err := Restores(f, sum)

	return restored, errors.Join(err, f.Close())
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

// leftBy recognises what operating systems and their file managers leave in directories.
var leftBy = map[string]*regexp.Regexp{
	// macOS keeps what other file systems have no place for beside each file, as "._name".
	"macOS": left(`\._[^/]*|\.ds_store|\.lsoverride|\.localized|icon\r|\.volumeicon\.icns|\.apdisk|`+
		`\.com\.apple\.timemachine\.donotpresent`,
		`\.appledouble|__macosx|\.spotlight-v100|\.trashes|\.fseventsd|\.temporaryitems|\.documentrevisions-v100`),
	"Windows": left(`thumbs\.db|ehthumbs\.db|ehthumbs_vista\.db|desktop\.ini|indexervolumeguid|wpsettings\.dat`,
		`\$recycle\.bin|system volume information|recycler`),
	// A number follows the last three.
	"Linux": left(`\.directory|\.hidden|\.xdg-volume-info|(\.trash-|\.nfs|\.fuse_hidden)[^/]*`,
		`\.trash|lost\+found|(\.trash-|\.nfs|\.fuse_hidden)[^/]*`),
	"a NAS": regexp.MustCompile(`(?i)(^|/)(@eadir|#recycle|\.@__thumb|#snapshot)/`),
}

// left recognises the keys of those files, and of whatever is in those directories.
func left(files, directories string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(^|/)((` + files + `)$|(` + directories + `)/)`)
}

// LeftBySystem names the operating system that the name of an object looks like a file
// of, "" where it looks like none's.
func LeftBySystem(key string) string {
	for system, name := range leftBy {
		if name.MatchString(key) {
			return system
		}
	}

	return ""
}
