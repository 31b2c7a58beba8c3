// SPDX-License-Identifier: MPL-2.0

// Package cloudscale reads the audit log of a cloudscale.ch project.
//
// The service pages with a cursor over its own order of records, so nothing can
// be missed or repeated between two pages. It gives records neither an id nor a
// structured target; what is made of the words of an action and a message is
// best effort, since the vendor does not promise to keep them.
package cloudscale

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// DefaultEndpoint is the root of the API, without its version.
const DefaultEndpoint = "https://api.cloudscale.ch"

// DefaultRetention is how long records are kept since 15 July 2026, as the
// vendor announced.
const DefaultRetention = 90 * 24 * time.Hour

// LogPath is the path of the log below the endpoint.
const LogPath = "v1/project-logs"

// overtaking is how far a page must lie beyond the end of a window before
// reading stops there, and how far outside of what was asked for a record may be.
// Records overtake each other by milliseconds; five seconds leave room for a slow
// transaction.
const overtaking = 5 * time.Second

// aheadOfNow is how far in the future of the service's clock a record may be dated,
// be it by another machine of the service. One that is further ahead would be
// dropped as one beyond the window, though it was made before.
const aheadOfNow = time.Hour

// Service is the audit log of one project, that of the token.
type Service struct {
	client *client.Client
	clock  auditlog.Clock
	info   auditlog.Info

	// asking is held while a page is read for nothing but the project, and asked
	// says that one was.
	asking sync.Mutex
	asked  bool
	// project is the UUID of the project whose log it is, once a record named it.
	mu      sync.Mutex
	project string
}

// New returns the service. It makes no request. A retention of zero means
// DefaultRetention.
func New(c *client.Client, clock auditlog.Clock, retention time.Duration) *Service {
	if retention == 0 {
		retention = DefaultRetention
	}

	info := Info()
	info.Retention = retention
	info.Source = auditlog.Source{Service: info.Name, Endpoint: c.Origin()}

	return &Service{client: c, clock: clock, info: info}
}

// Info is what is known of cloudscale without asking it.
func Info() auditlog.Info {
	return auditlog.Info{
		Name:      auditlog.ServiceCloudscale,
		Title:     "cloudscale",
		Retention: DefaultRetention,
		NeverRecorded: []string{
			"resource_id", "origin", "auth_type", "user_agent", "correlation_id", "changes",
		},
		Operations: slices.DeleteFunc(auditlog.OperationsIn(auditlog.Verbs),
			func(op auditlog.Operation) bool { return neverOperations[op] != "" }),
		OperationOf:     OperationOf,
		KnowsAction:     KnowsAction,
		NeverOperations: neverOperations,
		Values: map[string]auditlog.Values{
			"action":        {Documented: documented, Form: actionForm, Open: true},
			"resource_type": {Documented: documentedTypes(), Form: typeForm, Open: true},
			"scope_type":    {Documented: []string{"", "project", "organization", "user"}, Closed: true},
			"actor_type":    {Documented: actorTypes, Closed: true},
		},
		Coherent: coherent,
		// Anybody who may make an API token can describe it as they like.
		UniqueActor:     func(e *auditlog.Entry) bool { return e.ActorType == auditlog.ActorUser },
		CredentialsHint: "Set CLOUDSCALE_API_TOKEN to a token of the project; read access is enough.",
	}
}

// Info implements auditlog.Service.
func (s *Service) Info() auditlog.Info { return s.info }

// Read implements auditlog.Service. The cloud's own order is that of its commits, in
// which neighbours overtake each other; entries come in that of their times, ties by id.
func (s *Service) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.info.Retention, s.clock())
	c.Source = s.info.Source

	return auditlog.Select(q, s.info, c, auditlog.ProofCursor, s.pages(ctx, nil, q.SettleDelay, c))
}

// Resume implements auditlog.Resumer.
func (s *Service) Resume(
	ctx context.Context, from auditlog.Position, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.info.Retention, s.clock())
	c.Resume, c.Source = &from, s.info.Source

	return auditlog.Select(q, s.info, c, auditlog.ProofCursor, s.pages(ctx, &from, q.SettleDelay, c))
}

// pages yields the entries of one page after the other, those outside of the
// window included. Whether `end` holds on the pages behind a cursor is not
// documented: where it does not, reading stops at a page that lies wholly beyond.
func (s *Service) pages(
	ctx context.Context, from *auditlog.Position, settle time.Duration, c *auditlog.Completeness,
) iter.Seq2[[]auditlog.Entry, error] {
	return func(yield func([]auditlog.Entry, error) bool) {
		r := newReading(s, from, settle, c)
		defer r.stop()

		for p := r.first(ctx); p != nil; p = r.next() {
			for m := range r.messages(ctx, p) {
				entries, beyond, err := r.take(p, m)
				if err != nil {
					yield(nil, err)

					return
				}

				auditlog.ProgressOf(ctx).Read(len(m.page.Rows))

				if !yield(entries, nil) {
					return
				}

				// Whoever else walks along a slice stops there as well.
				if beyond && (p.pages == nil || m.open) {
					break
				}
			}

			if err := r.close(p); err != nil {
				yield(nil, err)

				return
			}
		}

		yield(r.rest())
	}
}

// isLost tells a cursor that is no longer accepted from a service out of order.
// How the service answers one whose record has expired is not documented.
func isLost(err error) bool {
	e := (*client.Error)(nil)

	return errors.As(err, &e) &&
		(e.Kind == client.KindRejected || e.Kind == client.KindNotFound || e.Kind == client.KindForeignOrigin)
}

// cursor keeps track of where in the log a walk is, and where reading could go on.
type cursor struct {
	asked auditlog.Window // what the service was asked for, without an end behind a cursor
	// end is where the part of the log ends that counts. Records beyond get no id.
	end    time.Time
	ids    *auditlog.Fingerprints
	newest time.Time
	// resume is the place to go on from, nil where there is none. It moves on with the
	// pages, and is placed once it has, until one holds records beyond the end.
	resume            *auditlog.Position
	resumable, placed bool
}

// take takes note of the next page, gives its records their ids, and says whether it
// lies wholly beyond the end.
func (p *cursor) take(page client.Page[auditlog.Entry]) (beyond bool, err error) {
	if err := p.number(page); err != nil {
		return false, err
	}

	return p.note(page), nil
}

// number gives the records of a page their ids. One that lies where the service
// was not asked for it is an error: dropped as a row outside of the window it would
// be missing, and nothing would say so.
func (p *cursor) number(page client.Page[auditlog.Entry]) error {
	if p.resumable && slices.ContainsFunc(page.Rows, func(e auditlog.Entry) bool { return !e.Time.Before(p.end) }) {
		p.keep()
		p.resumable = false
	}

	for i := range page.Rows {
		e := &page.Rows[i]

		switch {
		case e.Time.Before(p.asked.Start.Add(-overtaking)),
			page.Number == 1 && !p.asked.End.IsZero() && e.Time.After(p.asked.End.Add(overtaking)):
			return problem(client.KindShape, page.Number, errOutside)
		case page.Clock != nil && e.Time.Sub(page.Clock.Now) > aheadOfNow:
			return problem(client.KindShape, page.Number, errFuture)
		case !e.Time.Before(p.end):
			// What lies beyond the window is dropped, and identical records with it. Its
			// time may be far beyond, and would make others forgotten.
			e.ID = ""

			continue
		}

		if e.Time.After(p.newest) {
			p.newest = e.Time
		}

		var err error
		if e.ID, err = p.ids.Number(e.ID, e.Raw, e.Time); err != nil {
			return problem(client.KindEndless, page.Number, err)
		}
	}

	return nil
}

var (
	errOutside = errors.New("a record is dated outside of the window that was asked for")
	errFuture  = errors.New("a record is dated in the future of the service's own clock, so that nobody knows when it was made")
)

func problem(kind client.Kind, page int, reason error) error {
	return &client.Error{Kind: kind, Method: client.Method, Path: "/" + LogPath, Page: page, Err: reason}
}

// note takes note of a page and says whether it lies wholly beyond the end.
func (p *cursor) note(page client.Page[auditlog.Entry]) (beyond bool) {
	if len(page.Rows) == 0 {
		// Its cursor may be that of the newest record, window or not.
		return false
	}

	oldest := page.Rows[0].Time

	for i := range page.Rows {
		if at := page.Rows[i].Time; at.Before(oldest) {
			oldest = at
		}
	}

	switch {
	case p.resumable:
		p.resume = &auditlog.Position{Link: withoutEnd(page.PollMore), Since: p.newest.Add(-overtaking)}
		p.placed = true
	case p.resume != nil && oldest.Before(p.resume.Since):
		// To go on behind a page that holds records beyond the window would lose
		// them, so the page will come again, and with it what it holds of the window.
		p.resume = &auditlog.Position{Link: p.resume.Link, Since: oldest, Ordinals: p.resume.Ordinals}
	}

	return areBeyond(page.Rows, p.end)
}

// areBeyond says that there are records and all of them lie beyond an end, further than
// one that belongs before it could have overtaken them.
func areBeyond(rows []auditlog.Entry, end time.Time) bool {
	before := func(e auditlog.Entry) bool { return e.Time.Sub(end) <= overtaking }

	return len(rows) > 0 && !slices.ContainsFunc(rows, before)
}

// keep completes the place to go on from, once no page will move it any more.
func (p *cursor) keep() {
	if p.resumable && p.placed {
		p.resume.Ordinals = p.ids.Ordinals()
	}
}

// withoutEnd returns a link without the end of the window, which a service may
// carry along and beyond which lies all that is added later.
func withoutEnd(link string) string {
	address, query, _ := strings.Cut(link, "?")
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return strings.HasPrefix(pair, "end=") })

	return strings.TrimSuffix(address+"?"+strings.Join(kept, "&"), "?")
}

// firstPage asks for a span of the log, both bounds in whole seconds.
func firstPage(asked auditlog.Window) client.CursorWalk[auditlog.Entry] {
	return client.CursorWalk[auditlog.Entry]{
		First: LogPath,
		Query: url.Values{
			"start": {asked.Start.Format(time.RFC3339)},
			"end":   {asked.End.Format(time.RFC3339)},
		},
		Decode: DecodePage,
	}
}

// around returns the bounds of the window rounded outwards to whole seconds, with
// a little beyond: a record there that overtook one of the window has to show, since
// the cursor behind that one leads past it.
func around(w auditlog.Window) auditlog.Window {
	return auditlog.Window{
		Start: w.Start.UTC().Truncate(time.Second),
		End:   w.End.UTC().Add(overtaking + time.Second - time.Nanosecond).Truncate(time.Second),
	}
}

// DecodePage reads a page of the log, "" standing for a link that is null.
func DecodePage(body []byte) (rows []auditlog.Entry, next, pollMore string, err error) {
	var (
		hasNext, hasPollMore, hasResults bool

		scratch []byte
	)

	err = exactjson.Read(body, func(r *exactjson.Reader) {
		for key := range r.Members() {
			switch string(key) {
			case "next":
				hasNext, next = true, readLink(r, "next")
			case "poll_more":
				hasPollMore, pollMore = true, readLink(r, "poll_more")
			case "results":
				if hasResults = !r.Null(); !hasResults {
					continue
				}

				rows = make([]auditlog.Entry, 0, usualPage)
				for range r.Elements() {
					var e auditlog.Entry

					e, scratch = readEntry(r, scratch)
					rows = append(rows, e)
				}
			}
		}

		// On the last page next is null; a page without it is another shape.
		switch {
		case !hasNext:
			r.Fail(errors.New("next is missing"))
		case !hasPollMore:
			r.Fail(errors.New("poll_more is missing"))
		case !hasResults:
			r.Fail(errors.New("results is missing"))
		}
	})
	if err != nil {
		return nil, "", "", err
	}

	return rows, next, pollMore, nil
}

// usualPage is how many records a page has as a rule.
const usualPage = 200

// readLink reads a link, null standing for none. An empty one would lead back to the page
// that has it, so that it is neither.
func readLink(r *exactjson.Reader, name string) (link string) {
	if r.Null() {
		return ""
	}

	if link = r.Text(); link == "" {
		r.Fail(fmt.Errorf("%s: it is empty", name))
	}

	return link
}

// FilterOptions reads the values off the log, since the service lists none.
func (s *Service) FilterOptions(ctx context.Context, q auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.Observe(ctx, s, q.Window)
}
