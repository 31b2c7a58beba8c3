// SPDX-License-Identifier: MPL-2.0

package auditlog

// Remembered is how many records' ordinals are held.
func (f *Fingerprints) Remembered() int { return len(f.ordinals) }

// VerbLists are the words of Verbs by what they mean.
var VerbLists = verbLists

// Step is a key as a path has it.
var Step = step

// DecimalsEqual says whether two numbers are the same.
func DecimalsEqual(a, b string) bool { return decimalOf(a) == decimalOf(b) }
