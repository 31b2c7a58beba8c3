// SPDX-License-Identifier: MPL-2.0

package redact

// CommonKinds lists the kinds that no redaction of other fields touches.
var CommonKinds = commonKinds
