// SPDX-License-Identifier: MPL-2.0

package client

import (
	"context"
	"net/http"
	"slices"
	"sync"
)

// limiter bounds how many requests are under way at once. The bound follows what the
// service can take: an answer that says "too many" halves it for all requests, and
// each full round of answers that are good raises it by one (additive increase,
// multiplicative decrease). What it can take is not documented by any service.
//
// A request keeps its slot while it waits between two attempts, so that nobody begins
// anew in the place of one that was told to wait, and its next attempt goes out only
// when the bound has room for it.
type limiter struct {
	mu   sync.Mutex
	most float64
	// limit lies between 1 and most. Its whole part counts.
	limit float64
	// begun requests have a slot; running ones do not wait between attempts.
	begun, running int
	// lowered counts how often the limit was lowered, the last time from tooMany.
	lowered, tooMany int
	// refused are those begun whose last attempt was refused. Until they have got their
	// answers, the limit stays below tooMany, so that nobody is refused time and again.
	refused int
	// queue holds who waits, in the order of their arrival.
	queue []*waiter
}

type waiter struct {
	ready chan struct{}
	again bool // for another attempt of a request that has a slot
}

func newLimiter(most int) *limiter {
	m := float64(max(most, 1))

	return &limiter{most: m, limit: m}
}

// slot is the place of one request.
type slot struct {
	l       *limiter
	running bool
	refused bool
	// lowered is what the limiter's was when the present attempt began.
	lowered int
}

// begin waits for a slot. Whoever gets one has to end it.
func (l *limiter) begin(ctx context.Context) (*slot, error) {
	s := &slot{l: l}
	err := s.wait(ctx, false)

	return s, err
}

// pause is called between two attempts, and again before the second.
func (s *slot) pause() {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()

	s.stop()
}

func (s *slot) again(ctx context.Context) error { return s.wait(ctx, true) }

func (s *slot) end() {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()

	s.l.begun--
	s.refuse(false)
	s.stop()
}

func (s *slot) stop() {
	if s.running {
		s.running = false
		s.l.running--
	}

	s.l.admit()
}

func (s *slot) wait(ctx context.Context, again bool) error {
	w := &waiter{ready: make(chan struct{}), again: again}

	s.l.mu.Lock()
	s.l.queue = append(s.l.queue, w)
	s.l.admit()
	s.l.mu.Unlock()

	select {
	case <-w.ready:
	case <-ctx.Done():
		if s.l.leave(w) {
			return ctx.Err()
		}
	}

	s.l.mu.Lock()
	defer s.l.mu.Unlock()

	s.running, s.lowered = true, s.l.lowered

	return nil
}

// leave takes one out of the queue, unless it has been admitted.
func (l *limiter) leave(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	at := slices.Index(l.queue, w)
	if at >= 0 {
		l.queue = slices.Delete(l.queue, at, at+1)
	}

	return at >= 0
}

// admit lets those go on for whom there is room, who have a slot before the others.
func (l *limiter) admit() {
	room := int(l.limit)

	for _, again := range []bool{true, false} {
		l.queue = slices.DeleteFunc(l.queue, func(w *waiter) bool {
			if w.again != again || l.running >= room || (!again && l.begun >= room) {
				return false
			}

			l.running++
			if !again {
				l.begun++
			}

			close(w.ready)

			return true
		})
	}
}

// heed takes note of how an attempt ended. One that began before the limit was
// lowered last does not lower it again: it says nothing of the new limit.
func (s *slot) heed(status int) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()

	l := s.l
	s.refuse(status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable)

	switch {
	case s.refused && s.lowered == l.lowered:
		l.lowered++
		l.tooMany, l.limit = int(l.limit), max(l.limit/2, 1)
	case status == http.StatusOK && l.begun >= int(l.limit): // What is not used up proves nothing.
		most := l.most
		if l.refused > 0 {
			most = max(float64(l.tooMany-1), l.limit)
		}

		l.limit = min(l.limit+1/l.limit, most)
		l.admit()
	}
}

// refuse says whether the last attempt was refused.
func (s *slot) refuse(refused bool) {
	switch {
	case refused && !s.refused:
		s.l.refused++
	case !refused && s.refused:
		s.l.refused--
	}

	s.refused = refused
}
