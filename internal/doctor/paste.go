// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"fmt"
	"strings"
)

// Paste is what may be pasted into an issue: no sentence, no address, no account. About
// says which program made it, such as "auditlog 0.1.0, linux/amd64".
func Paste(about string, reports []Report) string {
	var b strings.Builder

	b.WriteString(about + "\n")

	for i := range reports {
		r := &reports[i]
		_, _ = fmt.Fprintf(&b, "%s: %s\n", orNone(r.Service), count(r.Requests, "request"))

		for _, c := range r.Checks {
			_, _ = fmt.Fprintf(&b, "  %-8s %s: %s\n", c.Verdict, c.Name, c.Value)
		}
	}

	return b.String()
}

func orNone(service string) string {
	if service == "" {
		return "no service"
	}

	return service
}
