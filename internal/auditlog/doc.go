// SPDX-License-Identifier: MPL-2.0

// Package auditlog is the domain: what an audit log entry is, which entries a
// query asks for, and what has to be known before a reading may be called
// complete. It knows no HTTP and no Terraform, so that every part of the
// provider that reads, counts or writes entries decides by the same rules.
package auditlog
