// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	// ErrExists is returned by Store.Create when there is an object under the key.
	ErrExists = errors.New("exists already")
	// ErrNotConditional means that a store lets two create the same object. Two
	// runners could then both believe that they were first.
	ErrNotConditional = errors.New("does not refuse to create what exists already")
)

// Object is one object of a store.
type Object struct {
	// Key is its name: parts joined by slashes, whatever the store.
	Key string
	// Size is its length in bytes, 0 when it is irregular.
	Size int64
	// Irregular marks what is no object and Read refuses: a link, a device, a name that
	// CheckKey refuses, a directory without files, whose key ends in a slash.
	Irregular bool
	// Temporary marks what is being written, or was left by a crash; Sweep removes it. It
	// is no object.
	Temporary bool
}

// Store holds whole objects under keys. Whoever looks sees an object as it was
// given or not at all, also after a crash; directoryStore documents the one
// exception. Objects are small enough for memory. It may be used by several
// goroutines.
//
// Errors answer errors.Is: fs.ErrNotExist for a missing object or bucket,
// fs.ErrPermission for a refused one, fs.ErrInvalid for a key that CheckKey
// refuses, ErrExists, ErrTooLarge, the context's error. Any other error of Create,
// Replace and Delete leaves open whether the change was made: the answer may have
// been lost on its way.
type Store interface {
	// String names the place as users write it, without any secret.
	String() string
	// Create makes an object under a key that has none, or returns ErrExists. Of
	// two that create the same key at the same time, one succeeds.
	//
	// When the answer to a request is lost and the repeated one is told that the
	// object exists, the object is compared with data, and the same bytes count as
	// ours. So nobody is told that another's object is there where it is their own, nor
	// that it is their own where it differs. But of two that create the same bytes, both
	// may succeed, and then it must not matter who was first: what follows from the
	// object has to be the same, too. Callers that must know put something unique into
	// data.
	Create(ctx context.Context, key string, data []byte) error
	// Replace makes an object, whatever is there.
	Replace(ctx context.Context, key string, data []byte) error
	// Read returns an object of at most limit bytes.
	Read(ctx context.Context, key string, limit int64) ([]byte, error)
	// List yields the objects whose keys begin with prefix, in the order of the
	// keys' bytes. An error is yielded once and ends the sequence.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Delete removes an object; a missing one is fine.
	Delete(ctx context.Context, key string) error
}

// keyError says why a key names no object in any store.
type keyError struct{ key, reason string }

func (e *keyError) Error() string { return fmt.Sprintf("key %q %s", e.key, e.reason) }

// Is makes it an fs.ErrInvalid.
func (e *keyError) Is(target error) bool { return target == fs.ErrInvalid }

const (
	// longestKey is S3's limit in bytes, prefix included.
	longestKey = 1024
	// longestPart is the limit of file systems in common use, in bytes.
	longestPart = 255
)

// CheckKey accepts the keys that mean the same object in every store: a directory
// can be copied to object storage and back, by any tool, on any system.
func CheckKey(key string) error {
	reason := "is empty"
	if key != "" {
		reason = checkParts(key, longestKey, checkPart)
	}

	if reason != "" {
		return &keyError{key, reason}
	}

	return nil
}

// checkParts says what is wrong with what slashes join, "" if nothing is.
func checkParts(parts string, longest int, check func(part string) string) string {
	if len(parts) > longest {
		return "is too long"
	}

	for part := range strings.SplitSeq(parts, "/") {
		switch part {
		case "":
			return "has an empty part"
		case ".", "..":
			return "leads elsewhere"
		}

		if reason := check(part); reason != "" {
			return reason
		}
	}

	return ""
}

const badCharacter = "has a character that not every store can keep"

// deviceName is what Windows takes for a device, in any case and with any extension.
var deviceName = regexp.MustCompile(`(?i)^(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9]) *(\.|$)`)

func checkPart(part string) string {
	switch {
	case len(part) > longestPart:
		return "has a part that is too long"
	case strings.ContainsFunc(part,
		func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`\:*?"<>|`, r) }):
		return badCharacter
	case strings.HasSuffix(part, "."), strings.HasSuffix(part, " "):
		return "has a part whose end Windows drops"
	case deviceName.MatchString(part):
		return "has a part that is a device on Windows"
	case isPartName(part):
		return "has the name of a temporary file"
	default:
		return ""
	}
}

// checkPrefix is CheckKey for the part of a bucket that a user chose, which need
// not exist anywhere else. "" is the whole bucket.
func checkPrefix(prefix string) string {
	if prefix == "" {
		return ""
	}

	return checkParts(prefix, longestKey/2, func(part string) string {
		if !utf8.ValidString(part) || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return badCharacter
		}

		return ""
	})
}

// objectUnder describes what is under a key. What the next run tidies up has names that
// are recognised also in a copy of the store elsewhere. All of that is directly below the
// root; under a directory such a name is as foreign as any other.
func objectUnder(key string, size int64) Object {
	switch {
	case isPartName(key):
		return Object{Key: key, Size: size, Temporary: true}
	case CheckKey(key) != nil:
		return Object{Key: key, Irregular: true}
	default:
		return Object{Key: key, Size: size}
	}
}
