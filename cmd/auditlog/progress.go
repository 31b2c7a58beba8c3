// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

const (
	// A terminal shows nothing of what is done within a second, and then what there is so often.
	showAfter = time.Second
	showEvery = 200 * time.Millisecond
)

// watch shows how far the readings of do have come: on a terminal as it happens, else a line a minute.
func (env environment) watch(ctx context.Context, what string, do func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	if !env.talks {
		do(task.Watch(ctx, env.now, func(_ context.Context, text string) {
			_, _ = fmt.Fprintf(env.stderr, "%s: %s.\n", what, text)
		}))

		return
	}

	p := &auditlog.Progress{}
	done := make(chan struct{})

	go func() {
		defer close(done)

		env.draw(ctx, what, p)
	}()

	do(auditlog.WithProgress(ctx, p))
	cancel()
	<-done
}

// draw keeps one line up to date, and takes it away at the end.
func (env environment) draw(ctx context.Context, what string, p *auditlog.Progress) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(showAfter): //nolint:forbidigo // It shows what is under way, and decides nothing.
	}

	tracker := &progress.Tracker{Message: what, RemoveOnCompletion: true}

	w := progress.NewWriter()
	w.SetOutputWriter(env.terminal)
	w.SetUpdateFrequency(showEvery)
	w.Style().Visibility.Speed, w.Style().Visibility.TrackerOverall = true, false
	w.Style().Colors = progress.StyleColors{}
	w.Style().Options.PercentIndeterminate = "     " // Else question marks, before the service has said how much there is.
	w.Style().Options.TimeInProgressPrecision = time.Second
	w.AppendTracker(tracker)

	go w.Render()

	ticker := time.NewTicker(showEvery)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			tracker.MarkAsDone()
			w.Stop()

			for w.IsRenderInProgress() {
				<-ticker.C
			}

			return
		case <-ticker.C:
			read, total := p.Rows()
			tracker.UpdateTotal(total)
			tracker.SetValue(read)
		}
	}
}
