// SPDX-License-Identifier: MPL-2.0

package auditlog

// Remembered is how many records' ordinals are held.
func (f *Fingerprints) Remembered() int { return len(f.ordinals) }

// VerbLists are the words of Verbs by what they mean.
var VerbLists = verbLists
