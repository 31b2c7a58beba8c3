// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// ByCloud puts the logs of one cloud together, such as the cloud's own log and an archive of it that reaches further
// back: what is returned has one service for each cloud. The order is that of the clouds in logs.
func ByCloud(now Clock, logs []Service) []Service {
	of := map[string][]Service{}

	var clouds []string

	for _, s := range logs {
		cloud := s.Info().Cloud()
		if of[cloud] == nil {
			clouds = append(clouds, cloud)
		}

		of[cloud] = append(of[cloud], s)
	}

	all := make([]Service, 0, len(clouds))

	for _, cloud := range clouds {
		parts := of[cloud]
		if len(parts) == 1 {
			all = append(all, parts[0])

			continue
		}

		// Of what several logs hold, the cloud's own is believed, and after it the one that has lost least.
		slices.SortStableFunc(parts, func(a, b Service) int {
			return cmp.Or(cmp.Compare(archiveRank(a), archiveRank(b)), cmp.Compare(len(a.Info().lost()), len(b.Info().lost())))
		})

		all = append(all, &together{parts, now})
	}

	return all
}

func archiveRank(s Service) int {
	if s.Info().ArchivedFrom != "" {
		return 1
	}

	return 0
}

// lost are the fields that redaction took out of entries or changed, of some or of all.
func (i Info) lost() []string { return slices.Concat(i.Redacted, i.RedactedInPart) }

// together reads several logs of one cloud as one: each entry once, and a part of the window is known where one of the
// logs knows it.
type together struct {
	parts []Service
	now   Clock
}

// Info implements Service. A field that only some of the logs have lost is redacted in part.
func (t *together) Info() Info {
	infos := make([]Info, len(t.parts))
	for i, s := range t.parts {
		infos[i] = s.Info()
	}

	return joinInfo(infos)
}

// Inspect is Info with what can only be known by looking at files.
func (t *together) Inspect(ctx context.Context) (Info, error) {
	infos := make([]Info, len(t.parts))

	for i, s := range t.parts {
		var err error
		if infos[i], err = Inspected(ctx, s); err != nil {
			return Info{}, err
		}
	}

	return joinInfo(infos), nil
}

// Inspected is what is known of a service, where need be by looking at its files.
func Inspected(ctx context.Context, s Service) (Info, error) {
	if i, ok := s.(interface {
		Inspect(ctx context.Context) (Info, error)
	}); ok {
		return i.Inspect(ctx)
	}

	return s.Info(), nil
}

func joinInfo(infos []Info) Info {
	all, lost := infos[0], map[string]int{}

	for _, info := range infos {
		for _, field := range info.Redacted {
			lost[field]++
		}

		for _, field := range info.RedactedInPart {
			lost[field] += 0
		}
	}

	never := slices.Clone(all.NeverRecorded)
	for _, info := range infos[1:] {
		all.FilledLater = all.FilledLater || info.FilledLater
		all.Varies = all.Varies || info.Varies

		never = slices.DeleteFunc(never, func(field string) bool { return !slices.Contains(info.NeverRecorded, field) })
	}

	all.NeverRecorded, all.Redacted, all.RedactedInPart = never, nil, nil

	for _, field := range slices.Sorted(maps.Keys(lost)) {
		if lost[field] == len(infos) {
			all.Redacted = append(all.Redacted, field)
		} else {
			all.RedactedInPart = append(all.RedactedInPart, field)
		}
	}

	return all
}

// Unanswerable implements Answerer.
func (t *together) Unanswerable(q Query) []*UnanswerableError {
	var all []*UnanswerableError

	for _, s := range t.parts {
		found := q.Unanswerable(s.Info())
		if a, ok := s.(Answerer); ok {
			found = a.Unanswerable(q)
		}

		for _, u := range found {
			said := func(o *UnanswerableError) bool { return o.Argument == u.Argument && o.Index == u.Index }
			if !slices.ContainsFunc(all, said) {
				all = append(all, u)
			}
		}
	}

	return all
}

// FilterOptions implements Service: what one of the logs lists, occurs.
func (t *together) FilterOptions(ctx context.Context, q Query) (FilterOptions, error) {
	var all FilterOptions

	for _, s := range t.parts {
		o, err := s.FilterOptions(ctx, q)
		if err != nil {
			return FilterOptions{}, err
		}

		all.Actions, all.Operations = sets(all.Actions, o.Actions), sets(all.Operations, o.Operations)
		all.Origins, all.ResourceTypes = sets(all.Origins, o.Origins), sets(all.ResourceTypes, o.ResourceTypes)
		all.OriginOfValues = cmp.Or(all.OriginOfValues, o.OriginOfValues)
		all.Unread = append(all.Unread, o.Unread...)
	}

	return all, nil
}

// Gaps returns the parts of the window that none of the logs holds anything about.
func (t *together) Gaps(w Window) []Window {
	gaps := []Window{w}

	for _, s := range t.parts {
		c := NewCompleteness(w, s.Info().Retention, t.now())
		if a, ok := s.(interface{ Gaps(w Window) []Window }); ok {
			c = Completeness{Window: w, Gaps: a.Gaps(w)}
		}

		gaps = Common(gaps, c.unknown(w, t.now()))
	}

	return gaps
}

// unknown returns the parts of a window that the reading knows nothing about.
func (c *Completeness) unknown(w Window, now time.Time) []Window {
	parts := append(slices.Clone(c.Gaps), Window{c.Window.End, w.End})
	if c.BeyondRetention {
		if c.ClockSkew != nil { // What the service keeps goes by its own clock.
			now = now.Add(max(0, *c.ClockSkew))
		}

		parts = append(parts, Window{w.Start, now.Add(-c.Retention)})
	}

	return Union(parts, w)
}

// Read implements Service. The logs have to be of the same account as far as that is known; else the error is a
// *SourceError.
func (t *together) Read(ctx context.Context, q Query, c *Completeness) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		now := t.now()
		heads := make([]*head, len(t.parts))

		defer func() {
			for _, h := range heads {
				if h != nil {
					h.stop()
				}
			}
		}()

		for i, s := range t.parts {
			heads[i] = newHead(ctx, s, q)

			if err := heads[i].advance(); err != nil {
				yield(Entry{}, err)

				return
			}
		}

		m, err := merge(heads, yield)
		if errors.Is(err, errStopped) {
			return
		}

		if err == nil {
			err = join(c, q.Window, heads, now, m.dropped > 0 && len(heads) == 2)
		}

		if err == nil && m.different > 0 {
			c.Caveats = append(c.Caveats, fmt.Sprintf("Of the entries that several of the logs hold, %d are not the same in all of them, "+
				"and which of them is true is not known. What %s says is taken.", m.different, t.parts[0].Info().Title))
		}

		if err != nil {
			yield(Entry{}, err)
		}

		c.DuplicatesDropped += m.dropped
	}
}

// head is the next entry of a log that is being read.
type head struct {
	redacted  bool
	next      func() (Entry, error, bool)
	stop      func()
	entry     Entry
	ended     bool
	statement Completeness
}

func newHead(ctx context.Context, s Service, q Query) *head {
	h := &head{redacted: len(s.Info().lost()) > 0}
	h.next, h.stop = iter.Pull2(s.Read(ctx, q, &h.statement)) //nolint:forbidigo // join insists on the proof.

	return h
}

func (h *head) advance() error {
	e, err, ok := h.next()
	h.entry, h.ended = e, !ok

	return err
}

// errStopped says that nobody wants further entries.
var errStopped = errors.New("stopped")

// merged counts what several logs hold.
type merged struct {
	// dropped are the copies, and different the entries that the logs do not tell in the same way.
	dropped, different int64
}

// merge yields the entries of logs in order. One that several logs hold comes once, as the first of them has it; unless
// one of the logs has it late, and then it comes twice.
func merge(heads []*head, yield func(Entry, error) bool) (m merged, err error) {
	for {
		var first *head

		for _, h := range heads {
			if !h.ended && (first == nil || Compare(&h.entry, &first.entry) < 0) {
				first = h
			}
		}

		if first == nil {
			return m, nil
		}

		e := first.entry

		if err := m.pass(heads, first); err != nil {
			return m, err
		}

		if !yield(e, nil) {
			return m, errStopped
		}
	}
}

// pass lets all logs that have the entry of the first one pass over it.
func (m *merged) pass(heads []*head, first *head) error {
	e, same := first.entry, true

	for _, h := range heads {
		if h.ended || h.entry.ID != e.ID || !h.entry.Time.Equal(e.Time) {
			continue
		}

		if h != first {
			m.dropped++

			same = same && sameEntry(&e, &h.entry, first.redacted || h.redacted)
		}

		if err := h.advance(); err != nil {
			return err
		}
	}

	if !same {
		m.different++
	}

	return nil
}

// sameEntry says whether two logs say the same of an entry. Redaction may have changed all but what was done.
func sameEntry(a, b *Entry, redacted bool) bool {
	if redacted {
		return a.Action == b.Action
	}

	// What is ours may differ between versions of this program.
	ours := []string{"endpoint", "account", "operation", "actor_type"}

	sameRaw := bytes.Equal(a.Raw, b.Raw) || compactRaw(a.Raw) == compactRaw(b.Raw)

	return sameRaw && !slices.ContainsFunc(fields, func(f Field) bool {
		return f.Kind == KindString && !slices.Contains(ours, f.Name) && f.Text(a) != f.Text(b)
	})
}

// compactRaw is a record without white space, which some formats of archives keep and others do not.
func compactRaw(raw json.RawMessage) string {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return string(raw)
	}

	return compact.String()
}

// otherForm says of logs that nobody can compare whose they are.
const otherForm = "Whether the logs that are read together are of one account is not known, since not all of them hold it in the same form: " +
	"one is redacted, or they are with different keys."

// join makes one statement of those of the logs. There is no retention any more: what lies before it is a gap, unless
// another log reaches further back. Logs that have entries in common are known to be of the same account.
func join(c *Completeness, w Window, heads []*head, now time.Time, common bool) error {
	w.End = endOf(w, heads)
	gaps := []Window{w}
	all := Completeness{Window: w, Proof: ProofEach, UnverifiedValues: heads[0].statement.UnverifiedValues}

	var known Source

	for _, h := range heads {
		s := &h.statement
		if s.Proof == "" {
			return ErrUnproven
		}

		plain := s.Source.plain()
		if known.Differs(plain) {
			return &SourceError{Known: s.Source, Found: all.Source}
		}

		if all.Source.Differs(s.Source) && !common && !slices.Contains(all.Caveats, otherForm) {
			all.Caveats = append(all.Caveats, otherForm)
		}

		known = known.Or(plain)

		gaps = Common(gaps, s.unknown(w, now))
		all.UnverifiedValues = slices.DeleteFunc(slices.Clone(all.UnverifiedValues), func(value string) bool {
			return !slices.Contains(s.UnverifiedValues, value)
		})
		all.add(s)
	}

	*c, c.Gaps = all, gaps

	return nil
}

// endOf is where the window ends that the logs could be read of: where a log ends of which nothing is missing up to
// there. Where there is none, the end is what was asked for, and a gap before it.
func endOf(w Window, heads []*head) time.Time {
	var end time.Time

	for _, h := range heads {
		s := &h.statement
		if n := len(s.Gaps); n == 0 || s.Gaps[n-1].End.Before(s.Window.End) {
			end = latest(end, s.Window.End)
		}
	}

	if end.IsZero() {
		return w.End
	}

	return end
}

// add adds up what two statements say that neither takes back.
func (c *Completeness) add(o *Completeness) {
	c.Pages += o.Pages
	c.RowsFetched += o.RowsFetched
	c.DuplicatesDropped += o.DuplicatesDropped
	c.RowsFilteredOut += o.RowsFilteredOut
	c.SecondPass = c.SecondPass || o.SecondPass
	c.UnknownMatters = c.UnknownMatters || o.UnknownMatters
	c.Caveats, c.UnknownActions = sets(c.Caveats, o.Caveats), sets(c.UnknownActions, o.UnknownActions)
	c.AllowedValues = sets(c.AllowedValues, o.AllowedValues)
	c.Unread = append(c.Unread, o.Unread...)
	c.Source = c.Source.Or(o.Source)

	if skew := o.ClockSkew; skew != nil && (c.ClockSkew == nil || skew.Abs() > c.ClockSkew.Abs()) {
		c.ClockSkew = skew
	}
}

// sets returns what is in a or in b, sorted.
func sets(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// All is the statement over the readings of several clouds: what is missing in one of them is missing. The window is
// what they have in common, and there is no source.
func All(statements ...Completeness) Completeness {
	if len(statements) == 1 {
		return statements[0]
	}

	all := Completeness{Window: statements[0].Window, Proof: ProofEach}
	for i := range statements {
		all.Window = all.Window.within(statements[i].Window)
	}

	for i := range statements {
		s := &statements[i]
		all.add(s)
		all.BeyondRetention, all.Source = all.BeyondRetention || s.BeyondRetention, Source{}
		all.Gaps = Union(slices.Concat(all.Gaps, s.Gaps), all.Window)
		all.UnverifiedValues = append(all.UnverifiedValues, s.UnverifiedValues...)

		if s.Proof == "" {
			all.Proof = ""
		}
	}

	return all
}
