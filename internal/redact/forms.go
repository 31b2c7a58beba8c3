// SPDX-License-Identifier: MPL-2.0

package redact

import (
	"regexp"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// people are the fields that hold e-mail addresses, in the order in which their rules
// count for one that stands in another text.
var people = []string{"actor", "scope_name", auditlog.FieldAccount}

// mail is an e-mail address in a text, such as "mailto:jane@example.com". The name of a
// mailbox ends at what separates words in identifiers and in addresses of pages. There,
// "@" can be written as "%40".
var mail = regexp.MustCompile(`(?i)("[^"]+"|[^\s:;,/=<>()\[\]"|\\@]+?)(@|%40)([\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)+)`)

var (
	// addressRun is what can be an IP address, its port and its block included, or
	// have one at its end.
	addressRun = regexp.MustCompile(`[\p{L}\p{N}_.:]+(?:/[0-9]{1,3})?`)
	dotted     = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)+`)
)

// recognised returns a text without the values of redacted fields that show by their
// form alone: e-mail addresses and IP addresses, which are replaced where they stand.
func (r *Redactor) recognised(text string) string {
	if t := r.firstTreatment(people...); t != nil && strings.ContainsAny(text, "@%") {
		text = mail.ReplaceAllStringFunc(text, func(found string) string {
			parts := mail.FindStringSubmatch(found)
			if parts[1] == Masked {
				return found // It is masked already.
			}

			return r.shownForm(t, parts[1]+"@"+parts[3])
		})
	}

	if t := r.firstTreatment(auditlog.FieldIPAddress); t != nil {
		text = addressRun.ReplaceAllStringFunc(text, func(run string) string { return r.withoutAddress(t, run) })
	}

	return text
}

// firstTreatment is the first that does not leave a value of the fields as it is, nil
// where there is none.
func (r *Redactor) firstTreatment(fields ...string) *treatment {
	for _, field := range fields {
		for _, t := range r.treatments(field) {
			if t.mode != Keep {
				return t
			}
		}
	}

	return nil
}

// withoutAddress treats the IP address that a run is or ends with, and those of IPv4
// that it holds.
func (r *Redactor) withoutAddress(t *treatment, run string) string {
	if from, to := addressAtEnd(run); from < to {
		return run[:from] + r.shownForm(t, run[from:to]) + run[to:]
	}

	return dotted.ReplaceAllStringFunc(run, func(number string) string {
		if !isAddress(number) {
			return number
		}

		return r.shownForm(t, number)
	})
}

// addressAtEnd finds an IP address that a run ends with, but for a full stop or a
// colon of the sentence that it stands in and for a number that is no size of a block.
// Both results are 0 where there is none.
func addressAtEnd(run string) (from, to int) {
	base, _, isPath := strings.Cut(run, "/")

	ends := []string{run, strings.TrimRight(run, "."), strings.TrimRight(run, ".:")}
	if isPath {
		ends = append(ends, base)
	}

	for _, text := range ends {
		for from := 0; ; {
			if isAddress(text[from:]) {
				return from, len(text)
			}

			next := strings.IndexByte(text[from:], ':')
			if next < 0 {
				break
			}

			from += next + 1
		}
	}

	return 0, 0
}

// isAddress says whether a text is an IP address or a block of some.
func isAddress(text string) bool {
	if _, err := auditlog.ParseAddress(text); err == nil {
		return true
	}

	_, ok := auditlog.AddressOf(text)

	return ok
}
