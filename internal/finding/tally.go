// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"math"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// hit is an entry that counts for a rule: as much of it as a finding needs.
type hit struct {
	at time.Time
	id string
	// key tells its group from others, and group is the group's values.
	key   string
	group []string
	// of is the entry without what nothing is grouped by, nil where nothing is
	// redacted.
	of *auditlog.Entry
}

// tally counts the hits of one rule, group by group. It holds of each group as
// many hits as the threshold, and none that lies a span back; of a burst it holds
// counts and its first ids, however long the burst is.
type tally struct {
	rule *rule
	// span is how far apart two hits may not be to be chained, and chain how many
	// must be in it. A rule without a span chains all there are, and counts at the
	// end.
	span   time.Duration
	chain  int64
	groups map[string]*group
	swept  time.Time
	out    func(*rule, *burst)
}

// group is a group in progress.
type group struct {
	// recent are the newest hits, all in one span with the newest.
	recent []hit
	// number is that of the newest hit.
	number int64
	burst  burst
}

// burst is a run of hits that spans chain together; without any it is none.
type burst struct {
	count       int64
	first, last time.Time
	ids         []string
	group       []string
	of          *auditlog.Entry
	// upTo is the number of the newest hit in it.
	upTo int64
}

func newTally(r *rule, out func(*rule, *burst)) *tally {
	t := &tally{rule: r, span: r.within, chain: r.threshold, groups: map[string]*group{}, out: out}
	if r.within == 0 {
		t.span, t.chain = math.MaxInt64, 1
	}

	return t
}

// add takes the next hit in order.
func (t *tally) add(h hit) {
	t.sweep(h.at)

	g := t.groups[h.key]
	if g == nil {
		g = &group{}
		t.groups[h.key] = g
	}

	for len(g.recent) > 0 && h.at.Sub(g.recent[0].at) >= t.span {
		g.recent = g.recent[1:]
	}

	g.recent = append(g.recent, h)
	g.number++

	// One more than a lone hit needs shows whether it goes on with a burst.
	if int64(len(g.recent)) > max(t.chain, 2) {
		g.recent = g.recent[1:]
	}

	if int64(len(g.recent)) >= t.chain {
		t.extend(g)
	}
}

// extend takes into the burst what is recent, since all of it is in one span. If
// nothing of the burst is, a new one begins.
func (t *tally) extend(g *group) {
	oldest := g.number - int64(len(g.recent)) + 1

	if g.burst.upTo < oldest {
		t.finish(g)

		g.burst = burst{first: g.recent[0].at, group: g.recent[0].group, of: g.recent[0].of, upTo: oldest - 1}
	}

	b := &g.burst

	for _, h := range g.recent[b.upTo-oldest+1:] {
		b.count++
		b.last = h.at

		if len(b.ids) < MaxEntryIDs {
			b.ids = append(b.ids, h.id)
		}
	}

	b.upTo = g.number
}

func (t *tally) finish(g *group) {
	if g.burst.count > 0 && g.burst.count >= t.rule.threshold {
		t.out(t.rule, &g.burst)
	}
}

// sweep forgets the groups that nothing can be chained to any more. It does so
// once for every span that goes by, so that the cost stays linear.
func (t *tally) sweep(now time.Time) {
	if now.Sub(t.swept) < t.span {
		return
	}

	for key, g := range t.groups {
		if now.Sub(g.recent[len(g.recent)-1].at) >= t.span {
			t.finish(g)
			delete(t.groups, key)
		}
	}

	t.swept = now
}

func (t *tally) end() {
	for _, g := range t.groups {
		t.finish(g)
	}
}
