// SPDX-License-Identifier: MPL-2.0

// Package cloudscale reads the audit log of a cloudscale.ch project.
//
// The service pages with a cursor over its own order of records, so nothing can
// be missed or repeated between two pages. It gives records neither an id nor a
// structured target; what is made of the words of an action and a message is
// best effort, since the vendor does not promise to keep them.
package cloudscale

import (
	"cmp"
	"context"
	"encoding/json"
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
)

// DefaultEndpoint is the root of the API, without its version.
const DefaultEndpoint = "https://api.cloudscale.ch"

// DefaultRetention is how long records are kept since 15 July 2026, as the
// vendor announced.
const DefaultRetention = 90 * 24 * time.Hour

const logPath = "v1/project-logs"

// overtaking is how far a page must lie beyond the end of a window before
// reading stops there. Records overtake each other by milliseconds; five seconds
// leave room for a slow transaction.
const overtaking = 5 * time.Second

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
		Operations:      auditlog.OperationsIn(operations),
		OperationOf:     OperationOf,
		CredentialsHint: "Set CLOUDSCALE_API_TOKEN to a token of the project; read access is enough.",
	}
}

// Info implements auditlog.Service.
func (s *Service) Info() auditlog.Info { return s.info }

// Read implements auditlog.Service. Entries come in the cloud's own order, which
// is oldest first but for neighbours that overtook each other by milliseconds.
func (s *Service) Read(ctx context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.info.Retention, s.clock())
	c.Source = s.info.Source

	return auditlog.Select(q, c, auditlog.ProofCursor, s.pages(ctx, walk(q.Window), nil, c))
}

// Resume implements auditlog.Resumer.
func (s *Service) Resume(ctx context.Context, from auditlog.Position, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.info.Retention, s.clock())
	c.Resume, c.Source = &from, s.info.Source

	pages := client.CursorWalk[auditlog.Entry]{First: from.Link, Decode: decodePage}

	return auditlog.Select(q, c, auditlog.ProofCursor, s.pages(ctx, pages, &from, c))
}

// pages yields the entries of one page after the other, those outside of the
// window included. Whether `end` holds on the pages behind a cursor is not
// documented: where it does not, reading stops at a page that lies wholly beyond.
func (s *Service) pages(
	ctx context.Context, walk client.CursorWalk[auditlog.Entry], from *auditlog.Position, c *auditlog.Completeness,
) iter.Seq2[[]auditlog.Entry, error] {
	return func(yield func([]auditlog.Entry, error) bool) {
		ids := auditlog.NewFingerprints(auditlog.ServiceCloudscale)
		if from != nil {
			ids.Continue(from.Ordinals, from.Since)
		}

		place := place{end: c.Window.End, resumable: true}

		for page, err := range walk.Pages(ctx, s.client) {
			if err != nil {
				if from != nil && c.Pages == 0 && isLost(err) {
					err = fmt.Errorf("%w: %w", auditlog.ErrPositionLost, err)
				}

				yield(nil, err)

				return
			}

			c.Pages++
			c.RowsFetched += int64(len(page.Rows))

			for i := range page.Rows {
				e := &page.Rows[i]
				// The decoder has read this record as JSON before.
				if e.ID, err = ids.ID(e.Raw, e.Time); err != nil {
					yield(nil, err)

					return
				}
			}

			project, err := s.projectOf(page)
			if err != nil {
				yield(nil, err)

				return
			}

			c.Source.Account = cmp.Or(c.Source.Account, project)
			beyond := place.pass(page, ids, c)

			if !yield(page.Rows, nil) || beyond {
				return
			}
		}
	}
}

// isLost tells a cursor that is no longer accepted from a service out of order.
// How the service answers one whose record has expired is not documented.
func isLost(err error) bool {
	e := (*client.Error)(nil)

	return errors.As(err, &e) && (e.Kind == client.KindRejected || e.Kind == client.KindNotFound || e.Kind == client.KindForeignOrigin)
}

// place keeps track of where reading could go on.
type place struct {
	end       time.Time
	newest    time.Time
	resumable bool
}

// pass takes note of a page and says whether it lies wholly beyond the window.
func (p *place) pass(page client.Page[auditlog.Entry], ids *auditlog.Fingerprints, c *auditlog.Completeness) (beyond bool) {
	if len(page.Rows) == 0 {
		// Its cursor may be that of the newest record, window or not.
		return false
	}

	beyond = true
	oldest := page.Rows[0].Time

	for i := range page.Rows {
		at := page.Rows[i].Time
		p.resumable = p.resumable && at.Before(p.end)
		beyond = beyond && at.Sub(p.end) > overtaking

		if at.After(p.newest) {
			p.newest = at
		}

		if at.Before(oldest) {
			oldest = at
		}
	}

	switch {
	case p.resumable:
		c.Resume = &auditlog.Position{Link: withoutEnd(page.PollMore), Since: p.newest.Add(-overtaking), Ordinals: ids.Ordinals()}
	case c.Resume != nil && oldest.Before(c.Resume.Since):
		// To go on behind a page that holds records beyond the window would lose
		// them, so the page will come again, and with it what it holds of the window.
		c.Resume = &auditlog.Position{Link: c.Resume.Link, Since: oldest, Ordinals: c.Resume.Ordinals}
	}

	return beyond
}

// withoutEnd returns a link without the end of the window, which a service may
// carry along and beyond which lies all that is added later.
func withoutEnd(link string) string {
	address, query, _ := strings.Cut(link, "?")
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return strings.HasPrefix(pair, "end=") })

	return strings.TrimSuffix(address+"?"+strings.Join(kept, "&"), "?")
}

// walk asks for the window with its bounds rounded outwards to whole seconds, and
// for a little beyond: a record there that overtook one of the window has to show,
// since the cursor behind that one leads past it.
func walk(w auditlog.Window) client.CursorWalk[auditlog.Entry] {
	end := w.End.Add(overtaking + time.Second - time.Nanosecond)

	return client.CursorWalk[auditlog.Entry]{
		First: logPath,
		Query: url.Values{
			"start": {w.Start.UTC().Truncate(time.Second).Format(time.RFC3339)},
			"end":   {end.UTC().Truncate(time.Second).Format(time.RFC3339)},
		},
		Decode: decodePage,
	}
}

func decodePage(body []byte) (rows []auditlog.Entry, next, pollMore string, err error) {
	var page map[string]json.RawMessage
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, "", "", err //nolint:wrapcheck // The client names what is wrong with an answer.
	}

	// On the last page next is null; a page without it is another shape.
	for _, key := range []string{"next", "poll_more", "results"} {
		if page[key] == nil {
			return nil, "", "", errors.New(key + " is missing")
		}
	}

	var records []json.RawMessage

	err = errors.Join(
		json.Unmarshal(page["next"], &next),
		json.Unmarshal(page["poll_more"], &pollMore),
		json.Unmarshal(page["results"], &records))
	if err != nil {
		return nil, "", "", err
	}

	if records == nil {
		return nil, "", "", errors.New("results is null")
	}

	rows = make([]auditlog.Entry, 0, len(records))

	for _, raw := range records {
		e, err := entryOf(raw)
		if err != nil {
			return nil, "", "", err
		}

		rows = append(rows, e)
	}

	return rows, next, pollMore, nil
}

// FilterOptions reads the values off the log, since the service lists none.
func (s *Service) FilterOptions(ctx context.Context, q auditlog.Query) (auditlog.FilterOptions, error) {
	var c auditlog.Completeness

	return auditlog.Observe(s.Read(ctx, auditlog.Query{Window: q.Window}, &c))
}
