// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"errors"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// A service that is a copy, such as exports from a console, grows in pieces that
// come late and in any order, and says of each reading where it has gaps. The
// archive then covers no more than what lies before the first gap: the next run
// begins there again, recognises what it archived of the rest, and finds what has
// filled the gap meanwhile.
//
// That costs the next run the reading of everything since, and its ids in memory.
// Where a gap will never be filled, it can be given up like one of a cloud, one
// gap a run, the oldest first; the manifest says so.
//
// What lies before the oldest piece when an archive begins is given up at once,
// since nothing would ever be covered else.

// settleGaps takes note, once a reading has ended, of what it could not show.
func (r *run) settleGaps() error {
	if len(r.c.Gaps) == 0 {
		return nil
	}

	if !r.a.o.Service.Info().FilledLater {
		return errors.New("the service is no copy, and yet its reading has gaps")
	}

	r.open = auditlog.Union(slices.Clone(r.c.Gaps), auditlog.Window{Start: r.covered, End: r.c.Window.End})

	inner := r.inner()
	if len(inner) == 0 {
		return nil
	}

	begins := !r.covered.After(r.a.o.Start) && !inner[0].Start.After(r.a.o.Start)
	accepted := r.begunAfter > 0 && r.a.o.AcceptGapAfter == r.begunAfter

	if begins || accepted {
		r.gap = &Gap{From: inner[0].Start, To: inner[0].End}
		r.open = r.open[1:]
	}

	return nil
}

// inner are the gaps that a piece may fill which is missing between others, or
// before them. What lies behind the last piece is no gap in it.
func (r *run) inner() []auditlog.Window {
	if n := len(r.open); n > 0 && !r.open[n-1].End.Before(r.c.Window.End) {
		return r.open[:n-1]
	}

	return r.open
}

// unfilled are the inner gaps, with the one that no segment could give up.
func (r *run) unfilled() []auditlog.Window {
	if r.gap == nil || !r.a.o.Service.Info().FilledLater {
		return r.inner()
	}

	return append([]auditlog.Window{{Start: r.gap.From, End: r.gap.To}}, r.inner()...)
}

// target is up to when everything is archived once the run's last segment is. What
// was covered before stays so, where the service's machines differ by seconds.
func (r *run) target() time.Time {
	if len(r.open) > 0 {
		return r.open[0].Start
	}

	if r.a.last == nil {
		return r.c.Window.End
	}

	return later(r.covered, r.c.Window.End)
}

func gapsOf(windows []auditlog.Window) []Gap {
	gaps := make([]Gap, 0, len(windows))
	for _, w := range windows {
		gaps = append(gaps, Gap{From: w.Start, To: w.End})
	}

	return gaps
}
