// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
)

const (
	// documentedPage is how many records a page has; see design/api-facts.md §2.2.
	documentedPage = 200
	// overtaking is how far records may be out of order; readings allow as much.
	overtaking = 5 * time.Second
)

// cloudscaleExam examines cloudscale.
type cloudscaleExam struct {
	*examiner

	// oldest is the first page of the log, and second the one that its next leads to.
	oldest, second cursorPage
	// early says that a page had records from before the start that was asked for.
	early bool
}

// cursorPage is a page of a log with a cursor.
type cursorPage struct {
	rows           []auditlog.Entry
	next, pollMore string
	seen           client.Examined
}

func (p *cursorPage) decode(body []byte, _ func(string) string) (err error) {
	p.rows, p.next, p.pollMore, err = cloudscale.DecodePage(body)

	return err
}

func (x *cloudscaleExam) run(ctx context.Context) {
	err := x.page(ctx, nil, &x.oldest)
	if !x.first(x.oldest.seen, err) {
		x.common()

		return
	}

	x.report.add(x.account(), x.pageSize(), x.order(), x.follow(ctx), x.end(ctx))
	x.report.add(x.poll(ctx)...)
	x.report.add(x.actions(), x.reach())
	x.common()
}

func (x *cloudscaleExam) page(ctx context.Context, query url.Values, p *cursorPage) (err error) {
	p.seen, err = x.get(ctx, cloudscale.LogPath, query, p.decode)

	return err
}

func (x *cloudscaleExam) link(ctx context.Context, from cursorPage, link string, p *cursorPage) (err error) {
	p.seen, err = x.ask(ctx, func(ctx context.Context) (client.Examined, error) {
		return x.client.ExamineLink(ctx, from.seen, link, p.decode)
	})

	return err
}

func (x *cloudscaleExam) account() Check {
	for i := range x.oldest.rows {
		if e := &x.oldest.rows[i]; e.ScopeType == "project" && e.ScopeID != "" {
			x.report.Account = cmp.Or(x.report.Account, e.ScopeID)

			return Check{Name: "account", Verdict: OK, Value: "named", Finding: "The records say of which project the log is."}
		}
	}

	return Check{
		Name: "account", Verdict: Note, Value: "not shown",
		Finding: "No record on the oldest page says of which project the log is, so that a log of another one may not be noticed.",
		Next:    "Say whose log it is by the service's account argument.",
	}
}

func (x *cloudscaleExam) pageSize() Check {
	n := len(x.oldest.rows)
	c := Check{Name: "largest_page", Verdict: OK, Value: strconv.Itoa(n), Finding: fmt.Sprintf("A page has %d records.", n)}

	switch {
	case x.oldest.next == "":
		c.Verdict, c.Value = Unknown, fmt.Sprintf("at least %d", n)
		c.Finding = "The log has too few records to fill a page."
	case n != documentedPage:
		c.Verdict = Note
		c.Finding = fmt.Sprintf("A page has %s, and %d are documented.", count(n, "record"), documentedPage)
		c.Next = "Nothing needs to be done: readings take pages as they come."
	}

	return c
}

func (x *cloudscaleExam) order() Check {
	found := orderOf(x.oldest.rows, overtaking)
	c := Check{Name: "order", Verdict: OK, Value: string(found), Finding: "The records come oldest first."}

	var most time.Duration

	for i := 1; i < len(x.oldest.rows); i++ {
		most = max(most, x.oldest.rows[i-1].Time.Sub(x.oldest.rows[i].Time))
	}

	switch {
	case found == unclear:
		c.Verdict, c.Finding = Unknown, "The log has too few records to show an order."
	case found != oldestFirst:
		c.Verdict, c.Finding = Problem, "The records do not come oldest first, as documented."
		c.Next = "Report this: readings rely on it."
	case most > 0:
		c.Value += fmt.Sprintf(", out of order by up to %d ms", most.Milliseconds()+1)
	}

	return c
}

// sameRecords says that two pages have the same records, of which identical ones exist.
func sameRecords(a, b []auditlog.Entry) bool {
	same := func(a, b auditlog.Entry) bool { return a.ID == b.ID && a.Time.Equal(b.Time) }

	return len(a) > 0 && slices.EqualFunc(a, b, same)
}

// follow goes from the oldest page to the next one.
func (x *cloudscaleExam) follow(ctx context.Context) Check {
	const name = "next"

	if x.oldest.next == "" {
		return unknown(name, "one page", "The log has no second page.")
	}

	if err := x.link(ctx, x.oldest, x.oldest.next, &x.second); err != nil {
		c := x.failed(name, err)
		c.Next = "Run this again; if it stays so, report it: no long window can be read."

		return c
	}

	c := Check{Name: name, Verdict: OK, Value: "absolute", Finding: "A page leads to the next one, with other records."}
	if u, err := url.Parse(x.oldest.next); err == nil && !u.IsAbs() {
		c.Verdict, c.Value, c.Next = Note, "relative", "Nothing needs to be done: such links are followed."
	}

	if sameRecords(x.oldest.rows, x.second.rows) || x.second.next == x.oldest.next {
		x.second = cursorPage{}

		return Check{
			Name: name, Verdict: Problem, Value: "leads back", Finding: "A page leads to itself, or to the records that it has.",
			Next: "Run this again; if it stays so, report it: no long window can be read.",
		}
	}

	return c
}

// end finds out whether an end still holds behind a cursor: it asks for the log up to the
// middle of the second page, without the first quarter of the first.
func (x *cloudscaleExam) end(ctx context.Context) Check {
	const name = "end_behind_cursor"

	rows := x.second.rows
	if len(rows) < 2 {
		return unknown(name, "one page", "The log has no second page on which an end could hold.")
	}

	start := x.oldest.rows[len(x.oldest.rows)/4].Time.Truncate(time.Second)
	end := rows[len(rows)/2].Time.Truncate(time.Second)
	newest := rows[len(rows)-1].Time
	beyond := func(e auditlog.Entry) bool { return !e.Time.Before(end) }

	// The first page has to be full of records before the end, else it is the last one.
	if !slices.ContainsFunc(rows, beyond) || slices.ContainsFunc(x.oldest.rows, beyond) || rows[0].Time.After(end) {
		return unknown(name, "too close", "The records of the second page are too close together to show whether an end holds.")
	}

	var first, second cursorPage

	asked := url.Values{"start": {start.Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}}
	if err := x.page(ctx, asked, &first); err != nil {
		return x.failed(name, err)
	}

	x.early = isBefore(first.rows, start)

	if slices.ContainsFunc(first.rows, func(e auditlog.Entry) bool { return e.Time.After(end.Add(overtaking)) }) {
		return Check{
			Name: name, Verdict: Problem, Value: "end ignored", Finding: "The first page has records beyond the end that was asked for.",
			Next: "Report this: readings refuse such a page.",
		}
	}

	if first.next == "" {
		return unknown(name, "no next", "The part of the log before the end has no second page.")
	}

	if err := x.link(ctx, first, first.next, &second); err != nil {
		return x.failed(name, err)
	}

	switch {
	case len(second.rows) == 0 || newest.Sub(end) <= 0:
		return unknown(name, "unclear", "The page behind the cursor has no record.")
	case slices.ContainsFunc(second.rows, beyond):
		return Check{
			Name: name, Verdict: OK, Value: "first page only",
			Finding: "An end holds on the first page only; readings stop at it by themselves.",
		}
	default:
		return Check{Name: name, Verdict: OK, Value: "every page", Finding: "An end holds on every page."}
	}
}

// poll asks for what is newer than now, and for what was added since.
func (x *cloudscaleExam) poll(ctx context.Context) []Check {
	const name, window = "poll_more", "start"

	now := x.o.Clock().UTC().Truncate(time.Second)

	var newest, later cursorPage

	if err := x.page(ctx, url.Values{"start": {now.Format(time.RFC3339)}}, &newest); err != nil {
		return []Check{x.failed(window, err)}
	}

	start := Check{Name: window, Verdict: OK, Value: "holds", Finding: "A start leaves out what is older."}
	if x.early || isBefore(newest.rows, now) {
		start = Check{
			Name: window, Verdict: Problem, Value: "ignored", Finding: "The service lists records from before the start that was asked for.",
			Next: "Report this: readings refuse such a page.",
		}
	}

	switch {
	case newest.next != "" && len(newest.rows) == 0:
		start = Check{
			Name: window, Verdict: Problem, Value: "endless", Finding: "A page without records leads to yet another one.",
			Next: "Run this again; if it stays so, report it: readings end in an error.",
		}
	case newest.pollMore == "":
		return []Check{start, {
			Name: name, Verdict: Note, Value: "absent", Finding: "The newest page has no link to what is added later.",
			Next: "Nothing needs to be done: an archive then reads the overlap again.",
		}}
	}

	if err := x.link(ctx, newest, newest.pollMore, &later); err != nil {
		return []Check{start, x.failed(name, err)}
	}

	return []Check{start, {
		Name: name, Verdict: OK, Value: "present", Finding: "The newest page has a link to what is added later, which works.",
	}}
}

// isBefore says that a record is from before a start, by more than records may be out of
// order.
func isBefore(rows []auditlog.Entry, start time.Time) bool {
	return slices.ContainsFunc(rows, func(e auditlog.Entry) bool { return e.Time.Before(start.Add(-overtaking)) })
}

// actions names those that no table knows.
func (x *cloudscaleExam) actions() Check {
	var strange []string

	for _, page := range []cursorPage{x.oldest, x.second} {
		for i := range page.rows {
			if action := page.rows[i].Action; !cloudscale.KnowsAction(action) {
				strange = append(strange, action)
			}
		}
	}

	slices.Sort(strange)

	if strange = slices.Compact(strange); len(strange) == 0 {
		return Check{Name: "actions", Verdict: OK, Value: "known", Finding: "Every action on the oldest pages is known."}
	}

	return Check{
		Name: "actions", Verdict: Note, Value: "unknown " + names(strange),
		Finding: "There are actions that no table knows: " + names(strange) + ".",
		Next:    "Report them; until then their operation is \"other\".",
	}
}

func (x *cloudscaleExam) reach() Check {
	if len(x.oldest.rows) == 0 {
		return unknown("retention", "no records", "The log has no record that could show how far back it goes.")
	}

	return x.retention(slices.MinFunc(x.oldest.rows, func(a, b auditlog.Entry) int { return a.Time.Compare(b.Time) }).Time)
}
