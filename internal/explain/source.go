// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// OtherLog says that a thing, such as "archive", was of another log so far.
func OtherLog(err *auditlog.SourceError, summary, thing string) Problem {
	p := Problem{
		Summary: summary,
		Cause:   "The " + Plain(thing) + " is of another log than the one that is read now.",
		Next:    "Read the same log as before, or keep this one elsewhere: nothing was changed.",
	}.With("Kept so far", err.Known.String()).With("Read now", err.Found.String())

	if sameBut := err.Known; !sameBut.Differs(auditlog.Source{Service: err.Found.Service, Endpoint: err.Found.Endpoint}) {
		p.Next = Textf("Use credentials of the same account as before, or keep this log elsewhere: nothing was changed; "+
			"if both are one account, say so with {account = %q in the provider's %s block}.", err.Known.Account, err.Known.Service)

		if redact.IsPseudonym(err.Known.Account) {
			p.Next = "Use credentials of the same account as before, or keep this log elsewhere: nothing was changed."
		}
	}

	return p
}

// Unconfirmed says that a thing goes on although nothing says that the log is
// still the same one's.
func Unconfirmed(known auditlog.Source, summary, thing string) Problem {
	p := Problem{
		Summary: summary,
		Cause:   "The " + Plain(thing) + " is of a known account, and whose log is read now could not be confirmed.",
		Next: Textf("Find out whether the credentials are still those of that account; to say that they are, set {account = %q in the provider's %s block}.",
			known.Account, known.Service),
	}.With("Kept so far", known.String())

	// What is set has to be the name: of a pseudonym another one would be made.
	if redact.IsPseudonym(known.Account) {
		p.Next = Textf("Find out whether {redaction_key} is still the same, which made the pseudonym, and whether the credentials are still those of that account; "+
			"to say that they are, set {account in the provider's %s block} to its name.", known.Service)
	}

	return p.AsWarning()
}
