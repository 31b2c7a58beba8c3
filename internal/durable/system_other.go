// SPDX-License-Identifier: MPL-2.0

//go:build !linux && !darwin && !windows

package durable

import "errors"

// renameNew does not exist here.
func renameNew(_, _ string) error { return errors.ErrUnsupported }
