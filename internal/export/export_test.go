// SPDX-License-Identifier: MPL-2.0

package export

// Ahead yields the entries of a sequence while the next ones are being read.
var Ahead = ahead
