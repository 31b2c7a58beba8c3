// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"regexp"
	"strings"
)

var (
	argumentSlot = regexp.MustCompile(`^([a-z][a-z0-9_]*)(?: = (.*))?$`)
	blockSlot    = regexp.MustCompile(`^([a-z_]+)(?: = (.*))? in the provider's (\S+) block$`)
)

// Flags are the words of a command line. An argument is a flag, and what only Terraform
// knows of is left out or said in another way.
func Flags(slot string) string {
	if words, ok := flagWords[slot]; ok {
		return words
	}

	if strings.HasPrefix(slot, " in the provider") {
		return "" // A flag and a variable have no place.
	}

	if m := blockSlot.FindStringSubmatch(slot); m != nil {
		return Flags(strings.TrimSuffix(m[3]+"_"+m[1]+" = "+m[2], " = "))
	}

	m := argumentSlot.FindStringSubmatch(slot)

	switch {
	case m == nil:
		return slot
	case m[2] == "", m[2] == "true":
		return "--" + strings.ReplaceAll(m[1], "_", "-")
	default:
		return "--" + strings.ReplaceAll(m[1], "_", "-") + "=" + strings.Trim(m[2], `"`)
	}
}

var flagWords = map[string]string{
	"the value in the timeouts block":                    "--timeout",
	"redaction_key in the provider configuration, or ":   "",
	"password in the provider's upcloud block, or ":      "",
	"username in the provider's upcloud block, or ":      "",
	"the provider's podstack block":                      "--podstack-columns",
	"its ignored_columns":                                "--podstack-ignored-columns",
	"the first apply of an audit_log_archive begins one": "auditlog reads archives, and Terraform begins them",
	"Terraform's state":                                  "the result",
	"audit_log_export":                                   "auditlog export",
	"audit_log_archive":                                  "archives",
	"redaction_key":                                      RedactionKeyEnv,
	"signing_key":                                        SigningKeyEnv,
	"previous_signing_key":                               PreviousKeyEnv,
	"group_by":                                           "group_by of the rule",
	"csv":                                                "--csv-delimiter and --csv-bom",
	"pipeline":                                           "--pipeline-actors, --pipeline-ip-addresses, --pipeline-auth-types, --pipeline-where or --pipeline-runs",
	"audit_log_filter_options":                           "the service's documentation",
	"an audit_log_archive":                               "an archive",
	"configure a service in the provider block":          "give --podstack-exports",
	"the next apply":                                     "the next run",
	"forget the resource with \"terraform state rm\"":    "leave it",
	"a file read with file() often ends in a line break, which trimspace() removes": "a file often ends in a line break",
	"let a postcondition look at completeness.gaps":                                 "give --strict",
	"let a postcondition look at completeness.caveats":                              "give --strict",
}
