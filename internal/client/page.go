// SPDX-License-Identifier: MPL-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Page is one page of a walk.
type Page[T any] struct {
	// Number counts the pages of the walk from 1.
	Number int
	Rows   []T
	// Total is how many rows the service says there are in all; offset paging only.
	Total int64
	// Next leads to the following page, "" on the last one. PollMore later leads
	// to what was added since. Cursor paging only.
	Next     string
	PollMore string
	// Clock is the service's when it made the page; nil where it does not tell.
	Clock *auditlog.ServiceClock
}

// OffsetReading is what a service takes an offset to be.
type OffsetReading int

const (
	// OffsetRows means that an offset counts the rows to skip.
	OffsetRows OffsetReading = iota
	// OffsetPages means that an offset is the number of a page, the first being 1.
	OffsetPages
)

// OffsetWalk asks for page after page by limit and offset.
type OffsetWalk[T any] struct {
	Path  string
	Query url.Values
	// Limit is the page size asked for. The page that comes back may be smaller,
	// and the walk goes on from where it ended.
	Limit   int
	Reading OffsetReading
	// TotalHeader names the header that says how many rows there are in all. An
	// answer without it is an error, since nothing would prove the walk complete.
	TotalHeader string
	// Sizes are those that the service is known to cut pages at, besides Limit.
	Sizes  []int
	Decode func(body []byte) ([]T, error)
	// Ask, where set, is asked for pages instead of Page: it may have some already.
	Ask func(ctx context.Context, number int, offset int64) (Page[T], error)
}

// Pages yields pages until as many rows have come as the service says there
// are, or a page is empty. Where the last of these rows ends a page that may have
// been cut, one more page is asked for, since a total that is too low looks the
// same. Whether they are the right rows is for the caller to
// prove: a log that moves between two requests repeats rows and hides others.
func (w OffsetWalk[T]) Pages(ctx context.Context, c *Client) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		var (
			seen    int64
			largest int
			beyond  bool
		)

		for number := 1; ; number++ {
			page, err := w.ask(ctx, c, number, w.Offset(number, seen))
			if beyond && isNoPage(err) {
				return
			}

			if err != nil {
				yield(Page[T]{}, inPage(err, number))

				return
			}

			size := len(page.Rows)
			seen += int64(size)

			if !yield(page, nil) || size == 0 || seen > page.Total {
				return
			}

			if beyond = seen == page.Total; beyond && !w.cut(number, size, largest) {
				return
			}

			largest = max(largest, size)
		}
	}
}

// cut says that a page may have been cut, given the size of the largest one before. A
// smaller page than one before is the last.
func (w OffsetWalk[T]) cut(number, size, largest int) bool {
	return number > 1 && size >= largest || size >= w.Limit || slices.Contains(w.Sizes, size)
}

// Expected returns how many pages there will be where all are as the first one says.
func (w OffsetWalk[T]) Expected(first Page[T]) int {
	size := len(first.Rows)
	if size == 0 || int64(size) > first.Total {
		return 1
	}

	pages := int((first.Total + int64(size) - 1) / int64(size))
	if last := int(first.Total - int64(pages-1)*int64(size)); w.cut(pages, last, size) {
		pages++
	}

	return pages
}

// Offset returns the offset of a page, given its number from 1 and how many rows come
// before it.
func (w OffsetWalk[T]) Offset(number int, seen int64) int64 {
	if w.Reading == OffsetPages {
		return int64(number)
	}

	return seen
}

// isNoPage says that the service refuses a page that would lie behind the last.
func isNoPage(err error) bool {
	e := (*Error)(nil)

	return errors.As(err, &e) && (e.Kind == KindRejected || e.Kind == KindNotFound)
}

func (w OffsetWalk[T]) ask(ctx context.Context, c *Client, number int, offset int64) (Page[T], error) {
	if w.Ask != nil {
		return w.Ask(ctx, number, offset)
	}

	return w.Page(ctx, c, number, offset)
}

// Page asks the service for one page. It is safe for use by several goroutines where
// Decode is.
func (w OffsetWalk[T]) Page(ctx context.Context, c *Client, number int, offset int64) (Page[T], error) {
	page := Page[T]{Number: number}

	query := url.Values{}
	maps.Copy(query, w.Query)
	query.Set("limit", strconv.Itoa(w.Limit))
	query.Set("offset", strconv.FormatInt(offset, 10))

	at, err := c.resolve(w.Path, query)
	if err != nil {
		return page, err
	}

	page.Clock, err = c.get(ctx, at, func(body []byte, header func(string) string) error {
		var err error
		if page.Rows, err = w.Decode(body); err != nil {
			return err
		}

		page.Total, err = strconv.ParseInt(header(w.TotalHeader), 10, 64)
		if err != nil || page.Total < 0 {
			return fmt.Errorf("the answer has no usable %s header, so nothing would prove it complete", w.TotalHeader)
		}

		return nil
	})

	return page, err
}

// The limits of a walk along links. A service that never ends one would otherwise
// be followed until the time runs out, and fill memory or a disk meanwhile.
const (
	// maxPages is four million records of cloudscale, forty thousand a day for as long
	// as it keeps them.
	maxPages = 20_000
	// maxEmptyPages may follow each other: no service is known to have one in the
	// middle.
	maxEmptyPages = 100
	// maxLink is how many bytes a link may have, the most that servers accept.
	maxLink = 8 << 10
)

// CursorWalk follows the links that a service gives from page to page.
type CursorWalk[T any] struct {
	// First is the path of the first page, or an absolute URL to go on from.
	First string
	// Query belongs to the first page only.
	Query url.Values
	// From is a link that the service gave in an answer from First. The walk goes on
	// from there where it is set.
	From   string
	Decode func(body []byte) (rows []T, next, pollMore string, err error)
}

// Pages yields pages until one has no next. A link that was followed before
// means that the service served an old page again: the page is asked for once
// more, and if it still leads back the walk ends in an error, never in a loop.
// Links are resolved against the URL of the page that had them.
func (w CursorWalk[T]) Pages(ctx context.Context, c *Client) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		at, err := w.start(c)

		// Hashes, so that a long link costs no more memory than a short one.
		seed := maphash.MakeSeed()
		followed := map[uint64]bool{}
		leadsBack := func(next *url.URL) bool {
			return next != nil && followed[maphash.String(seed, next.String())]
		}

		for number, empty := 1, 0; ; number++ {
			var (
				page Page[T]
				next *url.URL
			)

			if err == nil {
				followed[maphash.String(seed, at.String())] = true
				page, next, err = w.page(ctx, c, at, number)
			}

			if err == nil && leadsBack(next) {
				page, next, err = w.page(ctx, c, at, number)
			}

			if empty++; len(page.Rows) > 0 {
				empty = 0
			}

			switch {
			case err != nil:
			case leadsBack(next):
				err = &Error{
					Kind: KindLoop, Method: Method, Path: clean(next.Path),
					Err: errors.New("the next page is one that was read before"),
				}
			case next != nil && number == maxPages:
				err = endless(at, "%d pages lead to yet another one", maxPages)
			case next != nil && empty == maxEmptyPages:
				err = endless(at, "%d empty pages in a row lead to yet another one", maxEmptyPages)
			}

			if err != nil {
				yield(Page[T]{}, inPage(err, number))

				return
			}

			if !yield(page, nil) || next == nil {
				return
			}

			at, err = next, c.checkOrigin(next)
		}
	}
}

// start returns the URL of the first page.
func (w CursorWalk[T]) start(c *Client) (*url.URL, error) {
	at, err := c.resolve(w.First, w.Query)
	if err != nil || w.From == "" {
		return at, err
	}

	if at, err = link(at, w.From); err != nil {
		return nil, err
	}

	return at, c.checkOrigin(at)
}

func (w CursorWalk[T]) page(
	ctx context.Context, c *Client, at *url.URL, number int,
) (page Page[T], next *url.URL, err error) {
	page.Number = number

	page.Clock, err = c.get(ctx, at, func(body []byte, _ func(string) string) error {
		var err error
		if page.Rows, page.Next, page.PollMore, err = w.Decode(body); err != nil {
			return err
		}

		if longest := max(len(page.Next), len(page.PollMore)); longest > maxLink {
			return endless(at, "a link has %d bytes, and %d is the most that is followed", longest, maxLink)
		}

		pollMore, same := page.PollMore, page.PollMore == page.Next

		if next, page.Next, err = absolute(at, page.Next); err != nil {
			return err
		}

		// To look for secrets in a link costs as much as to read some records.
		if page.PollMore = page.Next; !same {
			_, page.PollMore, err = absolute(at, pollMore)
		}

		return err
	})

	return page, next, err
}

// absolute resolves a link, "" standing for none.
func absolute(base *url.URL, ref string) (*url.URL, string, error) {
	if ref == "" {
		return nil, "", nil
	}

	u, err := link(base, ref)
	if err != nil {
		return nil, "", err
	}

	text := u.String()

	return u, text, nil
}

// endless says which limit an answer went beyond.
func endless(at *url.URL, format string, args ...any) *Error {
	return &Error{Kind: KindEndless, Method: Method, Path: clean(at.Path), Err: fmt.Errorf(format, args...)}
}

func inPage(err error, number int) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		e.Page = number
	}

	return err
}
