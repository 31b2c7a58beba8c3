// SPDX-License-Identifier: MPL-2.0

package upcloud

// DecodeList reads the body of a page.
var DecodeList = decodeList
