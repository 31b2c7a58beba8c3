// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

const (
	// wideLimit is the largest page that any source names, and what readings ask for
	// first; carefulLimit is what every source allows. See design/api-facts.md §1.3.
	wideLimit    = 200
	carefulLimit = 100
	// farBack is how far back the log is asked for, beyond any documented retention.
	farBack = 3 * 365 * day
	// unsettled is left out of every request, so that nobody's events move the pages
	// meanwhile.
	unsettled = 2 * time.Minute
	// narrow is about how many events the window has in which all of them are counted.
	narrow = 40
	// rounding is how far the time that an event shows may be from the one that bounds
	// are compared with.
	rounding = time.Second
)

// upcloudExam examines UpCloud.
type upcloudExam struct {
	*examiner

	span auditlog.Window
	// list is the first page of the whole span.
	list page
	// limit is what pages are asked for with.
	limit int
	// offset is what an offset counts; nothing where that is not known.
	offset offset
	// counts says that totals are right, as far as they were looked at.
	counts bool
	// window is a part of the span, and inside are the entries of list in it.
	window auditlog.Window
	inside []auditlog.Entry
}

// page is a page of the list.
type page struct {
	rows []auditlog.Entry
	// total is how many events the service says there are; less than zero where it does
	// not say it in a way that can be read.
	total int64
}

type offset string

const (
	offsetRows  offset = "rows"
	offsetPages offset = "pages"
)

func (x *upcloudExam) run(ctx context.Context) {
	now := x.o.Clock().UTC().Truncate(time.Second)
	x.span = auditlog.Window{Start: now.Add(-farBack), End: now.Add(-unsettled)}

	if !x.first(x.firstPage(ctx)) {
		x.common()

		return
	}

	x.choose()
	x.report.add(x.account(ctx), x.totalHeader(), x.largestPage(), x.order(), x.offsets(ctx))

	totals := x.totals(ctx)
	x.counts = totals.Verdict == OK

	x.report.add(totals, x.filters(ctx), x.filterOptions(ctx), x.oldest(ctx), x.exportJSON(ctx), x.exportCSV(ctx))
	x.common()
}

// ask asks for a page of a window.
func (x *upcloudExam) ask(
	ctx context.Context, w auditlog.Window, limit int, offset int64, filter url.Values,
) (p page, seen client.Examined, err error) {
	query := url.Values{}
	maps.Copy(query, filter)
	query.Set("limit", strconv.Itoa(limit))
	query.Set("offset", strconv.FormatInt(offset, 10))
	query.Set("created_after", w.Start.Format(time.RFC3339))
	query.Set("created_before", w.End.Format(time.RFC3339))

	seen, err = x.get(ctx, upcloud.ListPath, query, func(body []byte, header func(string) string) (err error) {
		if p.total, err = strconv.ParseInt(header(upcloud.TotalHeader), 10, 64); err != nil || p.total < 0 {
			p.total = -1
		}

		p.rows, err = upcloud.DecodeList(body)

		return err
	})

	return p, seen, err
}

// firstPage asks for the newest or the oldest events, as many as possible.
func (x *upcloudExam) firstPage(ctx context.Context) (seen client.Examined, err error) {
	short := x.span
	short.Start = short.End.Add(-x.info.Retention)

	// Something may be refused: the large page, or to be asked for so long ago.
	for _, try := range []struct {
		span  auditlog.Window
		limit int
	}{{x.span, wideLimit}, {x.span, carefulLimit}, {short, wideLimit}, {short, carefulLimit}} {
		x.span, x.limit = try.span, try.limit

		if x.list, seen, err = x.ask(ctx, x.span, x.limit, 0, nil); kindOf(err) != client.KindRejected {
			break
		}
	}

	return seen, err
}

// choose chooses a part of the span of which the list has every event: what lies between
// the seconds of two of its rows.
func (x *upcloudExam) choose() {
	rows := slices.Clone(x.list.rows)
	slices.SortFunc(rows, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	x.window = x.span

	if n := len(rows); int64(n) < x.list.total && n > 2 {
		last := n - 2
		first := max(last-narrow, 1)
		x.window = auditlog.Window{
			Start: rows[first].Time.Truncate(time.Second), End: rows[last].Time.Add(rounding).Truncate(time.Second),
		}
	}

	for i := range rows {
		if at := rows[i].Time; !at.Before(x.window.Start) && !at.After(x.window.End) {
			x.inside = append(x.inside, rows[i])
		}
	}
}

func (x *upcloudExam) account(ctx context.Context) Check {
	name := ""

	_, err := x.get(ctx, upcloud.AccountPath, nil, func(body []byte, _ func(string) string) (err error) {
		name, err = upcloud.DecodeAccount(body)

		return err
	})

	switch kind := kindOf(err); {
	case err == nil:
		x.report.Account = cmp.Or(x.report.Account, name)

		return Check{Name: "account", Verdict: OK, Value: "named", Finding: "The service says whose account it is."}
	case kind == client.KindForbidden, kind == client.KindCredentials, kind == client.KindNotFound:
		return Check{
			Name: "account", Verdict: Note, Value: "not shown",
			Finding: "The credentials may not see whose account it is, so that a log of another one would not be noticed.",
			Next:    "Say whose log it is by the service's account argument, or use credentials that may see the account.",
		}
	default:
		return x.failed("account", err)
	}
}

func (x *upcloudExam) totalHeader() Check {
	if x.list.total < 0 {
		return Check{
			Name: "total_header", Verdict: Problem, Value: "missing or unreadable",
			Finding: "The list does not say how many events there are, so that every reading is an error.",
			Next:    "Report this: nothing else would prove a reading complete.",
		}
	}

	return Check{
		Name: "total_header", Verdict: OK, Value: "present",
		Finding: fmt.Sprintf("The list says that there are %s.", count(int(x.list.total), "event")),
	}
}

func (x *upcloudExam) largestPage() Check {
	n := len(x.list.rows)
	c := Check{Name: "largest_page", Verdict: OK, Value: strconv.Itoa(n)}

	switch {
	case x.limit < wideLimit:
		c.Verdict, c.Value = Problem, fmt.Sprintf("%d refused", wideLimit)
		c.Finding = fmt.Sprintf("The service refuses a page of %d events, which readings ask for.", wideLimit)
		c.Next = "Report this: every reading is an error."
	case n >= wideLimit:
		c.Finding = fmt.Sprintf("A page has %d events where %d are asked for.", n, wideLimit)
	case x.list.total >= 0 && int64(n) >= x.list.total:
		c.Verdict, c.Value = Unknown, fmt.Sprintf("at least %d", n)
		c.Finding = fmt.Sprintf("The log has too few events to fill a page of %d.", wideLimit)
	default:
		c.Verdict = Note
		c.Finding = fmt.Sprintf("A page has %s where %d are asked for.", count(n, "event"), wideLimit)
		c.Next = "Nothing needs to be done: readings take more requests."
	}

	return c
}

func (x *upcloudExam) order() Check {
	found := orderOf(x.list.rows, 0)
	c := Check{Name: "order", Verdict: OK, Value: string(found)}

	switch found {
	case unclear:
		c.Verdict, c.Finding = Unknown, "The log has too few events to show an order."
	case noOrder:
		c.Verdict, c.Finding = Note, "The events of a page are in no order of time."
		c.Next = "Nothing needs to be done: readings put them in order."
	case newestFirst, oldestFirst:
		c.Finding = fmt.Sprintf("The events come %s.", found)
	}

	return c
}

// offsets finds out what an offset counts. Two questions have to agree: which event is
// behind the first, and where the list goes on at offset 3 in pages of two.
func (x *upcloudExam) offsets(ctx context.Context) Check {
	const name = "offset"

	if len(x.list.rows) < 6 {
		return unknown(name, "too few events", "The log has too few events to show what an offset counts.")
	}

	second, _, err := x.ask(ctx, x.span, 1, 1, nil)
	if err != nil {
		return x.failed(name, err)
	}

	later, _, err := x.ask(ctx, x.span, 2, 3, nil)
	if err != nil {
		return x.failed(name, err)
	}

	begins := func(p page, at int) bool { return len(p.rows) > 0 && p.rows[0].ID == x.list.rows[at].ID }

	switch {
	case begins(second, 1) && begins(later, 3):
		x.offset = offsetRows
	case begins(second, 0) && begins(later, 4):
		x.offset = offsetPages
	case orderOf(x.list.rows, 0) == noOrder:
		return unknown(name, "no order", "The pages do not show what an offset counts, since they are in no order.")
	default:
		return Check{
			Name: name, Verdict: Problem, Value: "neither",
			Finding: "An offset counts neither rows nor pages, or the pages of the same window are not the same each time.",
			Next:    "Run this again; if it stays so, report it: no long window can be read.",
		}
	}

	return Check{
		Name: name, Verdict: OK, Value: string(x.offset), Finding: fmt.Sprintf("An offset counts %s.", x.offset),
	}
}

// totals counts the events of a narrow window, of which all are listed.
func (x *upcloudExam) totals(ctx context.Context) Check {
	const name = "total"

	wrong := func(value, finding string) Check {
		return Check{
			Name: name, Verdict: Problem, Value: value, Finding: finding,
			Next: "Run this again; if it stays so, report it: readings that do not add up are errors.",
		}
	}

	if len(x.list.rows) == 0 || x.list.total < 0 {
		return unknown(name, "not counted", "There is nothing to compare a total with.")
	}

	asked := auditlog.Window{Start: x.window.Start.Add(-rounding), End: x.window.End.Add(rounding)}

	p, _, err := x.ask(ctx, asked, x.limit, 0, nil)
	if err != nil {
		return x.failed(name, err)
	}

	ids := map[string]bool{}

	for i := range p.rows {
		ids[p.rows[i].ID] = true

		if at := p.rows[i].Time; at.Before(asked.Start.Add(-rounding)) || at.After(asked.End.Add(rounding)) {
			return wrong("window ignored", "The service lists events outside of the window that it was asked for.")
		}
	}

	missing := slices.ContainsFunc(x.inside, func(e auditlog.Entry) bool { return !ids[e.ID] })

	switch n := int64(len(p.rows)); {
	case p.total < 0:
		return wrong("missing", "Not every page says how many events there are.")
	case len(ids) < len(p.rows):
		return wrong("repeats", "A page has the same event twice.")
	case n < p.total && len(p.rows) >= min(len(x.list.rows), x.limit):
		return unknown(name, "too many events", "Too many events lie close together to list all of a window on one page.")
	case n < p.total:
		return wrong("too high", "The service counts more events than it lists.")
	case n > p.total:
		return wrong("too low", "The service lists more events than it counts.")
	case missing:
		return wrong("differs", "A page of a short window lacks an event that a page of a long one has.")
	}

	return x.behindTheLast(ctx, asked, p, wrong)
}

// behindTheLast makes sure that nothing follows the last event that is counted.
func (x *upcloudExam) behindTheLast(
	ctx context.Context, w auditlog.Window, p page, wrong func(value, finding string) Check,
) Check {
	c := Check{
		Name: "total", Verdict: OK, Value: "equal",
		Finding: fmt.Sprintf("Of a window of %s, as many are listed as are counted.", count(int(p.total), "event")),
	}

	if x.offset == "" {
		return c
	}

	next := p.total
	if x.offset == offsetPages {
		next = 2
	}

	beyond, _, err := x.ask(ctx, w, x.limit, next, nil)

	switch kind := kindOf(err); {
	case kind == client.KindRejected, kind == client.KindNotFound:
		c.Value = "equal, nothing behind (refused)"
	case err != nil:
		return x.failed("total", err)
	case len(beyond.rows) > 0:
		return wrong("too low", "The service lists more events than it counts.")
	default:
		c.Value = "equal, nothing behind"
	}

	return c
}

// filters finds out whether several values of one filter mean any of them, as readings
// assume.
func (x *upcloudExam) filters(ctx context.Context) Check {
	const name = "repeated_filter"

	occurs := map[string]int{}
	for i := range x.inside {
		occurs[x.inside[i].Action]++
	}

	actions := slices.SortedFunc(maps.Keys(occurs), func(a, b string) int {
		return cmp.Or(occurs[b]-occurs[a], cmp.Compare(a, b))
	})
	switch {
	case len(actions) < 2:
		return unknown(name, "too few actions", "The log has too few actions to try a filter with several values.")
	case !x.counts:
		return unknown(name, "no total", "A filter with several values can be tried only where totals are right.")
	}

	var totals []int64

	for _, wanted := range [][]string{nil, actions[:1], actions[1:2], actions[:2]} {
		p, _, err := x.ask(ctx, x.window, 1, 0, url.Values{"actions": wanted})
		if err != nil {
			return x.failed(name, err)
		}

		totals = append(totals, p.total)
	}

	switch all, one, other, both := totals[0], totals[1], totals[2], totals[3]; {
	case slices.Min(totals) < 0:
		return unknown(name, "no total", "Not every page says how many events there are.")
	case one == all && other == all:
		return Check{
			Name: name, Verdict: Note, Value: "ignored", Finding: "The service ignores the filter for actions.",
			Next: "Nothing needs to be done: readings filter by themselves as well.",
		}
	case both == one+other && one > 0 && other > 0:
		return Check{Name: name, Verdict: OK, Value: "any of them", Finding: "Several values of a filter mean any of them."}
	case both > one+other:
		return Check{
			Name: name, Verdict: Note, Value: "wider", Finding: "Several values of a filter let more through than each does.",
			Next: "Nothing needs to be done: readings filter by themselves as well.",
		}
	default:
		return Check{
			Name: name, Verdict: Problem, Value: "narrower",
			Finding: "Several values of a filter let less through than each by itself, so that readings would lack events.",
			Next:    "Report this, and until it is solved read without actions, operations, origins and resource types.",
		}
	}
}

// filterOptions compares the values that the service lists with those that are documented
// and those that occur.
func (x *upcloudExam) filterOptions(ctx context.Context) Check {
	const name = "filter_options"

	var listed auditlog.FilterOptions

	_, err := x.get(ctx, upcloud.OptionsPath, nil, func(body []byte, _ func(string) string) (err error) {
		listed, err = upcloud.DecodeOptions(body)

		return err
	})
	if err != nil {
		return x.failed(name, err)
	}

	var hidden, strange []string

	for i := range x.list.rows {
		action := x.list.rows[i].Action
		if !slices.Contains(listed.Actions, auditlog.Normal(action)) && !upcloud.KnowsAction(action) {
			hidden = append(hidden, action)
		}
	}

	for _, action := range listed.Actions {
		if !upcloud.KnowsAction(action) {
			strange = append(strange, action)
		}
	}

	slices.Sort(hidden)

	if hidden = slices.Compact(hidden); len(hidden) > 0 {
		return Check{
			Name: name, Verdict: Problem, Value: "lacks " + names(hidden),
			Finding: "The service does not list every action that occurs, so that a query by operation can lack events.",
			Next:    "Report this, and until it is solved query without operations.",
		}
	}

	if len(strange) > 0 {
		return Check{
			Name: name, Verdict: Note, Value: "unknown " + names(strange),
			Finding: "The service lists actions that no table knows: " + names(strange) + ".",
			Next:    "Report them; until then their operation is \"other\".",
		}
	}

	return Check{
		Name: name, Verdict: OK, Value: "known", Finding: "The service lists the values of filters, and every action is known.",
	}
}

// oldest asks for the oldest event.
func (x *upcloudExam) oldest(ctx context.Context) Check {
	const name = "retention"

	rows, total := x.list.rows, x.list.total
	found := orderOf(rows, 0)

	switch {
	case len(rows) == 0:
		return unknown(name, "no events", "The log has no event that could show how far back it goes.")
	case x.counts && int64(len(rows)) >= total, found == oldestFirst:
	case !x.counts, x.offset == "", found != newestFirst:
		return unknown(name, "unclear", "How far back the log goes cannot be told where totals, the order or offsets are unclear.")
	default:
		last := total - 1
		if x.offset == offsetPages {
			last = total
		}

		p, _, err := x.ask(ctx, x.span, 1, last, nil)
		if err != nil {
			return x.failed(name, err)
		}

		if rows = p.rows; len(rows) == 0 {
			return unknown(name, "unclear", "The last page that should be there is empty.")
		}
	}

	first := slices.MinFunc(rows, func(a, b auditlog.Entry) int { return a.Time.Compare(b.Time) })
	c := x.retention(first.Time)

	if x.span.Start.After(x.o.Clock().Add(-farBack)) {
		c.Value += ", older refused"
	}

	return c
}
