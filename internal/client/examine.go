// SPDX-License-Identifier: MPL-2.0

package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Examined is what one request showed of a service, besides what was read. Where the
// request failed, it holds as much as had come.
type Examined struct {
	// Status is that of the answer; zero where none came.
	Status int
	// Headers are the names of the answer's headers, sorted, as Go spells them.
	Headers []string
	// ContentType is the value of the header of that name.
	ContentType string
	// TLS is the version of the encrypted connection, such as "TLS 1.3"; "" without one.
	TLS string
	// RoundTrip is the time between sending the request and the head of the answer.
	RoundTrip time.Duration
	// Clock is the service's; nil where the answer does not tell, or where Off says
	// what is wrong with it.
	Clock *auditlog.ServiceClock
	// Off is a *ClockError, or says that the Date cannot be read.
	Off error

	at *url.URL
}

// Examine is Get for whoever examines a service instead of reading its log. The request
// is made one time, and an answer whose clock is off is read all the same.
func (c *Client) Examine(ctx context.Context, ref string, query url.Values, decode Decode) (Examined, error) {
	u, err := c.resolve(ref, query)
	if err != nil {
		return Examined{}, err
	}

	return c.examine(ctx, u, decode, MaxBody, false)
}

// ExamineLink is Examine of a link that an earlier answer gave.
func (c *Client) ExamineLink(ctx context.Context, from Examined, ref string, decode Decode) (Examined, error) {
	u, err := link(from.at, ref)
	if err != nil {
		return Examined{}, err
	}

	if err := c.checkOrigin(u); err != nil {
		return Examined{}, err
	}

	return c.examine(ctx, u, decode, MaxBody, false)
}

// ExamineStart is Examine of no more than the first bytes of an answer of any length.
func (c *Client) ExamineStart(
	ctx context.Context, ref string, query url.Values, most int, decode Decode,
) (Examined, error) {
	u, err := c.resolve(ref, query)
	if err != nil {
		return Examined{}, err
	}

	return c.examine(ctx, u, decode, most, true)
}

func (c *Client) examine(ctx context.Context, u *url.URL, decode Decode, most int, start bool) (Examined, error) {
	var done course

	seen := Examined{at: u}

	req, release, err := c.begin(Once(ctx), u, &done)
	if err != nil {
		return seen, err
	}
	defer release()

	req.SetResponseHandler(func(resp *http.Response) error {
		c.see(&seen, resp, &done)

		if resp.StatusCode != http.StatusOK {
			return done.failure()
		}

		var (
			body []byte
			err  error
		)

		if start {
			body, err = c.readStart(resp, most)
		} else {
			body, err = c.readBody(resp)
		}

		if err != nil {
			return err
		}

		if err := checkJSON(body, resp.Header); err != nil {
			return c.located(resp, err)
		}

		if err := decode(body, resp.Header.Get); err != nil {
			return c.located(resp, decodeError(err))
		}

		return nil
	})

	resp, err := c.http.Do(req)
	if err != nil {
		return seen, c.asError(req.Request, err, &done)
	}

	// The handler has read as much of the body as it wants.
	_ = resp.Body.Close()

	return seen, nil
}

// see takes note of the head of an answer.
func (c *Client) see(seen *Examined, resp *http.Response, done *course) {
	seen.Status = resp.StatusCode
	seen.Headers = slices.Sorted(maps.Keys(resp.Header))
	seen.ContentType = resp.Header.Get("Content-Type")
	seen.RoundTrip = done.span.received.Sub(done.span.sent)
	seen.Clock, seen.Off = readClock(resp.Header, done.span, c.o.MaxClockSkew)

	if resp.TLS != nil {
		seen.TLS = tls.VersionName(resp.TLS.Version)
	}
}

// readStart returns the first bytes of a body, or all of a shorter one.
func (c *Client) readStart(resp *http.Response, most int) ([]byte, error) {
	var body bytes.Buffer

	if _, err := body.ReadFrom(io.LimitReader(resp.Body, int64(most))); err != nil {
		return nil, c.located(resp, bodyError(err))
	}

	return body.Bytes(), nil
}
