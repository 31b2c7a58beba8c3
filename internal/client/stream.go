// SPDX-License-Identifier: MPL-2.0

package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/klauspost/readahead"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Stream requests like Get, and has read look at the body while it comes. The body may
// have any size, and take any time as long as it never brings nothing for
// RequestTimeout. Whoever reads it bounds what is kept of it.
//
// A request is tried again only before read was called, which happens once at most,
// with the clock that the answer shows, or nil. What read returns counts as the error of
// a Decode does; read may return nil before the body has ended, and the rest is not
// fetched. Whatever fails is an *Error, also what the body returns.
func (c *Client) Stream(
	ctx context.Context, ref string, query url.Values, read func(body io.Reader, clock *auditlog.ServiceClock) error,
) error {
	u, err := c.resolve(ref, query)
	if err != nil {
		return err
	}

	var (
		done  course
		clock *auditlog.ServiceClock
		body  *bufio.Reader
	)

	req, release, err := c.begin(ctx, u, &done)
	if err != nil {
		return err
	}
	defer release()

	req.SetResponseHandler(func(resp *http.Response) (err error) {
		body = bufio.NewReaderSize(resp.Body, streamBuffer)
		clock, err = c.handleHead(resp, &done, body)

		return err
	})

	resp, err := c.stream.Do(req)
	if err != nil {
		return c.asError(req.Request, err, &done)
	}

	// Decompressing goes on while read looks at what has come.
	ahead, err := readahead.NewReaderSize(body, streamBuffers, streamBuffer)
	if err != nil {
		return c.asError(req.Request, err, &done)
	}

	defer func() {
		_ = resp.Body.Close() // It ends what is being read ahead, which Close waits for.
		_ = ahead.Close()
	}()

	done.slot.heed(resp.StatusCode)

	if err := read(streamBody{ahead}, clock); err != nil {
		return c.asError(req.Request, c.located(resp, decodeError(err)), &done)
	}

	return nil
}

const (
	// streamBuffers of streamBuffer bytes are read ahead.
	streamBuffers = 4
	streamBuffer  = 64 << 10
	// mostLeadingSpace is how much white space may precede a body.
	mostLeadingSpace = 4 << 10
)

// handleHead is handle for an answer of which only the head and the first bytes have
// come. The body begins with its first byte that is no white space.
func (c *Client) handleHead(resp *http.Response, done *course, body *bufio.Reader) (*auditlog.ServiceClock, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, done.failure()
	}

	for range mostLeadingSpace {
		first, err := body.ReadByte()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, c.located(resp, bodyError(err))
		}

		if err != nil {
			break
		}

		if first != ' ' && first != '\t' && first != '\r' && first != '\n' {
			_ = body.UnreadByte() // It is the last one that was read.

			break
		}
	}

	begins, _ := body.Peek(body.Buffered()) // These bytes are there.
	if err := checkJSON(begins, resp.Header); err != nil {
		return nil, c.located(resp, err)
	}

	return c.clockOf(resp, done)
}

// streamBody is a body whose errors are an *Error.
type streamBody struct{ body io.Reader }

func (b streamBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, bodyError(err)
	}

	return n, err //nolint:wrapcheck // A reader's end is io.EOF itself.
}

// quietTransport breaks an attempt off that has brought nothing for as long as the
// limit. The time that nobody waits for the body does not count.
type quietTransport struct {
	next  http.RoundTripper
	limit time.Duration
}

func (t *quietTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(t.limit, func() { cancel(context.DeadlineExceeded) })

	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	timer.Stop()

	if err != nil {
		err = silence(ctx, req.Context(), err)
		cancel(nil)

		return nil, err
	}

	resp.Body = &quietBody{body: resp.Body, ctx: ctx, outer: req.Context(), cancel: cancel, timer: timer, limit: t.limit}

	return resp, nil
}

// silence makes an error that the end of the limit caused one of time.
func silence(ctx, outer context.Context, err error) error {
	if outer.Err() == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}

	return err
}

type quietBody struct {
	body io.ReadCloser
	//nolint:containedctx // It is the context of the attempt, which ends with the body.
	ctx, outer context.Context
	cancel     context.CancelCauseFunc
	timer      *time.Timer
	limit      time.Duration
}

func (b *quietBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.limit)
	n, err := b.body.Read(p)
	b.timer.Stop()

	if err != nil && !errors.Is(err, io.EOF) {
		err = silence(b.ctx, b.outer, err)
	}

	return n, err
}

func (b *quietBody) Close() error {
	b.cancel(nil) // It ends a reading that is under way.

	err := b.body.Close()

	return err //nolint:wrapcheck // It is passed on.
}
