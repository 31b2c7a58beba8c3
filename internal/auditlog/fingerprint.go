// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

const (
	fingerprintLength = 26

	// maxOrdinals is how many different records may lie within two of those spans,
	// several hundred a second. A log that never leaves a minute would fill memory.
	maxOrdinals = 100_000

	// maxScratch is how many bytes are kept for the next record.
	maxScratch = 1 << 16
)

// ErrTooDense means that a log holds more different records in a short time than
// can be told from identical ones.
var ErrTooDense = fmt.Errorf("more than %d different records lie within two minutes of the log", maxOrdinals)

// Fingerprints makes ids for records of a cloud that gives none: the first 26
// base32 characters of SHA-256 over the service, the canonical record and its
// ordinal among identical records, each on a line of its own. The same log gives
// the same ids whenever it is read. The zero value is not usable; records must
// be given in the cloud's order. Identical records have identical times, so that those
// within OrderMargin are told apart, and memory stays flat however long the log is.
type Fingerprints struct {
	service  string
	ordinals map[[sha256.Size]byte]ordinal
	newest   time.Time
	swept    time.Time

	text []byte // what is hashed, used again for each record
}

type ordinal struct {
	next int
	time time.Time
}

// NewFingerprints returns the ids of a service's log from its first record on.
func NewFingerprints(service string) *Fingerprints {
	return &Fingerprints{service: service, ordinals: map[[sha256.Size]byte]ordinal{}}
}

// Continue goes on where an earlier reading stopped, given its Ordinals and about
// the time of the newest record it had read. What is no SHA-256 is no record's.
func (f *Fingerprints) Continue(ordinals map[string]int, at time.Time) {
	for text, next := range ordinals {
		var key [sha256.Size]byte

		if sum, err := base64.RawStdEncoding.DecodeString(text); err == nil && len(sum) == len(key) {
			copy(key[:], sum)
			f.ordinals[key] = ordinal{next: next, time: at}
		}
	}
}

// Ordinals returns how many of each recent record there were, by the record's
// SHA-256.
func (f *Fingerprints) Ordinals() map[string]int {
	ordinals := map[string]int{}

	for key, o := range f.ordinals {
		if f.newest.Sub(o.time) <= OrderMargin {
			ordinals[base64.RawStdEncoding.EncodeToString(key[:])] = o.next
		}
	}

	return ordinals
}

// ID returns the id of the next record. Two records are identical when their
// JSON values are, whatever the order of keys or the spaces between them.
func (f *Fingerprints) ID(record json.RawMessage, at time.Time) (string, error) {
	f.text = append(append(f.text[:0], f.service...), '\n')
	begin := len(f.text)

	text, err := exactjson.AppendCanonical(f.text, record)
	if err != nil {
		return "", err
	}

	key := sha256.Sum256(text[begin:])
	n := f.ordinals[key].next
	f.ordinals[key] = ordinal{next: n + 1, time: at}

	if f.forget(at); len(f.ordinals) > maxOrdinals {
		return "", ErrTooDense
	}

	text = append(strconv.AppendInt(append(text, '\n'), int64(n), 10), '\n')
	sum := sha256.Sum256(text)

	// A record may be large, and the next one need not be.
	if f.text = text; cap(text) > maxScratch {
		f.text = nil
	}

	var id [sha256.Size * 2]byte

	base32.StdEncoding.Encode(id[:], sum[:])

	return string(id[:fingerprintLength]), nil
}

// forget drops ordinals that lie too far back to matter. It sweeps once for
// every span that goes by, so that the cost stays linear.
func (f *Fingerprints) forget(at time.Time) {
	if at.After(f.newest) {
		f.newest = at
	}

	if f.newest.Sub(f.swept) < OrderMargin {
		return
	}

	for key, o := range f.ordinals {
		if f.newest.Sub(o.time) > OrderMargin {
			delete(f.ordinals, key)
		}
	}

	f.swept = f.newest
}
