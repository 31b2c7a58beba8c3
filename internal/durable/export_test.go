// SPDX-License-Identifier: MPL-2.0

package durable

func RecoverWith(sys System, path string) error { return recoverPath(sys, path) }

func RemoveWith(sys System, path string, suffixes ...string) error {
	return removePath(sys, path, func() error { return nil }, suffixes...)
}

func Remove(path string, suffixes ...string) error { return RemoveWith(OS(), path, suffixes...) }

func CheckWritableWith(sys System, path string) error { return checkWritable(sys, path) }

var (
	JournalName = journalName
	NewTempName = newTempName
	IsTempName  = isTempName
)
