// SPDX-License-Identifier: MPL-2.0

package client

import (
	"net/http"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// logTransport logs each attempt: method, path, status and milliseconds, and takes
// its times. Queries are left out since filters can name people.
type logTransport struct {
	next  http.RoundTripper
	clock auditlog.Clock
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
		tflog.Debug(req.Context(), "Audit log request failed", fields)

		return nil, err //nolint:wrapcheck // A RoundTripper passes on what it got.
	}

	fields["status"] = resp.StatusCode
	tflog.Debug(req.Context(), "Audit log request", fields)

	return resp, nil
}
