// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

func BenchmarkMatch(b *testing.B) {
	for name, text := range map[string]string{
		"comparison": `entry.operation == "delete"`,
		"five_terms": `entry.operation == "delete" && entry.actor != "ci" && entry.resource_type in ["server", "storage"] && entry.time > timestamp("2026-01-01T00:00:00Z") && !entry.message.startsWith("x")`,
		"ip_in":      `ip_in(entry.ip_address, "2001:db8::/32")`,
		"changes":    `entry.changes.exists(c, c.field == "disks.0.size")`,
		"raw":        `entry.raw.state.size == 20`,
		"matches":    `entry.actor.matches("^al.*e$")`,
	} {
		b.Run(name, func(b *testing.B) {
			x, err := where.Compile(text)
			if err != nil {
				b.Fatal(err)
			}

			e := sample()

			b.ReportAllocs()

			for b.Loop() {
				if holds, err := x.Match(e); !holds || err != nil {
					b.Fatal(holds, err)
				}
			}
		})
	}
}
