// SPDX-License-Identifier: MPL-2.0

package task_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

func TestLongWorkSaysHowFarItHasCome(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var said []string

		watched, stop := task.Watch(t.Context(), time.Now, func(_ context.Context, text string) { said = append(said, text) })
		p := auditlog.ProgressOf(watched)

		p.Expect(12_000)
		p.Read(3000)
		time.Sleep(61 * time.Second)
		p.Read(10_000) // More than was said: nobody knows how many there are.
		time.Sleep(time.Minute)
		stop()
		time.Sleep(time.Hour)

		want := []string{"3,000 records of 12,000 (25 %), 50 a second", "13,000 records, 108 a second"}
		if !slices.Equal(said, want) {
			t.Errorf("said %q, want %q", said, want)
		}
	})
}

func TestGrouped(t *testing.T) {
	t.Parallel()

	var got []string
	for _, n := range []int64{0, 1, 999, 1000, 12_345, 123_456, 1_234_567, -1, -123, -1234} {
		got = append(got, task.Grouped(n))
	}

	want := []string{"0", "1", "999", "1,000", "12,345", "123,456", "1,234,567", "-1", "-123", "-1,234"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
