// SPDX-License-Identifier: MPL-2.0

package client

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// DefaultMaxClockSkew is how far a service's clock may be off ours.
const DefaultMaxClockSkew = time.Minute

// ClockError says that an answer is of another time than ours.
type ClockError struct {
	// Service is the time that the answer is of, Machine what our clock showed then.
	Service, Machine time.Time
	// Limit is how far they may be apart.
	Limit time.Duration
	// Age is how long the answer was kept on its way; zero where it was not.
	Age time.Duration
}

func (e *ClockError) Error() string {
	return fmt.Sprintf("the answer is of %s, when this machine's clock showed %s", auditlog.FormatTime(e.Service),
		auditlog.FormatTime(e.Machine))
}

// Difference is how far the service's clock is ahead of ours.
func (e *ClockError) Difference() time.Duration { return e.Service.Sub(e.Machine) }

// span is when an attempt was sent and when the head of its answer had come.
type span struct{ sent, received time.Time }

// readClock holds the time that an answer is of against ours. A service writes the
// answer at some moment between the two of the span, and its Date stands for a whole
// second: what that can explain is no skew. A cache adds how old its copy is, and may
// have put a Date of its own; what happened since is not in the copy. An answer that
// does not tell the time gives neither a clock nor an error.
func readClock(header http.Header, took span, limit time.Duration) (*auditlog.ServiceClock, error) {
	age := ageOf(header)

	written, err := dateOf(header)
	if errors.Is(err, errNoDate) && age == 0 {
		return nil, nil //nolint:nilnil // An answer need not tell the time.
	}

	if err != nil && !errors.Is(err, errNoDate) {
		return nil, err
	}

	if kept := took.received.Add(-age); age > 0 && (err != nil || kept.Before(written)) {
		written = kept
	}

	clock, machine := auditlog.ServiceClock{Now: written}, took.received

	switch last := written.Add(time.Second); {
	case written.After(took.received):
		clock.Skew = written.Sub(took.received)
	case last.Before(took.sent):
		clock.Skew, machine = last.Sub(took.sent), took.sent
	}

	if clock.Skew.Abs() > limit {
		return nil, &ClockError{Service: written, Machine: machine, Limit: limit, Age: age}
	}

	return &clock, nil
}

var (
	errNoDate = errors.New("the answer has no Date")
	errDate   = errors.New("the Date of the answer cannot be read")
)

// dateOf returns the time that an answer says it is of. One that tells it in another
// way than HTTP's, or twice, is broken: to overlook it would be to trust our clock.
func dateOf(header http.Header) (time.Time, error) {
	date, err := time.Time{}, errNoDate

	for _, text := range header.Values("Date") {
		if text == "" {
			continue
		}

		at, parseErr := http.ParseTime(text)
		if parseErr != nil || err == nil && !at.Equal(date) {
			return time.Time{}, errDate
		}

		date, err = at, nil
	}

	return date, err
}

// ageOf returns how old a cache says its copy is, zero where there is none.
func ageOf(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Age"), 10, 63)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}

	return time.Duration(min(seconds, math.MaxInt32)) * time.Second
}
