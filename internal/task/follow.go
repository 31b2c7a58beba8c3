// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// Follow passes on what is new in a log.
type Follow struct {
	follow.Options

	Filters query.Filters
	Log     source.Log
	// Warn is told what a user should know while the log is followed.
	Warn func(p explain.Problem)

	// last is what was told last of a wait.
	last string
	// told are the doubts about readings that were told.
	told map[string]bool
}

// Run follows the log of a service until the context ends, or until its end where it is followed once.
func (f *Follow) Run(ctx context.Context, sources *source.Sources, s auditlog.Service) explain.Problems {
	info := s.Info()

	q, found := f.Filters.Answerable(info)
	if found.HasError() {
		return found
	}

	if found = ConfirmValues(ctx, s, &q, nil); found.HasError() {
		return found
	}

	for _, p := range found {
		f.Warn(p)
	}

	o := f.Options
	o.Query, o.Temporary = q, isTemporary
	o.Open = func(ctx context.Context) (auditlog.Service, error) { return f.open(ctx, sources, s) }
	o.Tell = func(what error) { f.tell(what, info) }
	o.Statement = func(c auditlog.Completeness) { f.doubt(info, c) }

	f.told = map[string]bool{}

	if err := follow.New(o).Run(ctx); err != nil {
		return explain.Problems{explain.Following(err, info)}
	}

	return nil
}

// open returns the log as it is now. What an archive has grown by only shows when it is opened again.
func (f *Follow) open(ctx context.Context, sources *source.Sources, s auditlog.Service) (auditlog.Service, error) {
	if s.Info().ArchivedFrom == "" {
		return s, nil
	}

	return sources.Reader(ctx, f.Log)
}

// tell tells of a wait once, until it is for another reason.
func (f *Follow) tell(what error, info auditlog.Info) {
	if waiting := (*follow.WaitError)(nil); errors.As(what, &waiting) {
		if text := waiting.Err.Error(); text == f.last {
			return
		}

		f.last = waiting.Err.Error()
	}

	f.Warn(explain.Following(what, info))
}

// doubt tells what readings cannot show, once. Gaps and what lies beyond the retention the stream tells of itself.
func (f *Follow) doubt(info auditlog.Info, c auditlog.Completeness) {
	f.last = "" // Whatever was waited for is over.
	c.Gaps, c.BeyondRetention = nil, false

	for _, p := range explain.Completeness(info, c) {
		key := fmt.Sprint(p.Summary, c.Caveats, c.UnverifiedValues, c.UnknownActions, c.Unread)
		if !f.told[key] {
			f.told[key] = true
			f.Warn(p)
		}
	}
}

// The statuses of object storage that may be others later, from the second on.
const (
	tooManyRequests = 429
	serverError     = 500
)

// isTemporary says of an error of a reading that trying again can help without anybody doing something.
func isTemporary(err error) bool {
	if errors.Is(err, auditlog.ErrClockWentBack) {
		return true
	}

	if stored := (*durable.S3Error)(nil); errors.As(err, &stored) {
		return stored.Status == 0 || stored.Status == tooManyRequests || stored.Status >= serverError
	}

	e := (*client.Error)(nil)
	if !errors.As(err, &e) {
		return false
	}

	switch e.Kind {
	case client.KindUnreachable, client.KindTimeout, client.KindDeadline, client.KindRateLimited, client.KindServer,
		client.KindNotJSON, client.KindBrokenBody, client.KindIncomplete, client.KindDisagreement:
		return true
	default:
		return false
	}
}
