// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"fmt"
	"time"
)

// sentence says what was found without saying of whom, so that it may be shown
// where the findings may not.
func (r *rule) sentence(b *burst) string {
	if r.message != "" {
		return r.message
	}

	text := fmt.Sprintf("%d %s", b.count, r.many)
	if b.count == 1 {
		text = "1 " + r.one
	}

	switch {
	case r.within == 0 || b.count == 1:
		return text
	case b.last.Sub(b.first) < r.within:
		return fmt.Sprintf("%s within %s", text, spanText(r.within))
	case r.threshold == 1:
		return fmt.Sprintf("%s, each less than %s after the one before", text, spanText(r.within))
	default:
		return fmt.Sprintf("%s, at times %d or more within %s", text, r.threshold, spanText(r.within))
	}
}

// spanText writes a length of time as auditlog.ParseSpan reads it, where it can.
func spanText(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%u.length == 0 {
			return fmt.Sprintf("%d%s", d/u.length, u.name)
		}
	}

	return d.String()
}
