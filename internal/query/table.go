// SPDX-License-Identifier: MPL-2.0

package query

import (
	"fmt"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

// Argument is one argument of a query.
type Argument struct {
	Name        string
	Description string
	// List says that it is a list of alternatives, each of the form.
	List bool
	Form explain.Form
}

// Number is an argument that is a whole number from Low to High.
type Number struct {
	Name, Description string
	Low, High         int64
}

// Form is what to give.
func (n Number) Form() string { return fmt.Sprintf("a whole number from %d to %d", n.Low, n.High) }

// Problem says why a value cannot be used, where it cannot. The name is that of the argument.
func (n Number) Problem(name string, value int64) (explain.Problem, bool) {
	if n.Low <= value && value <= n.High {
		return explain.Problem{}, false
	}

	return explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   explain.Textf("The value of %s is out of range.", name),
		Next:    "Give " + explain.Plain(n.Form()) + ".",
	}, true
}

// Switch is an argument that is true or false.
type Switch struct{ Name, Description string }

// WindowNames are the names of the arguments that say when.
func WindowNames() []string { return []string{"last", "start", "end"} }

// Table lists the arguments that say which entries, and when. The settle delay is the
// default as users write it.
func Table(settleDelay string) []Argument {
	operations := make([]string, 0, len(auditlog.Operations()))
	for _, op := range auditlog.Operations() {
		operations = append(operations, string(op))
	}

	return []Argument{
		{"last", "How far back to look, such as `30m`, `24h`, `7d` or `2w`. It is counted from the end of the window, which `settle_delay` moves back, so that runs as far apart as `last` is long leave no hole. Default: `24h` when no bound is given. Excludes `start` and `end`.", false, PositiveSpanForm()},
		{"start", "Begin of the window, RFC 3339, included. Default: `24h` before its end.", false, timeForm()},
		{"end", "End of the window, RFC 3339, excluded. Default: now. An end in the future counts as now.", false, timeForm()},
		{"settle_delay", "How much of the newest log not to read, since the cloud may still be filling it. It moves the window of `last` back and does not shorten it. Default: `" + settleDelay + "`.", false, SpanForm()},
		{"actions", "Actions as the cloud spells them.", true, NotEmpty()},
		{
			"operations", "Operations in the vocabulary shared by every cloud: `" + strings.Join(operations, "`, `") + "`.",
			true, operationForm(operations),
		},
		{"resource_types", "Resource types as the cloud spells them.", true, NotEmpty()},
		{"resource_ids", "Ids of resources.", true, NotEmpty()},
		{"actors", "Actors by name or by id, exactly.", true, NotEmpty()},
		{"origins", "Origins as the cloud spells them.", true, NotEmpty()},
		{"ip_addresses", "Addresses or CIDR blocks that requests came from, compared as numbers: an IPv4 address is the same when it is mapped to IPv6, and a zone does not count.", true, addressForm()},
		{"search", "Text to look for, whatever its case in any script, in id, actor, resource id and name, address, action and message.", false, NotEmpty()},
		{"where", "Condition that entries must meet as well, an expression in CEL over `entry`, such as `entry.operation == \"delete\" && !entry.actor.startsWith(\"ci-\")`. The guide \"Conditions\" lists the fields and functions.", false, conditionForm()},
	}
}

// Switches are the arguments of every query that are true or false.
func Switches() []Switch {
	return []Switch{
		{"allow_unknown_values", "Whether values of `actions`, `origins` and `resource_types`, and those that conditions and expectations compare with, may be ones that neither the service's documentation nor its log confirms. Default: `false`: what the service knows of no entry is an error, and what nothing confirms keeps the result from being conclusive."},
		{"fail_on_unknown_actions", "Whether it is an error when an entry that answers the query, or would if its action meant something else, has an action that is not known to mean any operation. Default: `false`, which is a warning where the answer depends on it."},
	}
}
