// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"crypto/sha256"
	"encoding/base32"
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
	ordinals map[string]ordinal // by Fingerprint
	newest   time.Time
	swept    time.Time
}

type ordinal struct {
	next int
	time time.Time
}

// NewFingerprints returns the ids of a service's log from its first record on.
func NewFingerprints(service string) *Fingerprints {
	return &Fingerprints{service: service, ordinals: map[string]ordinal{}}
}

// Continue goes on where an earlier reading stopped, given its Ordinals and about
// the time of the newest record it had read.
func (f *Fingerprints) Continue(ordinals map[string]int, at time.Time) {
	for key, next := range ordinals {
		f.ordinals[key] = ordinal{next: next, time: at}
	}
}

// Ordinals returns how many of each recent record there were, by the record's
// Fingerprint.
func (f *Fingerprints) Ordinals() map[string]int {
	ordinals := map[string]int{}

	for key, o := range f.ordinals {
		if f.newest.Sub(o.time) <= OrderMargin {
			ordinals[key] = o.next
		}
	}

	return ordinals
}

// Fingerprint returns the id of a record that is the first of those identical to it. Two
// records are identical when their JSON values are, whatever the order of keys or the
// spaces between them. The record is given in the form of exactjson.AppendCanonical.
func Fingerprint(service string, canonical []byte) string { return fingerprint(service, canonical, 0) }

func fingerprint(service string, canonical []byte, ordinal int) string {
	// Most records are smaller.
	var space [1024]byte

	text := append(append(space[:0], service...), '\n')
	text = append(append(text, canonical...), '\n')
	text = append(strconv.AppendInt(text, int64(ordinal), 10), '\n')
	sum := sha256.Sum256(text)

	var id [sha256.Size * 2]byte

	base32.StdEncoding.Encode(id[:], sum[:])

	return string(id[:fingerprintLength])
}

// ID returns the id of the next record.
func (f *Fingerprints) ID(record json.RawMessage, at time.Time) (string, error) {
	canonical, err := exactjson.AppendCanonical(nil, record)
	if err != nil {
		return "", err
	}

	return f.Number(Fingerprint(f.service, canonical), record, at)
}

// Number is ID of a record whose Fingerprint is known.
func (f *Fingerprints) Number(first string, record json.RawMessage, at time.Time) (string, error) {
	n := f.ordinals[first].next
	f.ordinals[first] = ordinal{next: n + 1, time: at}

	if f.forget(at); len(f.ordinals) > maxOrdinals {
		return "", ErrTooDense
	}

	if n == 0 {
		return first, nil
	}

	canonical, err := exactjson.AppendCanonical(nil, record)
	if err != nil {
		return "", err
	}

	return fingerprint(f.service, canonical, n), nil
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
