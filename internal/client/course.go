// SPDX-License-Identifier: MPL-2.0

package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/retries"
)

// course is how the attempts of one request went so far, for whoever has to say why
// it came to nothing.
type course struct {
	slot *slot
	// span is that of the last attempt.
	span span
	// attempts counts those that were begun.
	attempts int
	// last is what the last attempt ended with, at failed; nil where none has ended,
	// or where the end of the whole operation ended it.
	last   *Error
	failed time.Time
}

type courseKey struct{}

func withCourse(ctx context.Context, c *course) context.Context {
	return context.WithValue(ctx, courseKey{}, c)
}

func courseOf(ctx context.Context) *course {
	if c, ok := ctx.Value(courseKey{}).(*course); ok {
		return c
	}

	return &course{}
}

// failure is what the last attempt ended with. It is noted unless the operation as a
// whole has ended.
func (c *course) failure() error {
	if c.last == nil {
		return context.Canceled
	}

	return c.last
}

// noteFailure takes note of what an attempt ended with, unless the operation as a
// whole has ended: that says nothing of the service. What a service says of a request
// that it did not answer is read here, and nowhere else.
func (c *Client) noteFailure(ctx context.Context, resp *http.Response, err error) {
	if ctx.Err() != nil {
		return
	}

	typed := (*Error)(nil)

	switch {
	case errors.As(err, &typed):
	case err != nil:
		typed = transportError(err)
	case resp.StatusCode != http.StatusOK:
		courseOf(ctx).slot.heed(resp.StatusCode)

		typed = c.statusError(resp)
		resp.Body = http.NoBody
	default:
		return
	}

	done := courseOf(ctx)
	done.last, done.failed = typed, c.o.Clock()
}

// noteWait takes note of a wait between two attempts that is over.
func noteWait(ctx context.Context, now time.Time) {
	c := courseOf(ctx)
	if c.last != nil {
		retries.Waited(ctx, max(now.Sub(c.failed), 0), c.last.reason())
	}
}

// reason is what ended an attempt, in few words.
func (e *Error) reason() string {
	switch {
	case e.Status != 0 && e.Status != http.StatusOK:
		return strings.TrimSpace(strconv.Itoa(e.Status) + " " + http.StatusText(e.Status))
	case e.Err != nil:
		return e.Err.Error()
	default:
		return string(e.Kind)
	}
}
