// SPDX-License-Identifier: MPL-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Call is one call of a store.
type Call struct {
	// Op is "create", "replace", "delete", "read" or "list".
	Op string
	// Key is the object's, or the prefix of a listing.
	Key string
	// Bytes is how many were written or read, Objects how many were listed.
	Bytes   int64
	Objects int
}

// Mutating says whether the call changes the store.
func (c Call) Mutating() bool { return c.Op != "read" && c.Op != "list" }

func (c Call) String() string { return c.Op + " " + c.Key }

// Fault decides what happens at a mutating call; the first has number 0. It is
// asked before the call and, when done is true, again after it. An error makes the
// call fail; one that is ErrCrashed also makes every later call fail, reading
// included.
type Fault func(n int, c Call, done bool) error

// ErrCrashed is what a store says after the process that used it would be gone.
var ErrCrashed = errors.New("crashed")

// FailBefore makes call n fail with err and not happen.
func FailBefore(n int, err error) Fault {
	return func(i int, _ Call, done bool) error {
		if i == n && !done {
			return err
		}

		return nil
	}
}

// FailAfter does call n and reports it as failed with err, as when the answer of a
// service gets lost.
func FailAfter(n int, err error) Fault {
	return func(i int, _ Call, done bool) error {
		if i == n && done {
			return err
		}

		return nil
	}
}

// CrashBefore ends everything right before call n.
func CrashBefore(n int) Fault { return FailBefore(n, ErrCrashed) }

// CrashAfter ends everything right after call n.
func CrashAfter(n int) Fault { return FailAfter(n, ErrCrashed) }

// Faulty is a store with a fault in it. It also counts.
type Faulty struct {
	store durable.Store
	fault Fault

	mu       sync.Mutex
	calls    []Call
	mutating int
	crashed  bool
}

var _ durable.Store = (*Faulty)(nil)

// NewFaulty puts a fault, nil for none, into a store.
func NewFaulty(s durable.Store, fault Fault) *Faulty {
	if fault == nil {
		fault = func(int, Call, bool) error { return nil }
	}

	return &Faulty{store: s, fault: fault}
}

// Calls returns the calls so far, in the order in which they began. Those that
// did not happen count.
func (f *Faulty) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()

	return append([]Call(nil), f.calls...)
}

// Mutating returns how many calls so far would have changed the store.
func (f *Faulty) Mutating() int {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.mutating
}

// Crashed says whether the fault ended everything.
func (f *Faulty) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.crashed
}

func (f *Faulty) String() string { return f.store.String() }

// Create passes on Create unless the fault is there.
func (f *Faulty) Create(ctx context.Context, key string, data []byte) error {
	return f.change(Call{Op: "create", Key: key, Bytes: int64(len(data))}, func() error {
		return f.store.Create(ctx, key, data)
	})
}

// Replace passes on Replace unless the fault is there.
func (f *Faulty) Replace(ctx context.Context, key string, data []byte) error {
	return f.change(Call{Op: "replace", Key: key, Bytes: int64(len(data))}, func() error {
		return f.store.Replace(ctx, key, data)
	})
}

// Delete passes on Delete unless the fault is there.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	return f.change(Call{Op: "delete", Key: key}, func() error { return f.store.Delete(ctx, key) })
}

// Read passes on Read until the crash.
func (f *Faulty) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	data, _, err := f.ReadProtected(ctx, key, limit)

	return data, err
}

// ReadProtected is a "read" as well.
func (f *Faulty) ReadProtected(ctx context.Context, key string, limit int64) ([]byte, durable.Protection, error) {
	c := Call{Op: "read", Key: key}

	_, i, err := f.begin(c)
	if err != nil {
		return nil, durable.Protection{}, err
	}

	data, protection, err := durable.ReadProtected(ctx, f.store, key, limit)

	f.mu.Lock()
	defer f.mu.Unlock()

	f.calls[i].Bytes = int64(len(data))

	return data, protection, err
}

// List passes on List until the crash.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[durable.Object, error] {
	return func(yield func(durable.Object, error) bool) {
		_, i, err := f.begin(Call{Op: "list", Key: prefix})
		if err != nil {
			yield(durable.Object{}, err)

			return
		}

		for o, err := range f.store.List(ctx, prefix) {
			if err == nil {
				f.mu.Lock()
				f.calls[i].Objects++
				f.mu.Unlock()
			}

			if !yield(o, err) {
				return
			}
		}
	}
}

// Sweep passes on Sweep until the crash. It is no call: faults of a file system
// are durabletest's.
func (f *Faulty) Sweep(ctx context.Context, before time.Time) (int, error) {
	if f.Crashed() {
		return 0, ErrCrashed
	}

	return durable.Sweep(ctx, f.store, before)
}

// begin notes a call and returns its number among the mutating ones and its place
// among all.
func (f *Faulty) begin(c Call) (number, place int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.crashed {
		return 0, 0, fmt.Errorf("%s: %w", c, ErrCrashed)
	}

	number, place = f.mutating, len(f.calls)
	f.calls = append(f.calls, c)

	if c.Mutating() {
		f.mutating++
	}

	return number, place, nil
}

func (f *Faulty) change(c Call, do func() error) error {
	n, _, err := f.begin(c)
	if err != nil {
		return err
	}

	if err := f.ask(n, c, false); err != nil {
		return err
	}

	err = do()

	if err := f.ask(n, c, true); err != nil {
		return err
	}

	return err
}

func (f *Faulty) ask(n int, c Call, done bool) error {
	err := f.fault(n, c, done)
	if err == nil {
		return nil
	}

	if errors.Is(err, ErrCrashed) {
		f.mu.Lock()
		f.crashed = true
		f.mu.Unlock()
	}

	return fmt.Errorf("%s: %w", c, err)
}
