// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"context"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Survey says what a set of exports has, without a window.
type Survey struct {
	Files int
	// Rows is how many rows all files have together.
	Rows int64
	// First and Last are the times of the oldest and the newest row; zero without rows.
	First, Last time.Time
	// Gaps are the parts between them that no export spans.
	Gaps []auditlog.Window
	// Missing are the fields that no export has a column for.
	Missing []string
	// Unread are the columns that hold something and become nothing.
	Unread []auditlog.UnreadColumn
}

// Survey reads the exports through.
func (s *Service) Survey(ctx context.Context) (Survey, error) {
	files, err := s.scan(ctx)
	if err != nil {
		return Survey{}, err
	}

	found := Survey{Files: len(files), Missing: slices.Sorted(slices.Values(s.infoOf(files...).NeverRecorded))}

	for _, f := range files {
		found.Rows += f.rows

		if f.rows == 0 {
			continue
		}

		if found.First.IsZero() || f.first.Before(found.First) {
			found.First = f.first
		}

		if f.last.After(found.Last) {
			found.Last = f.last
		}
	}

	if found.Rows > 0 {
		spanned := auditlog.Window{Start: found.First, End: found.Last.Add(time.Microsecond)}
		found.Gaps, found.Unread = gaps(files, spanned), unreadColumns(files, spanned)
	}

	return found, nil
}
