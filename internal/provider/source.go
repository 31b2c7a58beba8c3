// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"io/fs"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// sourceModel says what is read: a service, or an archive of one.
type sourceModel struct {
	service, destination types.String
	publicKeys           types.List
}

// sourceNames lists what a type that reads may read.
func sourceNames() []string { return append([]string{auditlog.ServiceArchive}, serviceNames()...) }

// The descriptions of the arguments that say which archive, for every type that reads.
const (
	sourceDestinationText = "The archive to read, with `service = \"archive\"` and only there: a directory or an `s3://` URL, as for `audit_log_archive`. Nothing is written to it."
	sourcePublicKeysText  = "Public keys, one of which must have signed the archive's newest checkpoint, with `service = \"archive\"`. Default: signatures are not checked."
)

// validate reports what does not go together, whichever values are still unknown.
func (m sourceModel) validate() diag.Diagnostics {
	var diags diag.Diagnostics

	isArchive := m.service.ValueString() == auditlog.ServiceArchive

	if isArchive && m.destination.IsNull() {
		diags.Append(problem{
			summary: checkConfiguration,
			cause:   "Which archive to read is not said.",
			next:    "Set destination to the directory or the s3:// URL of the archive.",
		}.with("Service", auditlog.ServiceArchive).at(path.Root("destination")))
	}

	if isArchive || m.service.IsUnknown() {
		return diags
	}

	for _, a := range []struct {
		name  string
		value attr.Value
	}{{"destination", m.destination}, {"public_keys", m.publicKeys}} {
		if given(a.value) {
			diags.Append(problem{
				summary: checkConfiguration,
				cause:   "The argument " + a.name + " says which archive to read, but no archive is read.",
				next:    "Set service = \"archive\", or remove the argument.",
			}.with("Service", m.service.ValueString()).at(path.Root(a.name)))
		}
	}

	return diags
}

// known says that the source could be opened.
func (m sourceModel) known() bool { return known(m.service, m.destination, m.publicKeys) }

// source returns what a query reads. Of an archive the chain has been verified
// then. Every type that reads gets its service here.
func (c *configured) source(ctx context.Context, summary string, m sourceModel) (auditlog.Service, diag.Diagnostic) {
	s, picked, _ := c.sourceOrNone(ctx, summary, m)

	return s, picked
}

// sourceOrNone is source, and says whether what is wrong is only that there is no
// archive yet, or that the provider's configuration is not known yet.
func (c *configured) sourceOrNone(ctx context.Context, summary string, m sourceModel) (s auditlog.Service, picked diag.Diagnostic, notYet bool) {
	if m.service.ValueString() != auditlog.ServiceArchive {
		return c.pick(summary, m.service)
	}

	r, err := c.openReader(ctx, m)
	if err != nil {
		return nil, sourceProblem(err, summary), errors.Is(err, archive.ErrNone)
	}

	return r, nil, false
}

// openStore opens the place of an archive.
func (c *configured) openStore(ctx context.Context, destination string) (durable.Store, error) {
	return durable.OpenStore(ctx, destination, durable.StoreOptions{LookupEnv: c.options.LookupEnv})
}

// storeProblem says what is wrong with a destination itself, whether it is read or
// written.
func storeProblem(p problem, err error) (problem, bool) {
	place, credentials := (*durable.DestinationError)(nil), (*durable.CredentialsError)(nil)

	switch {
	case errors.As(err, &place):
		p.cause = "The destination cannot be used: it is " + place.Error() + "."
		p.next = "Give a directory, or a bucket such as \"s3://evidence/audit?endpoint=https://objects.example.com&region=de\"."
	case errors.As(err, &credentials):
		p.cause = "No credentials were found for the bucket."
		p.next = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
	default:
		return p, false
	}

	return p, true
}

// verifiersOf reads public keys, of which one that is there twice counts once.
func verifiersOf(keys ...string) ([]note.Verifier, error) {
	verifiers := make([]note.Verifier, 0, len(keys))

	for _, key := range keys {
		v, err := archive.ParsePublicKey(key)
		if err != nil {
			return nil, err
		}

		verifiers = append(verifiers, v)
	}

	return archive.DistinctKeys(verifiers), nil
}

func (c *configured) openReader(ctx context.Context, m sourceModel) (*archive.Reader, error) {
	fail := func(err error) error { return &archive.ReadError{Destination: m.destination.ValueString(), Err: err} }

	store, err := c.openStore(ctx, m.destination.ValueString())
	if err != nil {
		return nil, fail(err)
	}

	o := archive.ReaderOptions{InfoOf: infoOf}
	if o.Verifiers, err = verifiersOf(stringsOf[string](m.publicKeys)...); err != nil {
		return nil, fail(err)
	}

	return archive.OpenReader(ctx, store, o)
}

// sourceProblem puts what is wrong with an archive on the argument that names it.
func sourceProblem(err error, summary string) diag.Diagnostic {
	at := path.Root("destination")
	if errors.Is(err, archive.ErrSignature) {
		at = path.Root("public_keys")
	}

	return explain(err, circumstances{summary: summary, info: auditlog.Info{Name: auditlog.ServiceArchive}}).at(at)
}

// unanswerable refuses the filters that a part of an archive cannot answer. Of
// other services their info says as much.
func unanswerable(s auditlog.Service, q auditlog.Query) diag.Diagnostics {
	r, ok := s.(auditlog.Answerer)
	if !ok {
		return nil
	}

	info := s.Info()
	known := q.Unanswerable(info)

	var diags diag.Diagnostics

	for _, u := range r.Unanswerable(q) {
		// What holds for the whole archive has been reported with the arguments.
		reported := false
		for _, k := range known {
			reported = reported || *k == *u
		}

		if !reported {
			diags.Append(unanswerableProblem(u, info))
		}
	}

	return diags
}

// explainArchive says what is in the way of reading an archive back.
func explainArchive(p problem, err *archive.ReadError) problem {
	p = p.with("Destination", err.Destination)
	if p, ok := storeProblem(p, err); ok {
		return p
	}

	if p, ok := p.ended(err); ok {
		return p
	}

	refused := (*archive.UnanswerableError)(nil)
	p.cause = sentence(err.Err.Error())
	p.next = "Nothing of the archive was used; try again once the cause is removed."

	switch {
	case errors.As(err, &refused):
		p.cause = refused.Filters[0].Reason
		p.next = "Remove the filter, or ask for a window that can answer it."
	case errors.Is(err, archive.ErrNone):
		p.cause = "There is no archive at the destination."
		p.next = "Check the destination; the first apply of an audit_log_archive begins one."
	case errors.Is(err, archive.ErrForeign):
		p.next = "Read it with a version of the provider that knows this service."
	case errors.Is(err, archive.ErrBroken):
		p.next = "Run \"auditlog verify\" on the destination to see what was changed; nothing of a broken archive is used."
	case errors.Is(err, archive.ErrSignature):
		p.next = "Give the public key of the key that signs the archive; if this is the one, find out who else wrote the checkpoint."
	case errors.Is(err, fs.ErrPermission):
		p.next = "Grant read access to the destination."
	}

	return p
}

// logOf names what is read in a summary.
func logOf(info auditlog.Info) string {
	if info.Name == auditlog.ServiceArchive {
		return info.Title
	}

	return info.Title + " audit logs"
}
