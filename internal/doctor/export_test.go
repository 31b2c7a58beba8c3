// SPDX-License-Identifier: MPL-2.0

package doctor

import "github.com/auditlogs/terraform-provider-audit/internal/auditlog"

// Examines says whether something examines a service by its API.
func Examines(name string) bool { return examOf(&examiner{info: auditlog.Info{Name: name}}) != nil }
