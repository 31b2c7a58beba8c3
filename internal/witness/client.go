// SPDX-License-Identifier: MPL-2.0

package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/retries"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// Client sends requests to witnesses and authorities.
type Client struct {
	// Transport sends requests, the standard one when nil.
	Transport http.RoundTripper
	// Timeout bounds one attempt; 30 s when zero.
	Timeout time.Duration
	// Retries is how often a request is repeated that was not answered, or with a status
	// from 500 on or 429: twice when zero, never when negative.
	Retries int
	// Wait is how long the first wait before that is, 1 s when zero. Later ones double.
	Wait time.Duration
}

// maxAnswer bounds answers: a cosignature has some hundred bytes, a time stamp with its
// certificates some thousand.
const maxAnswer = 1 << 20

func (c *Client) withDefaults() Client {
	const (
		timeout = 30 * time.Second
		retries = 2
	)

	d := *c
	if d.Timeout == 0 {
		d.Timeout = timeout
	}

	if d.Retries == 0 {
		d.Retries = retries
	}

	if d.Wait == 0 {
		d.Wait = time.Second
	}

	return d
}

// post returns the status and the body of an answer, whatever the status.
func (c *Client) post(
	ctx context.Context, address, contentType string, body []byte,
) (status int, answer []byte, err error) {
	d := c.withDefaults()

	for attempt := 0; ; attempt++ {
		status, answer, err = d.once(ctx, address, contentType, body)

		again := err != nil || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
		if !again || attempt >= d.Retries || ctx.Err() != nil {
			return status, answer, err
		}

		wait := d.Wait << attempt
		timer := time.NewTimer(wait)

		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
			retries.Waited(ctx, wait, "no answer of a witness or a time stamp authority")
		}
	}
}

func (c *Client) once(
	ctx context.Context, address, contentType string, body []byte,
) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %s", ErrAnswer, screen.Text(err.Error()))
	}

	req.Header.Set("Content-Type", contentType)

	// What is sent is for this address alone.
	client := &http.Client{
		Transport: c.Transport, Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, withoutAddress(err)
	}
	defer resp.Body.Close()

	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1)) //nolint:forbidigo // It is bounded.
	if err != nil {
		return 0, nil, withoutAddress(err)
	}

	if len(answer) > maxAnswer {
		return 0, nil, fmt.Errorf("%w: it is too large", ErrAnswer)
	}

	return resp.StatusCode, answer, nil
}

// withoutAddress leaves out the address, which can hold a token.
func withoutAddress(err error) error {
	if at := (*url.Error)(nil); errors.As(err, &at) {
		return at.Err
	}

	return err
}

// CheckURL says what is wrong with the address of a witness or an authority, nil where
// nothing is.
func CheckURL(text string) error {
	u, err := url.Parse(text)

	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http", u.Opaque != "":
		return errors.New("no address such as https://example.com/path")
	case u.User != nil, u.RawQuery != "", u.Fragment != "", strings.ContainsAny(text, "?#"):
		return errors.New("an address with a user, a query or a fragment")
	default:
		return nil
	}
}
