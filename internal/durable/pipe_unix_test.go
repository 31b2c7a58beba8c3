// SPDX-License-Identifier: MPL-2.0

//go:build !windows

package durable_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Opening a named pipe that nobody writes to would block for ever.
func TestPipe(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}

	_, _, hashErr := durable.Hash(path)
	_, readErr := durable.Read(path, 1)

	for verb, err := range map[string]error{
		"Hash": hashErr, "Read": readErr, "CheckWritable": durable.CheckWritable(path),
		"Begin": replaceSet(path, newText, durable.Options{}), "Remove": durable.Remove(path, ""),
	} {
		if !errors.Is(err, durable.ErrNotRegular) {
			t.Errorf("%s: got %v, want %v", verb, err, durable.ErrNotRegular)
		}
	}
}
