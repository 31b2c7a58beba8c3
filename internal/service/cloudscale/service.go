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

const logPath = "v1/project-logs"

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

// Read implements auditlog.Service. Entries come in the cloud's own order, which
// is oldest first but for neighbours that overtook each other by milliseconds.
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
		ids := auditlog.NewFingerprints(auditlog.ServiceCloudscale)
		walk, asked := firstPage(c.Window)

		if from != nil {
			ids.Continue(from.Ordinals, from.Since)

			walk, asked = goOn(from, asked)
		}

		resume := resumePoint{asked: asked, resumable: true}

		for page, err := range walk.Pages(ctx, s.client) {
			if err != nil {
				if from != nil && c.Pages == 0 && isLost(err) {
					err = fmt.Errorf("%w: %w", auditlog.ErrPositionLost, err)
				}

				yield(nil, err)

				return
			}

			c.Heed(page.Clock, settle)
			resume.end = c.Window.End

			c.Pages++
			c.RowsFetched += int64(len(page.Rows))

			if err = resume.number(page, ids, c); err == nil {
				err = s.learn(page, c)
			}

			if err != nil {
				yield(nil, err)

				return
			}

			beyond := resume.note(page, c)

			if !yield(page.Rows, nil) {
				return
			}

			if beyond {
				break
			}
		}

		resume.keep(ids, c)
	}
}

// goOn is firstPage for a reading from a position on. The cursor takes the place of
// both bounds, and may lie before the window.
func goOn(from *auditlog.Position, asked auditlog.Window) (client.CursorWalk[auditlog.Entry], auditlog.Window) {
	asked.End = time.Time{}
	if since := from.Since.Add(-auditlog.OrderMargin); since.Before(asked.Start) {
		asked.Start = since
	}

	return client.CursorWalk[auditlog.Entry]{First: logPath, From: from.Link, Decode: decodePage}, asked
}

// isLost tells a cursor that is no longer accepted from a service out of order.
// How the service answers one whose record has expired is not documented.
func isLost(err error) bool {
	e := (*client.Error)(nil)

	return errors.As(err, &e) &&
		(e.Kind == client.KindRejected || e.Kind == client.KindNotFound || e.Kind == client.KindForeignOrigin)
}

// resumePoint keeps track of where in the log reading is, and where it could go on.
type resumePoint struct {
	asked     auditlog.Window // what the service was asked for, without an end behind a cursor
	end       time.Time
	newest    time.Time
	resumable bool
}

// number gives the records of a page their ids. One that lies where the service
// was not asked for it is an error: dropped as a row outside of the window it would
// be missing, and nothing would say so.
func (p *resumePoint) number(
	page client.Page[auditlog.Entry], ids *auditlog.Fingerprints, c *auditlog.Completeness,
) error {
	if p.resumable && slices.ContainsFunc(page.Rows, func(e auditlog.Entry) bool { return !e.Time.Before(p.end) }) {
		p.keep(ids, c)
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
			continue
		}

		if e.Time.After(p.newest) {
			p.newest = e.Time
		}

		var err error
		if e.ID, err = ids.Number(e.ID, e.Raw, e.Time); err != nil {
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
	return &client.Error{Kind: kind, Method: client.Method, Path: "/" + logPath, Page: page, Err: reason}
}

// note takes note of a page and says whether it lies wholly beyond the window.
func (p *resumePoint) note(page client.Page[auditlog.Entry], c *auditlog.Completeness) (beyond bool) {
	if len(page.Rows) == 0 {
		// Its cursor may be that of the newest record, window or not.
		return false
	}

	beyond = true
	oldest := page.Rows[0].Time

	for i := range page.Rows {
		at := page.Rows[i].Time
		beyond = beyond && at.Sub(p.end) > overtaking

		if at.Before(oldest) {
			oldest = at
		}
	}

	switch {
	case p.resumable:
		c.Resume = &auditlog.Position{Link: withoutEnd(page.PollMore), Since: p.newest.Add(-overtaking)}
	case c.Resume != nil && oldest.Before(c.Resume.Since):
		// To go on behind a page that holds records beyond the window would lose
		// them, so the page will come again, and with it what it holds of the window.
		c.Resume = &auditlog.Position{Link: c.Resume.Link, Since: oldest, Ordinals: c.Resume.Ordinals}
	}

	return beyond
}

// keep completes the place to go on from, once no page will move it any more.
func (p *resumePoint) keep(ids *auditlog.Fingerprints, c *auditlog.Completeness) {
	if p.resumable && c.Resume != nil {
		c.Resume.Ordinals = ids.Ordinals()
	}
}

// withoutEnd returns a link without the end of the window, which a service may
// carry along and beyond which lies all that is added later.
func withoutEnd(link string) string {
	address, query, _ := strings.Cut(link, "?")
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return strings.HasPrefix(pair, "end=") })

	return strings.TrimSuffix(address+"?"+strings.Join(kept, "&"), "?")
}

// firstPage asks for the window with its bounds rounded outwards to whole seconds,
// and for a little beyond: a record there that overtook one of the window has to
// show, since the cursor behind that one leads past it.
func firstPage(w auditlog.Window) (client.CursorWalk[auditlog.Entry], auditlog.Window) {
	asked := auditlog.Window{
		Start: w.Start.UTC().Truncate(time.Second),
		End:   w.End.UTC().Add(overtaking + time.Second - time.Nanosecond).Truncate(time.Second),
	}

	return client.CursorWalk[auditlog.Entry]{
		First: logPath,
		Query: url.Values{
			"start": {asked.Start.Format(time.RFC3339)},
			"end":   {asked.End.Format(time.RFC3339)},
		},
		Decode: decodePage,
	}, asked
}

func decodePage(body []byte) (rows []auditlog.Entry, next, pollMore string, err error) {
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
