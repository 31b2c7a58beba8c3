// SPDX-License-Identifier: MPL-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
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

func (r OffsetReading) String() string {
	return map[OffsetReading]string{OffsetRows: "rows", OffsetPages: "pages"}[r]
}

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
	Decode      func(body []byte) ([]T, error)
}

// Pages yields pages until as many rows have come as the service says there
// are, or a page is empty. Whether they are the right rows is for the caller to
// prove: a log that moves between two requests repeats rows and hides others.
func (w OffsetWalk[T]) Pages(ctx context.Context, c *Client) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		var seen int64

		for number := 1; ; number++ {
			page, err := w.page(ctx, c, number, seen)
			if err != nil {
				yield(Page[T]{}, inPage(err, number))

				return
			}

			seen += int64(len(page.Rows))

			if !yield(page, nil) || len(page.Rows) == 0 || seen >= page.Total {
				return
			}
		}
	}
}

func (w OffsetWalk[T]) page(ctx context.Context, c *Client, number int, seen int64) (Page[T], error) {
	page := Page[T]{Number: number}

	offset := seen
	if w.Reading == OffsetPages {
		offset = int64(number)
	}

	query := url.Values{}
	maps.Copy(query, w.Query)
	query.Set("limit", strconv.Itoa(w.Limit))
	query.Set("offset", strconv.FormatInt(offset, 10))

	clock, err := c.get(ctx, w.Path, query, func(body []byte, header func(string) string) error {
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
	page.Clock = clock

	return page, err
}

// CursorWalk follows the links that a service gives from page to page.
type CursorWalk[T any] struct {
	// First is the path of the first page, or the absolute URL to go on from.
	First string
	// Query belongs to the first page only.
	Query  url.Values
	Decode func(body []byte) (rows []T, next, pollMore string, err error)
}

// Pages yields pages until one has no next. A link that was followed before
// means that the service served an old page again: the page is asked for once
// more, and if it still leads back the walk ends in an error, never in a loop.
func (w CursorWalk[T]) Pages(ctx context.Context, c *Client) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		ref, query := w.First, w.Query
		followed := map[string]bool{ref: len(query) == 0}

		for number := 1; ; number++ {
			page, err := w.page(ctx, c, ref, query, number)
			if err == nil && page.Next != "" && followed[page.Next] {
				page, err = w.page(ctx, c, ref, query, number)
			}

			if err == nil && page.Next != "" && followed[page.Next] {
				err = &Error{Kind: KindLoop, Method: Method, Path: pathOf(page.Next), Err: errors.New("the next page is one that was read before")}
			}

			if err != nil {
				yield(Page[T]{}, inPage(err, number))

				return
			}

			if !yield(page, nil) || page.Next == "" {
				return
			}

			followed[page.Next] = true
			ref, query = page.Next, nil
		}
	}
}

func (w CursorWalk[T]) page(ctx context.Context, c *Client, ref string, query url.Values, number int) (Page[T], error) {
	page := Page[T]{Number: number}
	clock, err := c.get(ctx, ref, query, func(body []byte, _ func(string) string) error {
		var err error
		page.Rows, page.Next, page.PollMore, err = w.Decode(body)

		return err
	})
	page.Clock = clock

	return page, err
}

func inPage(err error, number int) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		e.Page = number
	}

	return err
}

func pathOf(ref string) string {
	u, err := url.Parse(ref)
	if err != nil {
		return ""
	}

	return u.Path
}
