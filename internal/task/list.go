// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// List hands over every entry that answers a question, however many there are.
type List struct {
	Question

	Redact Redaction
	// Begin is called before the first entry, and again where everything that was handed over has to be forgotten: the
	// log is read anew then.
	Begin func() error
	// Take is handed the entries in order, as they may be shown. What was taken counts only when Run has returned a
	// result. The entry is overwritten by the next one.
	Take func(e *auditlog.Entry) error
}

// Listed is what a list came to.
type Listed struct {
	Count        int64
	Completeness auditlog.Completeness
	// Statement is of Completeness, as it may be shown.
	Statement export.Statement
}

// Run reads from the service.
func (l *List) Run(ctx context.Context, s auditlog.Service) (*Listed, explain.Problems) {
	q, found := l.Query(ctx, s)
	if found.HasError() {
		return nil, found
	}

	r, wrong := l.Redact()
	if found.Add(wrong...); found.HasError() {
		return nil, found
	}

	listed, err := l.read(ctx, s, q, r.Scrubber())
	if err != nil {
		info := s.Info()
		found.Add(explain.Reading(err, explain.Circumstances{
			Summary: "Read " + explain.LogOf(info), Info: info, Window: q.Window,
		}))

		return nil, found
	}

	found.Add(l.Arguments.ReadWarnings(s.Info(), q, listed.Completeness)...)

	return listed, found
}

// read reads twice where values are redacted that entries before may hold, and again where the second reading met more
// of them.
func (l *List) read(
	ctx context.Context, s auditlog.Service, q auditlog.Query, scrubber *redact.Scrubber,
) (listed *Listed, err error) {
	if scrubber != nil {
		if _, err := auditlog.ReadAll(ctx, s, q, scrubber.Learn); err != nil {
			return nil, err
		}
	}

	for range mostReadings {
		if listed, err = l.readOnce(ctx, s, q, scrubber); !errors.Is(err, redact.ErrLateValue) {
			break
		}
	}

	return listed, err
}

func (l *List) readOnce(
	ctx context.Context, s auditlog.Service, q auditlog.Query, scrubber *redact.Scrubber,
) (*Listed, error) {
	if err := l.Begin(); err != nil {
		return nil, err
	}

	listed, learned := &Listed{}, scrubber.Learned()

	var (
		current auditlog.Entry
		err     error
	)

	listed.Completeness, err = auditlog.ReadAhead(ctx, s, q, func(e *auditlog.Entry) error {
		if err := scrubber.Learn(e); err != nil {
			return err
		}

		listed.Count++
		current = scrubber.Apply(*e)

		return l.Take(&current)
	})
	if err != nil {
		return nil, err
	}

	if scrubber.Learned() > learned {
		return nil, redact.ErrLateValue
	}

	listed.Statement = export.NewStatement(scrubber.Completeness(listed.Completeness))

	return listed, nil
}
