// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// Finding says what is wrong with a part of an archive.
type Finding string

// The findings.
const (
	FindingAltered    Finding = "altered"    // not the bytes that the log leads to
	FindingMissing    Finding = "missing"    // the log leads to it, but it is not there
	FindingTruncated  Finding = "truncated"  // the log is shorter than it was
	FindingForked     Finding = "forked"     // the log is not a continuation of what it was
	FindingForeign    Finding = "foreign"    // the log does not lead to it
	FindingSignature  Finding = "signature"  // not signed by the expected key
	FindingUnfinished Finding = "unfinished" // left by a run that did not finish; the next one sees to it
	FindingUnreadable Finding = "unreadable" // cannot be read
)

// isOfMemory says that it contradicts what is remembered.
func (f Finding) isOfMemory() bool { return f == FindingTruncated || f == FindingForked }

// Problem is one thing wrong with an archive. Whoever reads or continues the archive fails with it as an ErrBroken;
// Verify reports it and goes on. So both hold objects against the same rules.
//
//nolint:errname // It is what a report lists, and only in a reader an error.
type Problem struct {
	Finding Finding `json:"finding"`
	Key     string  `json:"key"`
	// Sequence is the number of the manifest concerned, 0 where there is none.
	Sequence int64 `json:"sequence"`
	// Detail is a sentence, where it can be one of which "it" is the object.
	Detail string `json:"detail"`
}

func (p *Problem) Error() string {
	text := p.Key + ": " + p.Detail

	if what, ok := strings.CutPrefix(p.Detail, "it "); ok {
		text = p.Key + " " + what
	} else if strings.HasPrefix(p.Key, manifestsPrefix) {
		text = p.Detail
	}

	return ErrBroken.Error() + ": " + text
}

// Unwrap returns ErrBroken.
func (p *Problem) Unwrap() error { return ErrBroken }

// Is says that an object that is missing does not exist.
func (p *Problem) Is(target error) bool {
	return target == fs.ErrNotExist && p.Finding == FindingMissing
}

// order is what problems are sorted by. What contradicts what is remembered comes first, since all else can be its
// consequence; then what is of a number.
func (p *Problem) order() []int64 {
	ofMemory := int64(1)
	if p.Finding.isOfMemory() {
		ofMemory = 0
	}

	return []int64{ofMemory, cmp.Or(p.Sequence, math.MaxInt64)}
}

// readKey returns an object that the log leads to.
func readKey(ctx context.Context, store durable.Store, key string, sequence, limit int64) ([]byte, error) {
	data, err := store.Read(ctx, key, limit)

	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return nil, &Problem{FindingMissing, key, sequence, "it is not there"}
	case errors.Is(err, durable.ErrTooLarge), errors.Is(err, durable.ErrNotRegular):
		return nil, &Problem{FindingUnreadable, key, sequence, err.Error()}
	default:
		return data, err
	}
}

// orMissing says of an object that has to be there that it is not.
func orMissing(key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrBroken, key)
	}

	return err
}

// readObject returns an object that is what the manifest of a number says.
func readObject(ctx context.Context, store durable.Store, o Object, sequence, limit int64) ([]byte, error) {
	return readSame(ctx, store, o, sequence, limit, "what "+manifestName(sequence)+" says")
}

// readSame returns an object whose hash is known, and by what.
func readSame(ctx context.Context, store durable.Store, o Object, sequence, limit int64, what string) ([]byte, error) {
	data, err := readKey(ctx, store, o.Key, sequence, limit)
	if err == nil && !o.is(data) {
		err = &Problem{FindingAltered, o.Key, sequence, "it is not " + what + restorable(data, o.SHA256)}
	}

	return data, err
}

// readIfUsable returns an object that may be there, nil where there is none that can be read as a file of that size.
func readIfUsable(ctx context.Context, store durable.Store, key string, limit int64) ([]byte, error) {
	data, err := store.Read(ctx, key, limit)
	for _, unusable := range []error{fs.ErrNotExist, fs.ErrInvalid, durable.ErrTooLarge, durable.ErrNotRegular} {
		if errors.Is(err, unusable) {
			return nil, nil
		}
	}

	return data, err
}

// restorable says that only the line endings differ from what the hash is of.
func restorable(data []byte, sum string) string {
	if restored, _ := durable.Restores(bytes.NewReader(data), sum); restored {
		return "; " + export.AfterRestoring
	}

	return ""
}

// readSupplement returns what lies beside a segment.
func readSupplement(ctx context.Context, store durable.Store, m *Manifest) (*Supplement, error) {
	data, err := readObject(ctx, store, m.Supplement, m.Sequence, maxSupplement)
	if err != nil {
		return nil, err
	}

	s := &Supplement{}

	err = exactjson.Unmarshal(data, s)
	if err == nil && len(s.Secret) != secretLength {
		err = fmt.Errorf("its secret has %d bytes, not %d", len(s.Secret), secretLength)
	}

	if err != nil {
		return nil, &Problem{FindingUnreadable, m.Supplement.Key, m.Sequence, "it cannot be read: " + err.Error()}
	}

	return s, nil
}
