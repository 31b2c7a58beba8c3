// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/retries"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// stub is a provider that says what it is told to.
type stub struct {
	tfprotov6.ProviderServer

	wait time.Duration
	text string
	err  error
}

func (s *stub) diags() []*tfprotov6.Diagnostic {
	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityWarning, Summary: s.text, Detail: s.text}}
}

func (s *stub) ReadDataSource(ctx context.Context, _ *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	if s.wait > 0 {
		retries.Waited(ctx, s.wait, "429 Too Many Requests")
	}

	return &tfprotov6.ReadDataSourceResponse{}, nil
}

func (s *stub) ApplyResourceChange(context.Context, *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return &tfprotov6.ApplyResourceChangeResponse{Diagnostics: s.diags()}, s.err
}

func (s *stub) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{Error: s.text}, nil
}

func (s *stub) CallFunction(context.Context, *tfprotov6.CallFunctionRequest) (*tfprotov6.CallFunctionResponse, error) {
	return &tfprotov6.CallFunctionResponse{Error: &tfprotov6.FunctionError{Text: s.text}}, nil
}

func (s *stub) ReadResource(context.Context, *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return nil, s.err
}

// TestLongWaitsOfARunAreSaidOnce: with how many there were and how long they took.
func TestLongWaitsOfARunAreSaidOnce(t *testing.T) {
	t.Parallel()

	s := &server{next: &stub{}}

	var said []string

	for _, wait := range []time.Duration{6 * time.Second, 4 * time.Second, 0, time.Second, 3 * time.Second, 0, 10 * time.Second} {
		s.next = &stub{wait: wait}

		resp, err := s.ReadDataSource(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}

		text := ""
		for _, d := range resp.Diagnostics {
			text = d.Summary + "\n" + d.Detail
		}

		said = append(said, text)
	}

	for i, text := range said {
		switch i {
		case 3: // 11 s in all
			if want := "Retries made this run wait\n" + `Requests had to be made again, since they failed or were told to slow down, and there were waits in between.

Retries: 3
Waited: 11s
Last reason: 429 Too Many Requests

Nothing needs to be done. If it happens often, ask for shorter windows or lower max_concurrency in the provider configuration.`; text != want {
				t.Errorf("got %s", text)
			}
		case 6: // 13 s more
			if !strings.Contains(text, "Retries: 5\nWaited: 24s") {
				t.Errorf("got %s", text)
			}
		default:
			if text != "" {
				t.Errorf("%d: %s", i, text)
			}
		}
	}
}

// TestEveryAnswerIsScreened: whoever wrote it, the framework included.
func TestEveryAnswerIsScreened(t *testing.T) {
	t.Parallel()
	screen.Secret("answered-secret")

	const text = "a\n\tb \x1b[2J\u202e answered-secret https://u:p@host"

	check := func(got, want string) {
		t.Helper()

		if got != want {
			t.Errorf("got %q", got)
		}
	}

	const want = "a\n\tb \\u001b[2J\\u202e (secret) https://(secret)@host"

	s := &server{next: &stub{text: text, err: errors.New(text)}}

	applied, err := s.ApplyResourceChange(t.Context(), nil)
	check(err.Error(), want)
	check(applied.Diagnostics[0].Detail, want)
	check(applied.Diagnostics[0].Summary, strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(want))

	stopped, err := s.StopProvider(t.Context(), nil)
	check(stopped.Error, want)

	if err != nil {
		t.Error(err)
	}

	called, err := s.CallFunction(t.Context(), nil)
	check(called.Error.Text, want)

	if err != nil {
		t.Error(err)
	}

	_, err = s.ReadResource(t.Context(), nil)
	check(err.Error(), want)
}

// TestAValueCannotPassForAnotherFact: nor for the next step.
func TestAValueCannotPassForAnotherFact(t *testing.T) {
	t.Parallel()

	p := problem{summary: "a\nb", cause: "c\n\nVerdict: OK", excerpt: "x\x1b\n^", next: "d\ne"}.with("Key\n: x", "1\nVerdict: OK\u2028")

	const want = `c\n\nVerdict: OK

Key\n: x: 1\nVerdict: OK\u2028

    x\u001b
    ^

d\ne`

	for _, d := range []interface{ Detail() string }{p.diagnostic(), p.warning(), p.at(path.Root("x")), p.warningAt(path.Root("x"))} {
		if d.Detail() != want {
			t.Errorf("got %s", d.Detail())
		}
	}

	if p.diagnostic().Summary() != `a\nb` || p.warning().Summary() != `a\nb` || p.onArgument(0).Text != want || p.onCall().Text != want {
		t.Error(p.onCall().Text)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		"read s3://evidence/a: it is gone": "Read s3://evidence/a: it is gone.",
		"s3://evidence ignores it":         "s3://evidence ignores it.",
		"manifests/00000001.json is gone":  "manifests/00000001.json is gone.",
		"max_entries is too small.":        "max_entries is too small.",
		"über":                             "Über.",
		"the archive's end...":             "The archive's end.",
		"":                                 "The reason is unknown.",
		"...":                              "The reason is unknown.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestADeadlineIsExplained: everywhere that one can strike.
func TestADeadlineIsExplained(t *testing.T) {
	t.Parallel()

	last := &client.Error{Kind: client.KindRateLimited, Status: 429}
	stored := &durable.S3Error{
		Op: "list", Bucket: "evidence", Key: "audit/", Code: "SlowDown", Status: 503, Attempts: 4, Ended: true,
		Last: "the service is overloaded", Err: context.DeadlineExceeded,
	}

	const storedText = `The time for the whole operation ran out before the object storage had done what it was asked for.

Service: archive
Destination: s3://evidence/audit
Request: list s3://evidence/audit/
Status: 503 Service Unavailable
Code: SlowDown
Last error: the service is overloaded
Attempts: 4

Raise the value in the timeouts block, or ask for a shorter window.`

	in := circumstances{summary: "Read", info: auditlog.Info{Name: auditlog.ServiceArchive}}

	for name, tt := range map[string]struct{ got, want string }{
		"a request that failed": {
			explain(&client.Error{Kind: client.KindDeadline, Method: "GET", Path: "/v1", Status: 429, RetryAfter: "60", Attempts: 1, Page: 3, Last: last, Err: context.DeadlineExceeded}, circumstances{}).detail(),
			`The time for the whole operation ran out before the service answered a request that had failed before.

Request: GET /v1
Status: 429 Too Many Requests
Retry-After: 1m0s
Last error: The service kept asking to slow down.
Attempts: 1
Page: 3

Raise the value in the timeouts block, or ask for a shorter window.`,
		},
		"no answer": {
			explain(&client.Error{Kind: client.KindDeadline, Method: "GET", Path: "/v1", Attempts: 1, Err: context.DeadlineExceeded}, circumstances{}).detail(),
			"The time for the whole operation ran out before the service had answered in full.\n\nRequest: GET /v1\nAttempts: 1\n\nRaise the value in the timeouts block, or ask for a shorter window.",
		},
		"no request": {
			explain(&client.Error{Kind: client.KindDeadline, Method: "GET", Path: "/v1", Err: context.DeadlineExceeded}, circumstances{}).detail(),
			"The time for the whole operation ran out before the next request could be made.\n\nRequest: GET /v1\n\nRaise the value in the timeouts block, or ask for a shorter window.",
		},
		"an archive that is read":    {explain(&archive.ReadError{Destination: "s3://evidence/audit", Err: stored}, in).detail(), storedText},
		"an archive that is written": {archiveProblem(stored, "s3://evidence/audit", in.info).Detail(), storedText},
		"an export":                  {exportProblem(fmt.Errorf("write: %w", context.DeadlineExceeded), auditlog.Info{}, auditlog.Window{}).Detail(), "The time for the whole operation ran out.\n\nRaise the value in the timeouts block, or ask for a shorter window."},
		"a disk":                     {explain(context.DeadlineExceeded, circumstances{}).detail(), "The time for the whole operation ran out.\n\nRaise the value in the timeouts block, or ask for a shorter window."},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, tt.got, tt.want)
		}
	}

	// One attempt took too long, and the operation had time left.
	late := &durable.S3Error{Op: "list", Bucket: "evidence", Attempts: 4, Err: context.DeadlineExceeded}
	if got := archiveProblem(late, "s3://evidence", in.info).Detail(); strings.Contains(got, "whole operation") || !strings.HasPrefix(got, "List s3://evidence: no answer in time (4 attempts).") {
		t.Errorf("got %s", got)
	}
}
