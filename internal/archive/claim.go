// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// claim reserves a sequence number for one run, and names the segment that the
// run is about to write, so that whoever takes over knows what to remove.
type claim struct {
	Sequence int64     `json:"sequence"`
	Segment  string    `json:"segment"`
	Holder   string    `json:"holder"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
}

func (a *Archive) readClaim(ctx context.Context, key string) (claim, error) {
	data, err := a.o.Store.Read(ctx, key, maxSmall)
	if err != nil {
		return claim{}, err
	}

	c, err := parseClaim(data)
	if err != nil {
		return claim{}, fmt.Errorf("%w: %s cannot be read", ErrBroken, key)
	}

	return c, nil
}

func parseClaim(data []byte) (claim, error) {
	var c claim

	// A directory without hard links can be left with an empty file by a crash:
	// that run had got no further than this.
	if len(data) == 0 {
		return c, nil
	}

	if err := exactjson.Unmarshal(data, &c); err != nil {
		return claim{}, fmt.Errorf("read a claim: %w", err)
	}

	return c, nil
}

// claim takes the sequence number for the segment, over from crashed runs if need
// be.
func (a *Archive) claim(ctx context.Context, sequence int64, segment string) (claim, error) {
	for attempt := 1; ; attempt++ {
		now := a.o.Clock().UTC()
		mine := claim{Sequence: sequence, Segment: segment, Holder: a.o.Holder, Since: now, Until: now.Add(a.o.Lease)}

		data, err := json.MarshalIndent(mine, "", "  ")
		if err != nil {
			return claim{}, fmt.Errorf("claim segment %d: %w", sequence, err)
		}

		key := claimKey(sequence, attempt)

		err = a.o.Store.Create(ctx, key, append(data, '\n'))
		if err == nil {
			return mine, nil
		}

		if !errors.Is(err, durable.ErrExists) {
			return claim{}, err
		}

		if err := a.takeOver(ctx, key, mine); err != nil {
			return claim{}, err
		}
	}
}

// takeOver removes what a run left whose claim has run out. One whose claim holds
// may be alive.
func (a *Archive) takeOver(ctx context.Context, key string, mine claim) error {
	other, err := a.readClaim(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is gone", ErrLost, key)
	}

	if err != nil {
		return err
	}

	if mine.Since.Before(other.Until) && other.Holder != mine.Holder {
		return fmt.Errorf("%w: %s holds segment %d until %s", ErrBusy, other.Holder, other.Sequence, other.Until.Format(time.RFC3339))
	}

	if other.Segment == mine.Segment || other == (claim{}) {
		return nil // The very same bytes are about to be written again, or none were.
	}

	// A claim may name only what it could have written.
	if !isSegmentOf(other.Segment, mine.Sequence) {
		return fmt.Errorf("%w: %s names %s", ErrBroken, key, other.Segment)
	}

	return a.o.Store.Delete(ctx, other.Segment)
}

// isSegmentOf says that the key is one that a run could give to the segment of
// that number.
func isSegmentOf(key string, sequence int64) bool {
	name := key[strings.LastIndexByte(key, '/')+1:]

	return strings.HasPrefix(key, entriesPrefix) && strings.HasPrefix(name, fmt.Sprintf("%08d-", sequence))
}

// dropClaims removes the claims of segments that have become part of the archive.
func (a *Archive) dropClaims(ctx context.Context) error {
	for object, err := range a.o.Store.List(ctx, claimsPrefix) {
		if err != nil {
			return err
		}

		if sequence, ok := claimedSequence(object.Key); ok && sequence <= a.head.Sequence {
			if err := a.o.Store.Delete(ctx, object.Key); err != nil {
				return err
			}
		}
	}

	return nil
}

// claimedSequence reads the number off a claim's key.
func claimedSequence(key string) (int64, bool) {
	digits, rest, ok := strings.Cut(strings.TrimPrefix(key, claimsPrefix), ".")
	if !ok || !strings.HasSuffix(rest, ".json") {
		return 0, false
	}

	n, err := strconv.ParseInt(digits, 10, 64)

	return n, err == nil && n > 0
}
