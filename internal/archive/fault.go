// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// fault is what is wrong with an object of an archive. Whoever reads or continues the
// archive fails with it as an ErrBroken; Verify makes a Problem of it and goes on. So both
// hold objects against the same rules.
type fault struct {
	finding  Finding
	key      string
	sequence int64
	// detail is a sentence, where it can be one of which "it" is the object.
	detail string
}

func (f *fault) Error() string {
	text := f.key + ": " + f.detail

	if what, ok := strings.CutPrefix(f.detail, "it "); ok {
		text = f.key + " " + what
	} else if strings.HasPrefix(f.key, manifestsPrefix) {
		text = f.detail
	}

	return ErrBroken.Error() + ": " + text
}

func (f *fault) Unwrap() error { return ErrBroken }

// readKey returns an object that the log leads to.
func readKey(ctx context.Context, store durable.Store, key string, sequence, limit int64) ([]byte, error) {
	data, err := store.Read(ctx, key, limit)

	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return nil, &fault{FindingMissing, key, sequence, "it is not there"}
	case errors.Is(err, durable.ErrTooLarge), errors.Is(err, durable.ErrNotRegular):
		return nil, &fault{FindingUnreadable, key, sequence, err.Error()}
	default:
		return data, err
	}
}

// readObject returns an object that is what a manifest says.
func readObject(ctx context.Context, store durable.Store, o Object, sequence, limit int64) ([]byte, error) {
	data, err := readKey(ctx, store, o.Key, sequence, limit)
	if err == nil && !o.is(data) {
		err = &fault{FindingAltered, o.Key, sequence, "it is not what " + manifestName(sequence) + " says" + restorable(data, o.SHA256)}
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
		return nil, &fault{FindingUnreadable, m.Supplement.Key, m.Sequence, "it cannot be read: " + err.Error()}
	}

	return s, nil
}
