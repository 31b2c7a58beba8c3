// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

const (
	// A terminal shows nothing of what is done within a second, and then what there is so often.
	showAfter = time.Second
	showEvery = 200 * time.Millisecond
	// Everywhere else there is a line so often.
	sayEvery = time.Minute
)

// watch shows how far the readings of do have come: on a terminal as it happens, else a line a minute.
func (env environment) watch(ctx context.Context, what string, do func(context.Context)) {
	p := &auditlog.Progress{}
	ctx, cancel := context.WithCancel(auditlog.WithProgress(ctx, p))

	var shown sync.WaitGroup

	shown.Go(func() {
		if env.talks {
			env.draw(ctx, what, p)
		} else {
			env.say(ctx, what, p)
		}
	})

	defer shown.Wait()
	defer cancel()

	do(ctx)
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

// say writes a line now and then.
func (env environment) say(ctx context.Context, what string, p *auditlog.Progress) {
	ticker := time.NewTicker(sayEvery)
	defer ticker.Stop()

	for begun := env.now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = fmt.Fprintf(env.stderr, "%s: %s\n", what, progressText(p, env.now().Sub(begun)))
		}
	}
}

// progressText says how many records have been read, out of how many, and how fast.
func progressText(p *auditlog.Progress, took time.Duration) string {
	read, total := p.Rows()

	text := plural(read, "record", "records")
	if total > 0 {
		text += fmt.Sprintf(" of %s (%d %%)", grouped(total), read*100/total)
	}

	if took >= time.Second {
		text += fmt.Sprintf(", %s a second", grouped(read*int64(time.Second)/int64(took)))
	}

	return text + "."
}
