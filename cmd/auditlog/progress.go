// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"

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
	if !env.talks {
		ctx, stop := task.Watch(ctx, env.now, func(_ context.Context, text string) {
			_, _ = fmt.Fprintf(env.stderr, "%s: %s.\n", what, text)
		})
		defer stop()

		do(ctx)

		return
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

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

	tracker := &progress.Tracker{Message: what, Units: progress.Units{Formatter: task.Grouped}}

	w := progress.NewWriter()
	w.SetOutputWriter(env.terminal)
	w.SetUpdateFrequency(showEvery)
	w.Style().Visibility.Speed, w.Style().Visibility.TrackerOverall = true, false
	w.Style().Colors = progress.StyleColors{}
	w.Style().Options.TimeInProgressPrecision = time.Second
	w.Style().Options.SpeedPrecision = time.Second
	w.Style().Options.PercentIndeterminate = ""
	w.AppendTracker(tracker)

	go w.Render()

	ticker := time.NewTicker(showEvery)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			w.Stop()

			for w.IsRenderInProgress() {
				<-ticker.C
			}

			// The line goes, and the cursor to where it was.
			_, _ = io.WriteString(env.terminal, text.CursorUp.Sprint()+text.EraseLine.Sprint())

			return
		case <-ticker.C:
			read, total := p.Rows()
			tracker.UpdateTotal(total)
			tracker.SetValue(read)
		}
	}
}
