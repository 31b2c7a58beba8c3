// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// The names of the rules that are built in.
const (
	RuleDeletion             = "deletion"
	RuleMassDeletion         = "mass_deletion"
	RuleRepeatedFailedLogins = "repeated_failed_logins"
	RulePermissionChange     = "permission_change"
	RuleNewAPIToken          = "new_api_token"
	RuleLoginFromNewAddress  = "login_from_new_address"
)

// Builtin is a rule that is built in.
type Builtin struct {
	Name string
	// Description is one sentence for the documentation.
	Description string
	// Where is the condition in CEL, for a user to copy and to tune. What
	// login_from_new_address does beyond it, a condition cannot say.
	Where     string
	Severity  Severity
	Threshold int64
	// Within is zero where the whole window is one span.
	Within  time.Duration
	GroupBy []string
	// Impossible says by service why its log cannot show what the rule looks for where
	// its operations do not (see Never), and Caveats what else to know; each is one
	// sentence.
	Impossible map[string]string
	Caveats    map[string]string

	// operations are those that an entry can have which meets the condition.
	operations []auditlog.Operation
	// needs are the fields that the condition stands on, by service; "" is for all.
	needs map[string][]string
	// one and many name what is counted.
	one, many string
}

const fieldActor = "actor"

// Builtins lists them in the order of the documentation.
func Builtins() []Builtin {
	return []Builtin{
		{
			Name:        RuleDeletion,
			Description: "Something was deleted.",
			Where:       `entry.operation == "delete"`,
			Severity:    SeverityMedium, Threshold: 1, GroupBy: []string{fieldActor},
			operations: []auditlog.Operation{auditlog.OperationDelete},
			one:        "deletion", many: "deletions",
		},
		{
			Name:        RuleMassDeletion,
			Description: "Somebody deleted ten things or more within ten minutes.",
			Where:       `entry.operation == "delete"`,
			Severity:    SeverityHigh, Threshold: 10, Within: 10 * time.Minute, GroupBy: []string{fieldActor},
			operations: []auditlog.Operation{auditlog.OperationDelete},
			one:        "deletion", many: "deletions",
		},
		{
			Name:        RuleRepeatedFailedLogins,
			Description: "Somebody failed to log in five times or more within ten minutes.",
			Where:       `entry.operation == "login_failed"`,
			Severity:    SeverityHigh, Threshold: 5, Within: 10 * time.Minute, GroupBy: []string{fieldActor},
			Caveats: map[string]string{
				auditlog.ServicePodStack: "PodStack's documentation advises to watch for failed logins but does not list them among the actions it records, so that there may never be one.",
			},
			operations: []auditlog.Operation{auditlog.OperationLoginFailed},
			one:        "failed login", many: "failed logins",
		},
		{
			Name:        RulePermissionChange,
			Description: "Somebody changed who may do what.",
			Where:       `entry.operation in ["grant", "revoke"]`,
			Severity:    SeverityMedium, Threshold: 1, GroupBy: []string{fieldActor},
			operations: []auditlog.Operation{auditlog.OperationGrant, auditlog.OperationRevoke},
			one:        "permission change", many: "permission changes",
		},
		{
			Name:        RuleNewAPIToken,
			Description: "Somebody created an API token.",
			// UpCloud tells tokens by a key of its record that is optional and may be
			// null; design/api-facts.md §1.5. Its values are an open set.
			Where: `entry.operation == "create" && (` +
				`entry.action.lowerAscii().contains("token") || entry.resource_type.lowerAscii().contains("token") || ` +
				`has(entry.raw.resource_sub_type) && type(entry.raw.resource_sub_type) == string && entry.raw.resource_sub_type.contains("token"))`,
			Severity: SeverityMedium, Threshold: 1, GroupBy: []string{fieldActor},
			Impossible: map[string]string{auditlog.ServiceCloudscale: "cloudscale's project log records changes to the project only; API tokens are in the logs of the organization and its users, which the API does not give."},
			operations: []auditlog.Operation{auditlog.OperationCreate},
			needs: map[string][]string{
				auditlog.ServiceUpCloud:  {auditlog.FieldRaw},
				auditlog.ServicePodStack: {"resource_type"},
			},
			one: "new API token", many: "new API tokens",
		},
		{
			Name: RuleLoginFromNewAddress,
			Description: "Somebody logged in from an address that they had not logged in from in the time before the window. " +
				"A login whose address is not recorded, or masked, or whose actor is not named, cannot be told from such a one and is a finding of its own.",
			Where:    `entry.operation == "login"`,
			Severity: SeverityMedium, Threshold: 1, GroupBy: []string{fieldActor, auditlog.FieldIPAddress},
			needs:      map[string][]string{"": {fieldActor, auditlog.FieldIPAddress}},
			operations: []auditlog.Operation{auditlog.OperationLogin},
			one:        "login from a new address", many: "logins from a new address",
		},
	}
}

// BuiltinNames lists the names of the rules that are built in.
func BuiltinNames() []string {
	all := Builtins()
	names := make([]string, len(all))

	for i := range all {
		names[i] = all[i].Name
	}

	return names
}

func builtinByName(name string) (Builtin, bool) {
	all := Builtins()
	if i := slices.IndexFunc(all, func(b Builtin) bool { return b.Name == name }); i >= 0 {
		return all[i], true
	}

	return Builtin{}, false
}

// conditions holds what the rules' texts compile to; a test compiles them all.
var conditions = sync.OnceValues(func() (map[string]auditlog.Condition, error) {
	all := map[string]auditlog.Condition{}

	for _, b := range Builtins() {
		compiled, err := where.Compile(b.Where)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", b.Name, err)
		}

		all[b.Name] = compiled
	}

	return all, nil
})

// match is the condition, asked only of entries that can meet it: most cannot,
// and a look at the operation is much cheaper.
func (b Builtin) match(condition auditlog.Condition) func(*auditlog.Entry) (bool, error) {
	return func(e *auditlog.Entry) (bool, error) {
		if !slices.Contains(b.operations, e.Operation) {
			return false, nil
		}

		return condition.Match(e)
	}
}

// notEvaluable says why the rule could not find anything, nil where it can.
func (b Builtin) notEvaluable(info auditlog.Info, q auditlog.Query) *NotEvaluable {
	not := func(byNature bool, format string, args ...any) *NotEvaluable {
		return &NotEvaluable{Rule: b.Name, Reason: fmt.Sprintf(format, args...), ByNature: byNature}
	}

	if reason := b.Never(info); reason != "" {
		return not(true, "%s", reason)
	}

	for _, field := range slices.Concat(b.needs[""], b.needs[info.Cloud()]) {
		if !info.Records(field) {
			return not(false, "%s never records %s, which the rule needs.", info.Title, field)
		}
	}

	if !intersects(b.operations, info.Operations) {
		return not(true, "No action of %s is known to mean %s.", info.Title, auditlog.OrText(b.operations))
	}

	if !intersects(b.operations, passing(info, q)) {
		return not(false, "The query leaves out %s, which is what the rule looks for.", auditlog.OrText(b.operations))
	}

	compiled, err := conditions()
	if err != nil {
		return nil // Evaluate reports it.
	}

	return impossible(b.Name, compiled[b.Name], info, q)
}

// Never says why no log of the service can show what the rule looks for, or
// nothing.
func (b Builtin) Never(info auditlog.Info) string {
	if reason := b.Impossible[info.Cloud()]; reason != "" {
		return reason
	}

	reason := ""

	for _, op := range b.operations {
		if reason = info.NeverOperations[op]; reason == "" {
			return ""
		}
	}

	return reason
}
