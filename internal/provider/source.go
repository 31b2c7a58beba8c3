// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
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
		diags.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "Which archive to read is not said.",
			Next:    "Set destination to the directory or the s3:// URL of the archive.",
		}.With("Service", auditlog.ServiceArchive).At(explain.Argument("destination")))...)
	}

	if isArchive || m.service.IsUnknown() {
		return diags
	}

	for _, a := range []struct {
		name  string
		value attr.Value
	}{{"destination", m.destination}, {"public_keys", m.publicKeys}} {
		if given(a.value) {
			diags.Append(diagnose(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   "The argument " + a.name + " says which archive to read, but no archive is read.",
				Next:    "Set service = \"archive\", or remove the argument.",
			}.With("Service", m.service.ValueString()).At(explain.Argument(a.name)))...)
		}
	}

	return diags
}

// known says that the source could be opened.
func (m sourceModel) known() bool { return known(m.service, m.destination, m.publicKeys) }

// source returns what a query reads. Of an archive the chain has been verified
// then. Every type that reads gets its service here.
func (c *configured) source(ctx context.Context, summary string, m sourceModel) (auditlog.Service, explain.Problems) {
	s, picked, _ := c.sourceOrNone(ctx, summary, m)

	return s, picked
}

// sourceOrNone is source, and says whether what is wrong is only that there is no
// archive yet, or that the provider's configuration is not known yet.
func (c *configured) sourceOrNone(ctx context.Context, summary string, m sourceModel) (s auditlog.Service, picked explain.Problems, notYet bool) {
	if m.service.ValueString() != auditlog.ServiceArchive {
		return c.pick(summary, m.service)
	}

	r, err := c.openReader(ctx, m)
	if err != nil {
		return nil, explain.Problems{explain.Source(err, summary)}, errors.Is(err, archive.ErrNone)
	}

	return r, nil, false
}

// openStore opens the place of an archive.
func (c *configured) openStore(ctx context.Context, destination string) (durable.Store, error) {
	return durable.OpenStore(ctx, destination, durable.StoreOptions{LookupEnv: c.options.LookupEnv})
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
			diags.Append(diagnose(explain.Unanswerable(u, info))...)
		}
	}

	return diags
}
