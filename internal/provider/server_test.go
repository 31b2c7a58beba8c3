// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
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

func (s *stub) ReadDataSource(
	ctx context.Context, _ *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	if s.wait > 0 {
		retries.Waited(ctx, s.wait, "429 Too Many Requests")
	}

	return &tfprotov6.ReadDataSourceResponse{}, nil
}

func (s *stub) ApplyResourceChange(
	context.Context, *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
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

	for _, wait := range []time.Duration{
		6 * time.Second, 4 * time.Second, 0, time.Second, 3 * time.Second, 0,
		10 * time.Second,
	} {
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

	p := explain.Problem{Summary: "a\nb", Cause: "c\n\nVerdict: OK", Excerpt: "x\x1b\n^", Next: "d\ne"}.With("Key\n: x",
		"1\nVerdict: OK\u2028")

	const want = `c\n\nVerdict: OK

Key\n: x: 1\nVerdict: OK\u2028

    x\u001b
    ^

d\ne`

	for _, d := range diagnose(p, p.AsWarning(), p.At(explain.Argument("x")), p.AsWarning().At(explain.Argument("x"))) {
		if d.Summary() != `a\nb` || d.Detail() != want {
			t.Errorf("got %s: %s", d.Summary(), d.Detail())
		}
	}

	if onArgument(0, p).Text != want || onCall(p).Text != want {
		t.Error(onCall(p).Text)
	}
}
