// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// HeadersEnvs are the variables that headers of OTLP come from. The first that is set counts.
var HeadersEnvs = []string{"OTEL_EXPORTER_OTLP_LOGS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}

// HeadersForm is what their values look like.
const HeadersForm = `headers such as "Authorization=Bearer%20TOKEN", separated by commas, ` +
	`where "%20" stands for a space, "%2C" for a comma and "%25" for "%"`

// HeadersError says what is wrong with headers. Its text completes the sentence "it is …" and repeats nothing of a
// value.
type HeadersError struct{ Problem string }

func (e *HeadersError) Error() string { return e.Problem }

var (
	headerName    = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	headerControl = regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`)
)

// ParseHeaders reads headers as OpenTelemetry writes them into a variable: NAME=VALUE, separated by commas, each value
// escaped as in a URL. The values are never shown from then on, also where one of them cannot be used: the exporter's
// own reading leaves such headers out, goes on without them, and shows them. The errors are *HeadersError.
func ParseHeaders(text string) (map[string]string, error) {
	parts := strings.Split(text, ",")

	for _, part := range parts {
		hideHeader(part)
	}

	headers := make(map[string]string, len(parts))

	for i, part := range parts {
		name, escaped, found := strings.Cut(part, "=")
		name = strings.TrimSpace(name)

		value, err := url.PathUnescape(escaped)
		value = strings.TrimSpace(value)

		var problem string

		switch {
		case !found:
			problem = "no header, since it has no \"=\""
		case !headerName.MatchString(name):
			problem = "a header whose name is none"
		case err != nil:
			problem = "a header whose value has a \"%\" without two digits of hexadecimal behind it"
		case headerControl.MatchString(value):
			problem = "a header whose value has a line break or another control character"
		case headers[strings.ToLower(name)] != "":
			problem = "a header that was given before"
		default:
			headers[strings.ToLower(name)] = value

			continue
		}

		return nil, &HeadersError{fmt.Sprintf("wrong at part %d of %d: it is %s", i+1, len(parts), problem)}
	}

	return headers, nil
}

// hideHeader has the value of a header never shown: as it is written, as it is sent, and without a scheme such as
// Bearer. Without a name, all of it could be the value.
func hideHeader(part string) {
	_, escaped, found := strings.Cut(part, "=")
	if !found {
		escaped = part
	}

	value, err := url.PathUnescape(escaped)
	if err != nil {
		value = escaped
	}

	value = strings.TrimSpace(value)
	screen.Secret(strings.TrimSpace(escaped), value)

	if words := strings.Fields(value); len(words) > 1 {
		screen.Secret(words[len(words)-1])
	}
}
