// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// WriteLog writes the log of manifests into a store that holds none: their files, the
// tiles and the checkpoints, which are signed only if there is a signer. It is what
// somebody can do who may write to an archive and holds any key or none.
func WriteLog(
	ctx context.Context, store durable.Store, first Checkpoint, manifests [][]byte, signer note.Signer,
) error {
	log, err := openMerkle(ctx, store, tlog.Tree{Hash: emptyRoot()})
	if err != nil {
		return err
	}

	text, err := first.signed(signer)
	if err != nil {
		return err
	}

	if err := store.Replace(ctx, checkpointKeyOf(0), text); err != nil {
		return err
	}

	for i, manifest := range manifests {
		if log, err = log.with(manifest); err != nil {
			return err
		}

		if text, err = (Checkpoint{Origin: first.Origin, Tree: tlog.Tree{N: log.N, Hash: log.Hash}}).signed(
			signer,
		); err != nil {
			return err
		}

		for key, data := range map[string][]byte{manifestKey(int64(i)+1, manifest): manifest, checkpointKeyOf(log.N): text} {
			if err := store.Replace(ctx, key, data); err != nil {
				return err
			}
		}

		if err := log.publish(ctx); err != nil {
			return err
		}

		if err := log.dropPartial(ctx); err != nil {
			return err
		}
	}

	return store.Replace(ctx, checkpointKey, text)
}

func (c Checkpoint) signed(signer note.Signer) ([]byte, error) {
	if signer == nil {
		return []byte(c.text()), nil
	}

	text, err := note.Sign(&note.Note{Text: c.text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}

	return text, nil
}

// Entries yields what is archived, segment by segment, once the manifests have been
// found to be those of the log. An entry is yielded only when its segment is what its
// manifest says.
func Entries(ctx context.Context, store durable.Store) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		c, err := readChain(ctx, points{store: store})
		if err != nil {
			yield(auditlog.Entry{}, err)

			return
		}

		for _, l := range c.links {
			if l.segment == nil {
				continue
			}

			for e, err := range entriesOf(ctx, store, l.segment, l.sequence) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}
