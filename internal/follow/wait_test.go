// SPDX-License-Identifier: MPL-2.0

package follow_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
)

// ticking is a log in memory that has an entry for each ten seconds from a time on, by the clock of the test's bubble.
type ticking struct {
	from time.Time
	fail error     // of each reading until a time
	up   time.Time // that time
	// yielded counts what was asked for.
	yielded atomic.Int64
}

const tick = 10 * time.Second

func (l *ticking) Info() auditlog.Info {
	return auditlog.Info{
		Name: "upcloud", Title: "UpCloud", Retention: 90 * 24 * time.Hour, Source: auditlog.Source{Service: "upcloud"},
	}
}

func (l *ticking) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (l *ticking) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, l.Info().Retention, time.Now())

	return auditlog.Select(q, l.Info(), c, auditlog.ProofTotal, func(yield func([]auditlog.Entry, error) bool) {
		if l.fail != nil && time.Now().Before(l.up) {
			yield(nil, l.fail)

			return
		}

		for at := l.from; !at.After(time.Now()); at = at.Add(tick) {
			l.yielded.Add(1)

			e := auditlog.Entry{ID: at.Format(time.RFC3339), Time: at, Service: "upcloud", Raw: []byte("{}")}
			if q.Window.Contains(at) && !yield([]auditlog.Entry{e}, nil) {
				return
			}
		}
	})
}

func (l *ticking) options(out follow.Output) follow.Options {
	return follow.Options{
		Open:  func(context.Context) (auditlog.Service, error) { return l, nil },
		Since: l.from, Interval: 2 * time.Minute, Overlap: 10 * time.Minute, SettleDelay: time.Minute, Output: out,
		Clock: time.Now,
	}
}

// check makes sure that all entries up to a time are there, each once and in order.
func (l *ticking) check(t *testing.T, ids []string, until time.Time) {
	t.Helper()

	var want []string
	for at := l.from; at.Before(until); at = at.Add(tick) {
		want = append(want, at.Format(time.RFC3339))
	}

	if len(ids) < len(want) || !slices.Equal(ids[:len(want)], want) {
		t.Errorf("%d entries came, not the %d there are, each once and in order", len(ids), len(want))
	}

	slices.Sort(ids)

	if len(slices.Compact(ids)) != len(ids) {
		t.Error("an entry came twice")
	}
}

// A stream that goes on for ever brings each entry within the interval and the settle delay, and ends without an error
// when it is stopped.
func TestGoesOnUntilStopped(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l, m := &ticking{from: time.Now()}, &memory{}
		ctx, stop := context.WithTimeout(t.Context(), 24*time.Hour)
		defer stop()

		var slowest time.Duration

		o := l.options(keep(t, m, ""))
		o.Progress = func(p follow.Progress) { slowest = max(slowest, p.Behind) }

		if err := follow.New(o).Run(ctx); err != nil {
			t.Fatal(err)
		}

		l.check(t, m.ids, time.Now().Add(-4*time.Minute))

		if slowest > 3*time.Minute {
			t.Errorf("it was %s behind", slowest)
		}
	})
}

// A sink that is down for an hour holds the reading up, and no more than a batch and what is read ahead waits for it.
// Nothing is lost and nothing comes twice.
func TestSinkIsDown(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		l, m := &ticking{from: begun.Add(-20 * time.Hour)}, &memory{}
		calls, most := 0, 0

		m.refuse = func(context.Context) error {
			if time.Since(begun) < time.Hour {
				calls++
				most = max(most, int(l.yielded.Load()))

				return &sink.Error{Place: "test", Temporary: true, Err: syscall.ECONNREFUSED}
			}

			return nil
		}

		ctx, stop := context.WithTimeout(t.Context(), 3*time.Hour)
		defer stop()

		var waits []time.Duration

		o := l.options(keep(t, m, ""))
		o.Tell = func(what error) {
			if wait := (*follow.WaitError)(nil); errors.As(what, &wait) {
				waits = append(waits, wait.Wait)
			}
		}

		if err := follow.New(o).Run(ctx); err != nil {
			t.Fatal(err)
		}

		l.check(t, m.ids, time.Now().Add(-5*time.Minute))

		if calls < 60 || calls > 150 || len(waits) != calls || slices.Max(waits) > 2*time.Minute {
			t.Errorf("%d attempts, at most %s apart", calls, slices.Max(waits))
		}

		if most > 1000 { // A batch, and what is read ahead of it.
			t.Errorf("%d entries were in memory", most)
		}
	})
}

// The other side may ask to wait longer.
func TestWaitsAsAsked(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l, m := &ticking{from: time.Now().Add(-time.Hour)}, &memory{}
		begun := time.Now()

		m.refuse = func(context.Context) error {
			if time.Since(begun) < time.Minute {
				return &sink.Error{Place: "test", Temporary: true, RetryAfter: 5 * time.Minute, Err: errors.New("busy")}
			}

			return nil
		}

		o := l.options(keep(t, m, ""))
		o.Once = true

		if err := follow.New(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}

		if took := time.Since(begun); took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// Once ends with an error where a sink stays down, and goes on with the next run.
func TestOnceGivesUp(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l, m := &ticking{from: time.Now().Add(-time.Hour)}, &memory{}
		down := true
		m.refuse = func(context.Context) error {
			if down {
				return &sink.Error{Place: "test", Temporary: true, Err: syscall.ECONNREFUSED}
			}

			return nil
		}

		o := l.options(keep(t, m, ""))
		o.Once = true
		begun := time.Now()

		if err := follow.New(o).Run(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(begun) > time.Minute {
			t.Errorf("got %v after %s", err, time.Since(begun))
		}

		down = false
		if err := follow.New(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}

		l.check(t, m.ids, time.Now().Add(-time.Minute))
	})
}

// A stream that is stopped in the middle of a reading writes down what was taken: the next one does not repeat it.
// What is being taken may end.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l, m := &ticking{from: time.Now().Add(-20 * time.Hour)}, &memory{}
		ctx, stop := context.WithCancel(t.Context())
		batches := 0

		m.refuse = func(taking context.Context) error {
			if batches++; batches == 4 {
				stop()
				time.Sleep(5 * time.Second)

				return taking.Err()
			}

			return nil
		}

		path := filepath.Join(t.TempDir(), "state")
		out := keep(t, m, path)

		if err := follow.New(l.options(out)).Run(ctx); err != nil {
			t.Fatal(err)
		}

		if len(m.ids) != 2000 {
			t.Errorf("%d entries were taken", len(m.ids))
		}

		o := l.options(out)
		o.Once = true

		if err := follow.New(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}

		l.check(t, m.ids, time.Now().Add(-time.Minute))

		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A sink that does not come back keeps a stream from ending for some seconds only. A stream that was to reach the end
// of the log says that it has not.
func TestStoppedWhileSinkHangs(t *testing.T) {
	t.Parallel()

	for _, once := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l, m := &ticking{from: time.Now().Add(-time.Hour)}, &memory{}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()

			m.refuse = func(taking context.Context) error {
				<-taking.Done()

				return &sink.Error{Place: "test", Temporary: true, Err: taking.Err()}
			}

			begun := time.Now()
			o := l.options(keep(t, m, ""))
			o.Once = once

			if err := follow.New(o).Run(ctx); once != errors.Is(err, follow.ErrStopped) || !once && err != nil {
				t.Errorf("got %v", err)
			}

			if took := time.Since(begun); took < time.Minute || took > 90*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A service that does not answer is asked again, where that can help.
func TestServiceIsDown(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l, m := &ticking{from: time.Now(), fail: errors.New("status 503"), up: time.Now().Add(time.Hour)}, &memory{}
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Hour)
		defer stop()

		o := l.options(keep(t, m, ""))
		o.Temporary = func(err error) bool { return errors.Is(err, l.fail) }

		if err := follow.New(o).Run(ctx); err != nil {
			t.Fatal(err)
		}

		l.check(t, m.ids, time.Now().Add(-5*time.Minute))

		l.fail, l.up = errors.New("status 401"), time.Now().Add(time.Hour)
		o.Temporary = nil

		if err := follow.New(o).Run(t.Context()); !errors.Is(err, l.fail) {
			t.Errorf("got %v", err)
		}
	})
}

// A pipe that nobody reads any more is a clean end, and the state says what was taken.
func TestClosedPipe(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l := &ticking{from: time.Now().Add(-20 * time.Hour)}
		r, w := io.Pipe()
		path := filepath.Join(t.TempDir(), "state")

		writer, err := sink.NewWriter(w, sink.Encoding{})
		if err != nil {
			t.Fatal(err)
		}

		out := keep(t, writer, path)
		got := make(chan []byte)

		go func() {
			text := make([]byte, 1<<20)
			n := 0

			for range 3 { // A batch is one write, which a pipe in memory gives in one piece.
				more, _ := r.Read(text[n:])
				n += more
			}

			_ = r.Close()
			got <- text[:n]
		}()

		if err := follow.New(l.options(out)).Run(t.Context()); err != nil {
			t.Fatal(err)
		}

		ids := idsOf(t, <-got)

		if err := out.Close(); err != nil {
			t.Fatal(err)
		}

		m := &memory{}
		next := keep(t, m, path)
		o := l.options(next)
		o.Once = true

		if err := follow.New(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}

		if len(ids) != 1500 {
			t.Errorf("%d entries were read", len(ids))
		}

		l.check(t, append(ids, m.ids...), time.Now().Add(-time.Minute))
	})
}

// A disk that is full is waited for. In files nothing comes twice all the same.
func TestFullDisk(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l := &ticking{from: time.Now()}
		directory := t.TempDir()
		begun := time.Now()
		full := func(_ int, step durabletest.Step, done bool) error {
			age := time.Since(begun)

			// First nothing can be written, later nothing can be made durable that was.
			if step.Op == "write" && !done && age > time.Hour && age < 2*time.Hour ||
				step.Op == "sync" && !done && age > 150*time.Minute && age < 3*time.Hour {
				return syscall.ENOSPC
			}

			return nil
		}

		d, err := sink.OpenDirectory(directory, sink.Encoding{}, durable.Options{System: durabletest.New(full)})
		if err != nil {
			t.Fatal(err)
		}

		ctx, stop := context.WithTimeout(t.Context(), 4*time.Hour)
		defer stop()

		waits := 0
		o := l.options(d)
		o.Tell = func(what error) {
			if !errors.Is(what, syscall.ENOSPC) {
				t.Errorf("told %v", what)
			}

			waits++
		}

		if err := follow.New(o).Run(ctx); err != nil {
			t.Fatal(err)
		}

		l.check(t, idsIn(t, directory), time.Now().Add(-5*time.Minute))

		if err := d.Close(); err != nil || waits < 30 {
			t.Errorf("%d waits, %v", waits, err)
		}

		if left, _ := filepath.Glob(filepath.Join(directory, ".*")); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
}

// A place in the future of the clock is refused: whatever happens until then would never be passed on.
func TestFuture(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		l, m := &ticking{from: time.Now()}, &memory{}
		out := keep(t, m, "")
		o := l.options(out)
		o.Once, o.Since = true, time.Now().Add(time.Hour)

		if err := follow.New(o).Run(t.Context()); !errors.Is(err, follow.ErrFuture) {
			t.Errorf("a stream that begins in the future ended with %v", err)
		}

		// It has left nothing behind that would keep a stream from beginning at another time.
		o.Since = time.Now()
		if err := follow.New(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}

		o.Clock = func() time.Time { return time.Now().Add(-time.Hour) }
		if err := follow.New(o).Run(t.Context()); !errors.Is(err, follow.ErrFuture) {
			t.Errorf("a stream whose clock went back by an hour ended with %v", err)
		}
	})
}
