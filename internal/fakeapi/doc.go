// SPDX-License-Identifier: MPL-2.0

// Package fakeapi imitates the audit-log APIs of UpCloud and cloudscale closely enough to develop and test against,
// and misbehaves on request.
//
// A [Server] holds one log per service and serves them as two [http.Handler] values. The logs are generated (a month
// of plausible work, the same bytes for the same [Options]) or loaded ([Server.Load]), and may grow while they are
// served. Records are kept as raw JSON and served byte for byte, so unknown keys and key order survive.
//
// Where a vendor's specification or documentation states a behaviour, the fake follows it. Where it is silent or
// contradicts itself, the fake either has an option for each reading ([OffsetReading], [Order], [EndScope]) or takes
// the strictest one, so that code which passes here does not depend on a guess; such places are marked "undocumented".
//
// Faults ([Fault]) strike requests for lists and for filter options that are otherwise in order. Which ones is decided
// by the seed, the fault's name and the ordinal of the request on its service, never by the clock, so a sequential
// client meets the same faults on every run.
//
// Retention is not modelled: nothing ages out of a fake, and a request without a lower bound reaches all of it.
package fakeapi
