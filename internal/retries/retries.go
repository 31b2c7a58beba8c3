// SPDX-License-Identifier: MPL-2.0

// Package retries counts how long an operation has waited to make requests again,
// whoever makes them: a service's client or a bucket's.
package retries

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// Waits are the waits of one operation.
type Waits struct {
	// Count is how many there were, Total how long they took together.
	Count int
	Total time.Duration
	// Reason is why the last one was.
	Reason string
}

// Add returns both together.
func (w Waits) Add(o Waits) Waits {
	return Waits{Count: w.Count + o.Count, Total: w.Total + o.Total, Reason: cmp.Or(o.Reason, w.Reason)}
}

// Tally counts waits. It is safe for use by several goroutines.
type Tally struct {
	mu    sync.Mutex
	waits Waits
}

type key struct{}

// Watch returns a context whose waits are counted.
func Watch(ctx context.Context) (context.Context, *Tally) {
	t := &Tally{}

	return context.WithValue(ctx, key{}, t), t
}

// Waited takes note of a wait that is over, if anybody counts.
func Waited(ctx context.Context, d time.Duration, reason string) {
	t, ok := ctx.Value(key{}).(*Tally)
	if !ok {
		return
	}

	t.mu.Lock()
	defer t.mu.Unlock()

	t.waits = t.waits.Add(Waits{Count: 1, Total: d, Reason: reason})
}

// Waits returns what was counted so far.
func (t *Tally) Waits() Waits {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.waits
}
