// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"errors"
	"time"
)

// ServiceClock is what one answer shows of the clock of its service.
type ServiceClock struct {
	// Now is the earliest that the clock can have shown when the answer was made.
	// What happened later cannot be in it.
	Now time.Time
	// Skew is how far the clock is ahead of ours, as far as that is beyond doubt.
	Skew time.Duration
}

// ErrClockWentBack means that a later answer of a service is older than entries
// that an earlier one brought, so that the answers are not of one log at one time.
var ErrClockWentBack = errors.New("the service's clock went back while it was read")

// Heed takes note of the clock that an answer shows, nil where it shows none, and
// draws the end of the window back to what had settled by then. Services call it
// before anything of the answer is yielded.
func (c *Completeness) Heed(clock *ServiceClock, settleDelay time.Duration) {
	if clock == nil {
		return
	}

	if c.ClockSkew == nil || clock.Skew.Abs() > c.ClockSkew.Abs() {
		c.ClockSkew = &clock.Skew
	}

	c.BeyondRetention = c.BeyondRetention || c.Window.Start.Before(clock.Now.Add(-c.Retention-RetentionSlack))

	if settled := clock.Now.Add(-settleDelay).UTC().Truncate(time.Microsecond); settled.Before(c.Window.End) {
		c.Window.End = settled
	}
}

// checkClock says why the clock leaves nothing that a reading could prove: nothing of
// what was asked for had settled, or what was yielded is newer than an answer.
func (c *Completeness) checkClock(asked Window, newest time.Time) error {
	switch {
	case asked.Start.Before(asked.End) && !c.Window.Start.Before(c.Window.End):
		return ErrWindowNotSettled
	case !newest.Before(c.Window.End):
		return ErrClockWentBack
	default:
		return nil
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}

	return b
}
