// SPDX-License-Identifier: MPL-2.0

package cloudscale

// ResourceName is the one name that a message quotes.
var ResourceName = resourceName

// WithoutEnd returns a link without the end of the window.
var WithoutEnd = withoutEnd

// ResourceType is every word of an action but its verb.
var ResourceType = resourceType
