// SPDX-License-Identifier: MPL-2.0

package follow

import (
	"context"
	"time"
)

// WithoutWaits lets a stream try again at once.
func (s *Stream) WithoutWaits() *Stream {
	s.sleep = func(context.Context, time.Duration) {}

	return s
}
