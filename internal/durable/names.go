// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

const (
	tempMark    = ".audit-tmp-"
	journalMark = ".audit-commit"
	partMark    = ".audit-part-"

	// randomLength is how many base32 characters (5 bits each) tell temporary
	// files apart.
	randomLength = 16

	// longestStem bounds the part of a hidden name that repeats the target's, in
	// bytes. With the marks it stays below 143, the shortest limit on names in
	// common use (eCryptfs; elsewhere 255), so a target that can exist at all can
	// be replaced.
	longestStem  = 100
	stemHashSize = 8
)

// stem is the beginning of every hidden name that belongs to a target.
func stem(base string) string {
	if len(base) <= longestStem {
		return "." + base
	}

	cut := longestStem - 1 - hex.EncodedLen(stemHashSize)
	for cut > 0 && !utf8.RuneStart(base[cut]) {
		cut--
	}

	sum := sha256.Sum256([]byte(base))

	return "." + base[:cut] + "~" + hex.EncodeToString(sum[:stemHashSize])
}

func journalName(base string) string { return stem(base) + journalMark }

func newTempName(base string) string { return stem(base) + tempMark + rand.Text()[:randomLength] }

// isTempName recognises the temporary files of a target and no other's: what
// follows the mark has a fixed length and an alphabet without "." and "-", so the
// name cannot be read as that of a target whose own name holds the mark.
func isTempName(base, name string) bool { return isRandomAfter(stem(base)+tempMark, name) }

func isRandomAfter(mark, name string) bool {
	random, ok := strings.CutPrefix(name, mark)

	return ok && len(random) == randomLength && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// isHiddenName recognises the name of a journal or temporary file, of whatever target.
func isHiddenName(name string) bool {
	name = strings.ToLower(name) // Some directories do not tell upper from lower case.

	return strings.HasPrefix(name, partMark) ||
		strings.HasPrefix(name, ".") && (strings.HasSuffix(name, journalMark) || strings.Contains(name, tempMark))
}

// newPartName names a store's temporary file, and the one that CheckWritable tries
// with. It differs from a Replacement's, which a journal may name and nobody else may
// remove, and says nothing of its target, so that no pattern for a store's objects
// matches it.
func newPartName() string { return partMark + rand.Text()[:randomLength] }

// isPartName recognises such a name.
func isPartName(name string) bool { return isRandomAfter(partMark, name) }
