// SPDX-License-Identifier: MPL-2.0

package client

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type onceKey struct{}

// Once returns a context in which a request is made one time only, whatever fails.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// checkRetry decides after each attempt, and once more after its body was read.
// Every request is a GET, so asking again changes nothing on the other side.
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}

	if ctx.Value(onceKey{}) != nil {
		return false, nil
	}

	if err == nil {
		return retryableStatus(resp.StatusCode), nil
	}

	typed := (*Error)(nil)
	if !errors.As(err, &typed) {
		typed = transportError(err)
	}

	return slices.Contains([]Kind{KindUnreachable, KindTimeout, KindBrokenBody}, typed.Kind), nil
}

func retryableStatus(status int) bool {
	return slices.Contains([]int{
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, status)
}

// backoff returns how long to wait after attempt (0 for the first). The wait
// doubles from base up to limit, and its upper half is spread by jitter, a number
// in [0, 1), so that clients that failed together do not come back together. A
// Retry-After header is obeyed as far as limit.
func backoff(base, limit time.Duration, attempt int, resp *http.Response, now time.Time, jitter float64) time.Duration {
	if resp != nil {
		if wait, ok := retryAfter(resp.Header.Get("Retry-After"), now); ok {
			return min(wait, limit)
		}
	}

	wait := limit
	if grown := float64(base) * math.Pow(2, float64(attempt)); grown < float64(limit) {
		wait = time.Duration(grown)
	}

	return wait/2 + time.Duration(jitter*float64(wait/2))
}

// retryAfter reads both forms of the header: seconds, a fraction of them
// included, and an HTTP date, which may have gone by.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, false
	}

	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || seconds < 0 {
			return 0, false
		}

		if seconds > math.MaxInt32 {
			seconds = math.MaxInt32
		}

		return time.Duration(seconds * float64(time.Second)), true
	}

	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}

	return max(at.Sub(now), 0), true
}
