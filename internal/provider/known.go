// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
)

// known says that nothing of the values is still to be found out, however deep. A
// value that is not known may yet turn out to be null, so that a rule about several
// arguments is decided only when all of them are known, and revalidate decides it
// again by then.
func known(values ...attr.Value) bool {
	for _, v := range values {
		if v.IsUnknown() || !known(partsOf(v)...) {
			return false
		}
	}

	return true
}

// given says that a value is known and not null.
func given(v attr.Value) bool { return known(v) && !v.IsNull() }

// partsOf returns the values that a list, a map or an object is made of.
func partsOf(v attr.Value) []attr.Value {
	switch v := v.(type) {
	case interface{ Elements() []attr.Value }:
		return v.Elements()
	case interface{ Elements() map[string]attr.Value }:
		return slices.Collect(maps.Values(v.Elements()))
	case interface{ Attributes() map[string]attr.Value }:
		return slices.Collect(maps.Values(v.Attributes()))
	default:
		return nil
	}
}

// keep takes over a value of the state that a plan spells in another way. Terraform
// lets a plan do that where both are given.
func keep[T attr.Value](plan *T, state T) {
	if given(*plan) && given(state) {
		*plan = state
	}
}
