// SPDX-License-Identifier: MPL-2.0

//go:build !race

// Package raceflag tells tests whether the race detector watches them. It makes
// them about ten times slower, so the longest simulations run in full without it
// and are shortened with it.
package raceflag

// Enabled says that the race detector is on.
const Enabled = false
