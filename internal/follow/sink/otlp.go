// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

const (
	// otlpPath is where a collector takes logs when the target names no path.
	otlpPath = "/v1/logs"
	// otlpPatience bounds one request.
	otlpPatience = 30 * time.Second
	// maxMessage bounds what is shown of what a collector complains about, in characters.
	maxMessage = 500
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 1 << 20
)

// OTLPOptions say how records are sent.
type OTLPOptions struct {
	Target Target
	// Authorities are the certificates in PEM of those who may vouch for the collector, nil for the system's.
	Authorities []byte
	// Headers go with every request, such as credentials; see ParseHeaders. The exporter reads none itself.
	Headers  map[string]string
	Encoding Encoding
	Version  string
	Clock    auditlog.Clock
	// Warned is told what a collector complains about that it has taken all the same, until it complains about something
	// else. Nil tells nobody.
	Warned func(message string)
}

// OTLPSink sends log records to an OpenTelemetry collector by OTLP over HTTP. The body of a record is the entry's line;
// its attributes are the entry's texts, such as auditlog.action, and log.record.uid, the entry's id.
//
// The exporter is OpenTelemetry's own. Whether the collector has taken a batch is decided here: the exporter takes any
// answer of status 200 for success that is not in the type it expects.
type OTLPSink struct {
	o        OTLPOptions
	lines    *lines
	exporter *otlploghttp.Exporter
	logger   log.Logger
	made     made
	answers  *answers
}

// NewOTLP returns the sink. It makes no connection.
func NewOTLP(ctx context.Context, o OTLPOptions) (*OTLPSink, error) {
	l, err := newLines(o.Encoding)
	if err != nil {
		return nil, err
	}

	s := &OTLPSink{o: o, lines: l}

	dialer := &net.Dialer{Timeout: otlpPatience}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: otlpPatience, IdleConnTimeout: time.Minute,
	}

	scheme := "http"
	if o.Target.TLS {
		scheme = "https"

		if transport.TLSClientConfig, err = trusted(o.Target.Host, o.Authorities); err != nil {
			return nil, err
		}
	}

	path := o.Target.Path
	if !strings.HasSuffix(path, otlpPath) {
		path += otlpPath
	}

	s.answers = &answers{transport: transport, o: o}

	s.exporter, err = otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(scheme+"://"+o.Target.Address()+path),
		otlploghttp.WithHeaders(maps.Clone(o.Headers)),
		otlploghttp.WithCompression(otlploghttp.GzipCompression),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{}),
		otlploghttp.WithHTTPClient(&http.Client{
			Transport: s.answers, Timeout: otlpPatience,
			// A page to log in answers 200.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("make the exporter: %w", err)
	}

	// Nothing is cut, whatever the environment says.
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(&s.made), sdklog.WithAttributeCountLimit(-1),
		sdklog.WithAttributeValueLengthLimit(-1), sdklog.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "auditlog"), attribute.String("service.version", o.Version))))
	s.logger = provider.Logger("github.com/auditlogs/terraform-provider-audit", log.WithInstrumentationVersion(o.Version))

	return s, nil
}

// Take implements Sink.
func (s *OTLPSink) Take(ctx context.Context, entries []auditlog.Entry) error {
	s.made.records = s.made.records[:0]

	for i := range entries {
		record, err := s.record(&entries[i])
		if err != nil {
			return &Error{Place: s.o.Target.String(), Err: err}
		}

		s.logger.Emit(ctx, record)
	}

	if len(s.made.records) != len(entries) {
		return &Error{Place: s.o.Target.String(), Err: errors.New("not every entry became a record")}
	}

	s.answers.failed, s.answers.taken = nil, false
	err := s.exporter.Export(ctx, s.made.records)

	switch {
	case s.answers.failed != nil:
		return s.answers.failed
	case err != nil:
		return &Error{Place: s.o.Target.String(), Temporary: ctx.Err() != nil, Err: err}
	case !s.answers.taken:
		return &Error{Place: s.o.Target.String(), Err: errors.New("the exporter has sent nothing")}
	default:
		return nil
	}
}

func (s *OTLPSink) record(e *auditlog.Entry) (log.Record, error) {
	var r log.Record

	line, err := s.lines.of(e)
	if err != nil {
		return r, err
	}

	r.SetTimestamp(e.Time)
	r.SetObservedTimestamp(s.o.Clock())
	r.SetSeverity(log.SeverityInfo)
	r.SetBody(attribute.StringValue(strings.TrimSuffix(string(line), "\n")))
	r.AddAttributes(attribute.String("log.record.uid", e.ID))

	for _, f := range auditlog.Fields() {
		if text := f.At(e); text != nil && *text != "" && f.Name != "message" {
			r.AddAttributes(attribute.String("auditlog."+f.Name, strings.ToValidUTF8(*text, "\uFFFD")))
		}
	}

	return r, nil
}

// Close implements Sink.
func (s *OTLPSink) Close() error {
	s.answers.transport.CloseIdleConnections()

	return nil
}

// made collects the records that a logger makes.
type made struct{ records []sdklog.Record }

// Enabled implements sdklog.Processor.
func (*made) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// OnEmit implements sdklog.Processor.
func (m *made) OnEmit(_ context.Context, r *sdklog.Record) error {
	m.records = append(m.records, r.Clone())

	return nil
}

// Shutdown implements sdklog.Processor.
func (*made) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdklog.Processor.
func (*made) ForceFlush(context.Context) error { return nil }

// answers decides what the answers of a collector mean. It sends one request at a time.
type answers struct {
	transport *http.Transport
	o         OTLPOptions
	// failed is why the last request came to nothing; taken says that the collector has taken all of it.
	failed *Error
	taken  bool
	// warned is what the collector complained about last.
	warned string
}

// RoundTrip implements http.RoundTripper.
func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.transport.RoundTrip(req)
	if err != nil {
		return nil, a.fail(isTemporary(err), 0, err)
	}

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) //nolint:forbidigo // It is bounded.
	_ = resp.Body.Close()

	switch {
	case err != nil:
		return nil, a.fail(true, 0, fmt.Errorf("the answer broke off: %w", err))
	case resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices:
		return nil, a.fail(isRetryable(resp.StatusCode), retryAfter(resp, a.o.Clock()),
			fmt.Errorf("the collector answered with status %d", resp.StatusCode))
	}

	if err := a.judge(resp.Header.Get("Content-Type"), body); err != nil {
		return nil, a.fail(false, 0, err)
	}

	a.taken = true
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(nil)), 0

	return resp, nil
}

// judge says why an answer of success is none.
func (a *answers) judge(contentType string, body []byte) error {
	if len(body) == 0 {
		return nil // An answer without anything to say is an empty message.
	}

	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/x-protobuf" {
		return errors.New("the answer is not one of a collector, though its status is 200")
	}

	var answer collector.ExportLogsServiceResponse
	if err := proto.Unmarshal(body, &answer); err != nil {
		return errors.New("the answer of the collector cannot be read, though its status is 200")
	}

	partial := answer.GetPartialSuccess()
	message := shortened(partial.GetErrorMessage())

	switch {
	case partial.GetRejectedLogRecords() != 0:
		return &RejectedError{Records: partial.GetRejectedLogRecords(), Message: message}
	case message != "" && message != a.warned && a.o.Warned != nil:
		a.warned = message
		a.o.Warned(message)
	}

	return nil
}

// shortened is a message of a collector, which may be as long as it likes, as it is shown.
func shortened(message string) string {
	if runes := []rune(message); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + " (cut)"
	}

	return message
}

// RejectedError says that a collector has taken some records, and others not.
type RejectedError struct {
	Records int64
	// Message is what the collector says of it.
	Message string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("the collector rejected %d records, though its status is 200: %s", e.Records, e.Message)
}

func (a *answers) fail(temporary bool, after time.Duration, err error) error {
	a.failed = &Error{Place: a.o.Target.String(), Temporary: temporary, RetryAfter: after, Err: err}

	return a.failed
}

// isRetryable says which statuses OTLP lets a client try again.
func isRetryable(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// retryAfter is how long a collector asks to wait, in seconds or until a date.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	text := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}

	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}

	return 0
}
