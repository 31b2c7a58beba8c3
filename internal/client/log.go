// SPDX-License-Identifier: MPL-2.0

package client

import (
	"context"
	"net/http"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Log is told about something, with fields that say more of it.
type Log func(ctx context.Context, message string, fields map[string]any)

// logTransport logs each attempt: method, path, status and milliseconds, and takes
// its times. Queries are left out since filters can name people.
type logTransport struct {
	next  http.RoundTripper
	clock auditlog.Clock
	log   Log
}

func (t *logTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	done := courseOf(req.Context())
	done.attempts++

	begun := t.clock()
	resp, err := t.next.RoundTrip(req)
	ended := t.clock()

	done.span = span{sent: begun, received: ended}

	fields := map[string]any{
		"method":       req.Method,
		"path":         clean(req.URL.Path),
		"milliseconds": ended.Sub(begun).Milliseconds(),
	}

	if err != nil {
		fields["failure"] = string(transportError(err).Kind)
		t.log(req.Context(), "Audit log request failed", fields)

		return nil, err //nolint:wrapcheck // A RoundTripper passes on what it got.
	}

	fields["status"] = resp.StatusCode
	t.log(req.Context(), "Audit log request", fields)

	return resp, nil
}
