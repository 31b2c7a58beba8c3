// SPDX-License-Identifier: MPL-2.0

package where

import (
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// BenchmarkMatch evaluates conditions as Match does (plain), and with an account
// of the cost for all of them (counted), which Match keeps for loops only.
func BenchmarkMatch(b *testing.B) {
	size := "20"
	e := &auditlog.Entry{
		Time: time.Date(2026, 1, 31, 22, 30, 0, 0, time.UTC), Operation: auditlog.OperationDelete, Actor: "alice",
		ResourceType: "server", IPAddress: "2001:db8::7", Message: "Server deleted",
		Changes: []auditlog.Change{{Field: "plan"}, {Field: "disks.0.size", Before: &size}},
		Raw:     []byte(`{"resource_id":"x","state":{"size":20,"tags":["a","b"]},"big":9007199254740993}`),
	}

	env, err := environment()
	if err != nil {
		b.Fatal(err)
	}

	for _, c := range []struct{ name, text string }{
		{"comparison", `entry.operation == "delete"`},
		{"five_terms", `entry.operation == "delete" && entry.actor != "ci" && entry.resource_type in ["server", "storage"] && entry.time > timestamp("2026-01-01T00:00:00Z") && !entry.message.startsWith("x")`},
		{"ip_in", `ip_in(entry.ip_address, "2001:db8::/32")`},
		{"changes", `entry.changes.exists(c, c.field == "disks.0.size")`},
		{"raw", `entry.raw.state.size == 20`},
		{"matches", `entry.actor.matches("^al.*e$")`},
	} {
		x, err := Compile(c.text)
		if err != nil {
			b.Fatal(err)
		}

		b.Run(c.name+"/plain", func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if holds, err := x.Match(e); !holds || err != nil {
					b.Fatal(holds, err)
				}
			}
		})

		counted := *x
		if counted.program, err = env.PlanProgram(x.ast, cel.EvalOptions(cel.OptOptimize),
			cel.CostLimit(MaxCost)); err != nil {
			b.Fatal(err)
		}

		b.Run(c.name+"/counted", func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if holds, err := counted.Match(e); !holds || err != nil {
					b.Fatal(holds, err)
				}
			}
		})
	}
}
