// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// SigningKey says what a key must be and nothing of what it is.
func SigningKey(name string) Problem {
	return Problem{
		Summary: CheckConfiguration,
		Cause:   "The value of " + Plain(name) + " is not a private key.",
		Next:    "Give a key as \"auditlog keygen NAME\" prints it; it begins with PRIVATE+KEY.",
	}
}

// Archive explains what is wrong with an archive, its place or the service.
func Archive(err error, destination string, info auditlog.Info) Problem {
	if d, ok := reading(err, Circumstances{Summary: ArchiveLogs, Info: info}); ok {
		return d
	}

	if other := (*auditlog.SourceError)(nil); errors.As(err, &other) {
		return OtherLog(other, ArchiveLogs, "archive").With("Destination", destination).At(Argument("destination"))
	}

	if condition := (*where.Error)(nil); errors.As(err, &condition) {
		return Condition(err).At(Argument("where"))
	}

	at := Argument("destination")
	p := Problem{Summary: ArchiveLogs, Cause: Sentence(err.Error()), Next: "Nothing that was archived is lost; {the next apply} goes on from there."}.
		With("Service", info.Name).With("Destination", destination)

	if p, ok := storeProblem(p, err); ok {
		return p.At(at)
	}

	if p, ok := p.ended(err); ok {
		return p.At(at)
	}

	gap := (*archive.GapError)(nil)

	switch {
	case errors.As(err, &gap):
		p.Cause = "Entries are missing that " + Plain(info.Title) + " has dropped before they were archived."
		p.Next = "Find out why nothing was archived in time; to go on all the same, set {accept_gap_after = " + Plain(strconv.FormatInt(gap.After, 10)) + "}, and the archive will say what is missing."
		p = p.With("Missing", auditlog.Window{Start: gap.CoveredUntil, End: gap.Oldest}.String())
		at = Argument("accept_gap_after")
	case errors.Is(err, archive.ErrNone):
		p.Next = "Check the destination; to begin an archive there, apply instead of importing."
	case errors.Is(err, archive.ErrForeign):
		p.Next = "Choose a destination that is empty or holds an archive of this service; nothing was changed there."
	case errors.Is(err, archive.ErrBroken):
		p.Next = "Run \"auditlog verify\" on the destination to see what was changed; nothing is appended to a broken archive."
	case errors.Is(err, archive.ErrNoKey):
		p.Cause = "The archive is signed, and no key is given to sign what is added to it."
		p.Next = "Give the {signing_key} that signed last, or set " + SigningKeyEnv + "; nothing was written."
	case errors.Is(err, archive.ErrSignature):
		// Not at the key: Terraform would show the line that it is written in.
		p.Next = "Give the {signing_key} that signed last, and none where the archive is not signed; to change the key, give that one as {previous_signing_key}, or set " + PreviousKeyEnv + ". Nothing was written."
	case errors.Is(err, archive.ErrAttest):
		p.Next = "What was read is archived, and {the next apply} asks again; set {attestation_required = false} to be warned instead."
		at = Argument("attestation_required")
	case errors.Is(err, archive.ErrLost):
		p.Next = "Wait for the other runs to end and apply again; what they archived is not archived again."
	case errors.Is(err, archive.ErrFuture):
		p.Next = "Find out which clock was wrong: what happens until then would never be archived, so begin another archive."
	case errors.Is(err, archive.ErrTooLong):
		p.Next = "Archive with fewer or shorter filters, and filter when reading back."
	case errors.Is(err, durable.ErrNoObjectLock):
		p.Next = "Enable object lock for the bucket, which often is possible only when it is made; or remove {object_lock}. Nothing was added to the archive."
		at = Argument("object_lock")
	case errors.Is(err, archive.ErrUnlocked):
		p.Next = "Let the key that writes have s3:PutObjectRetention and s3:GetObjectRetention; or remove {object_lock}. Nothing was added to the archive."
		at = Argument("object_lock")
	case errors.Is(err, durable.ErrNotConditional):
		p.Next = "Use a bucket that honours If-None-Match, or a file system with hard links: without either, two runs could overwrite each other."
	case errors.Is(err, fs.ErrPermission):
		p.Next = "Grant read, write and list access to the destination."
	}

	return p.At(at)
}

// OpenGaps names what the archive waits for.
func OpenGaps(info auditlog.Info, gaps []auditlog.Window, head archive.Head) Problems {
	if len(gaps) == 0 {
		return nil
	}

	p := Problem{
		Summary: "The archive waits for missing exports",
		Cause:   "There are gaps between the exports of " + Plain(info.Title) + ": what lies behind the first is archived as far as it is known, but counts as covered only when the gap is filled.",
		Next:    "Add exports of these times; to give up the first, set {accept_gap_after = " + Plain(strconv.FormatInt(head.Sequence, 10)) + "}.",
	}.With("Service", info.Name)

	return Problems{p.withGaps(gaps).AsWarning()}
}

// storeProblem says what is wrong with a destination itself, whether it is read or
// written.
func storeProblem(p Problem, err error) (Problem, bool) {
	place, credentials := (*durable.DestinationError)(nil), (*durable.CredentialsError)(nil)

	switch {
	case errors.As(err, &place):
		p.Cause = "The destination cannot be used: it is " + Plain(place.Error()) + "."
		p.Next = "Give a directory, or a bucket such as \"s3://evidence/audit?endpoint=https://objects.example.com&region=de\"."
	case errors.As(err, &credentials):
		p.Cause = "No credentials were found for the bucket."
		p.Next = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
	default:
		return p, false
	}

	return p, true
}

// Source puts what is wrong with an archive on the argument that names it.
func Source(err error, summary string) Problem {
	at := Argument("destination")
	if errors.Is(err, archive.ErrSignature) {
		at = Argument("public_keys")
	}

	return Error(err, Circumstances{Summary: summary, Info: auditlog.Info{Name: auditlog.ServiceArchive}}).At(at)
}

// explainArchive says what is in the way of reading an archive back.
func explainArchive(p Problem, err *archive.ReadError) Problem {
	p = p.With("Destination", err.Destination)
	if p, ok := storeProblem(p, err); ok {
		return p
	}

	if p, ok := p.ended(err); ok {
		return p
	}

	refused := (*archive.UnanswerableError)(nil)
	p.Cause = Sentence(err.Err.Error())
	p.Next = "Nothing of the archive was used; try again once the cause is removed."

	switch {
	case errors.As(err, &refused):
		p.Cause = Plain(refused.Filters[0].Reason)
		p.Next = "Remove the filter, or ask for a window that can answer it."
	case errors.Is(err, archive.ErrNone):
		p.Cause = "There is no archive at the destination."
		p.Next = "Check the destination; {the first apply of an audit_log_archive begins one}."
	case errors.Is(err, archive.ErrForeign):
		p.Next = "Read it with a newer version, which knows this service."
	case errors.Is(err, archive.ErrBroken):
		p.Next = "Run \"auditlog verify\" on the destination to see what was changed; nothing of a broken archive is used."
	case errors.Is(err, archive.ErrSignature):
		p.Next = "Give the public key of the key that signs the archive; if this is the one, find out who else wrote the checkpoint."
	case errors.Is(err, fs.ErrPermission):
		p.Next = "Grant read access to the destination."
	}

	return p
}

const archiveUnconfirmed = "Whose log is archived is not known"

// Pending says what there is to know of what waits to be archived.
func Pending(p *archive.Pending, a *archive.Archive, info auditlog.Info) Problems {
	found := OpenGaps(info, p.Gaps, a.Head())
	found.Add(Unread(info, p.Unread)...)

	if !p.Confirmed {
		found.Add(Unconfirmed(a.Last().Source, archiveUnconfirmed, "archive"))
	}

	return found
}

// Appended says what there is to know of what was archived.
func Appended(r *archive.Result, destination string, info auditlog.Info) Problems {
	var found Problems

	if r.ResumedBy == archive.ResumedByFallback {
		found.Add(Problem{
			Summary: "The service no longer accepts the archive's cursor",
			Cause:   "What was read before was read again in part instead, so that nothing is missing.",
			Next:    "Nothing needs to be done; the archive says so in its manifest.",
		}.With("Service", info.Name).AsWarning())
	}

	found.Add(OpenGaps(info, r.Gaps, r.Head)...)

	if len(r.Named) > 0 {
		found.Add(Problem{
			Summary: "The archive's manifests name what is redacted",
			Cause:   "Filters have values that entries have in redacted fields, and every manifest shows the filters.",
			Next:    "Ask for the field itself, as in actors or entry.actor, whose values are shown as the entries have them.",
		}.With("Arguments", strings.Join(r.Named, ", ")).AsWarning())
	}

	for _, text := range r.Unattested {
		found.Add(Problem{
			Summary: "The archive's checkpoint is not attested",
			Cause:   Sentence(text),
			Next:    "Nothing that was archived is lost; the next run that archives something asks again.",
		}.With("Destination", destination).AsWarning())
	}

	if !r.Confirmed {
		found.Add(Unconfirmed(r.Source, archiveUnconfirmed, "archive"))
	}

	if info.FilledLater && r.Lost != nil {
		found.Add(Problem{
			Summary: "The archive leaves out a part of the log",
			Cause:   "There are no exports of it, and the archive goes on without: exports that come later are not taken in.",
			Next:    "To archive it after all, add its exports and begin another archive.",
		}.With("Service", info.Name).
			With("Left out", auditlog.Window{Start: r.Lost.From, End: r.Lost.To}.String()).AsWarning())
	}

	found.Add(doubts(info, r.Completeness)...)

	if r.Completeness.BeyondRetention && r.ResumedBy == archive.ResumedFromStart {
		found.Add(Retention(info, r.Completeness).AsWarning())
	}

	return found
}
