// SPDX-License-Identifier: MPL-2.0

package durable

func none() error { return nil }

func RecoverWith(sys System, path string) error { return store{sys}.removeIf(path, none) }

func RemoveWith(sys System, path string, suffixes ...string) error {
	return store{sys}.removeIf(path, none, suffixes...)
}

func Remove(path string, suffixes ...string) error { return RemoveWith(OS(), path, suffixes...) }

func CheckWritableWith(sys System, path string) error { return store{sys}.checkWritable(path) }

var (
	JournalName = journalName
	NewTempName = newTempName
	IsTempName  = isTempName
)
