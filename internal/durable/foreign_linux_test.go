// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// asNobody runs do with the rights of a user to whom nothing belongs.
func asNobody(t *testing.T, do func()) {
	t.Helper()

	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}

	done := make(chan struct{})

	go func() {
		defer close(done)

		// The rights are the thread's, which ends with the goroutine.
		runtime.LockOSThread()

		if err := syscall.Setfsuid(somebody + 1); err != nil {
			t.Error(err)

			return
		}

		do()
	}()

	<-done
}

// A journal that this user may not even read says whose it is, in a directory that
// all may write to but where nobody may remove another's files.
func TestUnreadableForeignJournalNamesItsOwner(t *testing.T) {
	t.Parallel()

	h := newHostile(t)
	h.decide(h.journal, [2]string{planted, target})

	for name := range h.look() {
		h.giveAway(name)
	}

	h.must(errors.Join(os.Chmod(filepath.Dir(h.dir), 0o755), os.Chmod(h.dir, 0o777|os.ModeSticky)))

	asNobody(t, func() {
		if _, err := os.ReadFile(h.path(h.journal)); !errors.Is(err, os.ErrPermission) {
			t.Errorf("the journal can be read: %v", err)
		}

		_, interrupted := durable.Interrupted(h.path(target))

		for verb, err := range map[string]error{
			"Interrupted": interrupted, "Recover": durable.Recover(h.path(target)),
			"Begin": replaceSet(h.path(target), newText, durable.Options{}),
		} {
			if !errors.Is(err, durable.ErrForeign) || !strings.Contains(err.Error(), h.journal) ||
				!strings.Contains(err.Error(), "uid 54321") {
				t.Errorf("%s: %v", verb, err)
			}
		}
	})
}

// What others plant under temporary names, where it cannot be removed, stops nobody.
func TestForeignTemporaryFilesThatCannotBeRemoved(t *testing.T) {
	t.Parallel()

	h := newHostile(t)
	h.giveAway(planted)
	h.must(errors.Join(os.Chmod(filepath.Dir(h.dir), 0o755), os.Chmod(h.dir, 0o777|os.ModeSticky)))

	asNobody(t, func() {
		dir := filepath.Join(h.dir, "made")

		for _, path := range []string{h.path(target), filepath.Join(dir, target)} {
			if err := errors.Join(durable.CheckWritable(path), replaceSet(path, newText, durable.Options{})); err != nil {
				t.Error(err)
			}
		}
	})
}
