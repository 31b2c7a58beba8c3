// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// sayEvery is how often long work says how far it has come.
const sayEvery = time.Minute

// Watch has the readings of the context that it returns counted, and says once a minute how far they have come. Stop
// ends the context; nothing is said any more when it has returned.
func Watch(
	ctx context.Context, clock auditlog.Clock, say func(ctx context.Context, text string),
) (watched context.Context, stop func()) {
	p := &auditlog.Progress{}
	ctx, cancel := context.WithCancel(auditlog.WithProgress(ctx, p))
	done := make(chan struct{})

	begun := clock()

	go func() {
		defer close(done)

		ticker := time.NewTicker(sayEvery)
		defer ticker.Stop()

		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				say(ctx, ProgressText(p, clock().Sub(begun)))
			}
		}
	}()

	return ctx, func() {
		cancel()
		<-done
	}
}

// ProgressText says how many records have been read, out of how many where that is known, and how fast.
func ProgressText(p *auditlog.Progress, took time.Duration) string {
	read, total := p.Rows()

	text := Grouped(read) + " records"
	if read == 1 {
		text = "1 record"
	}

	if total > 0 {
		text += fmt.Sprintf(" of %s (%d %%)", Grouped(total), read*100/total)
	}

	if took >= time.Second {
		text += fmt.Sprintf(", %s a second", Grouped(int64(float64(read)/took.Seconds())))
	}

	return text
}

// Grouped writes a number with commas between thousands, as 12,345.
func Grouped(n int64) string {
	text := strconv.FormatInt(n, 10)

	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}

	return text
}
