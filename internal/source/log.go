// SPDX-License-Identifier: MPL-2.0

package source

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// Log says what is read, as it is written: a service, or an archive of one. What is not
// given is empty.
type Log struct {
	Service     string
	Destination string
	PublicKeys  []string
}

// Names lists what may be read.
func Names() []string { return append([]string{auditlog.ServiceArchive}, auditlog.Clouds()...) }

// InfoOf returns what is known of a service without asking it.
func InfoOf(name string) (auditlog.Info, bool) {
	switch name {
	case auditlog.ServiceUpCloud:
		return upcloud.Info(), true
	case auditlog.ServiceCloudscale:
		return cloudscale.Info(), true
	case auditlog.ServicePodStack:
		return podstack.Info(), true
	default:
		return auditlog.Info{}, false
	}
}

// The descriptions of the arguments that say which archive, for every type that reads.
const (
	DestinationText = "The archive to read, with `service = \"archive\"` and only there: a directory or an `s3://` URL, as for `audit_log_archive`. Nothing is written to it."
	PublicKeysText  = "Public keys, one of which must have signed the archive's newest checkpoint, with `service = \"archive\"`. Default: signatures are not checked."
)

// Table lists the arguments that say what is read.
func Table() []query.Argument {
	return []query.Argument{
		{
			Name:        "service",
			Description: "Which cloud: `" + strings.Join(auditlog.Clouds(), "`, `") + "`; or `" + auditlog.ServiceArchive + "`, to read an archive of any of them back. Default: the only configured cloud.",
			Form:        query.OneOf(Names()...),
		},
		{Name: "destination", Description: DestinationText, Form: DestinationForm()},
		{Name: "public_keys", Description: PublicKeysText, List: true, Form: PublicKeyForm()},
	}
}

// DestinationForm is the place of an archive.
func DestinationForm() explain.Form {
	return explain.Form{
		Description: `a directory, or a bucket such as "s3://evidence/audit?endpoint=https://objects.example.com&region=de"`,
		Check: func(value string) error {
			_, err := durable.ParseDestination(value)

			return err
		},
	}
}

// PublicKeyForm shows no private key that was given in place of the public one.
func PublicKeyForm() explain.Form {
	f := explain.Form{
		Description: "a public key as auditlog keygen prints it",
		Without:     "check no signature",
		Check: func(value string) error {
			_, err := archive.ParsePublicKey(value)

			return err
		},
	}

	f.Explain = func(name string, err error) explain.Problem {
		if !errors.Is(err, archive.ErrPrivateKey) {
			return f.Refusal(name, errors.New("no public key"))
		}

		return explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   explain.Textf("The value of %s holds a private key, which would get into the state.", name),
			Next:    "Give what auditlog keygen prints behind \"public key: \", and make another pair of keys if somebody may have seen this one.",
		}.OfSecret()
	}

	return f
}

// Check reports what does not go together.
func (l Log) Check() explain.Problems {
	var found explain.Problems

	if l.Service == auditlog.ServiceArchive {
		if l.Destination == "" {
			found.Add(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   "Which archive to read is not said.",
				Next:    "Set {destination} to the directory or the s3:// URL of the archive.",
			}.With("Service", auditlog.ServiceArchive).At(explain.Argument("destination")))
		}

		return found
	}

	for _, a := range []struct {
		name  string
		given bool
	}{{"destination", l.Destination != ""}, {"public_keys", l.PublicKeys != nil}} {
		if a.given {
			found.Add(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   "The argument " + explain.Plain(a.name) + " says which archive to read, but no archive is read.",
				Next:    "Set {service = \"archive\"}, or remove the argument.",
			}.With("Service", l.Service).At(explain.Argument(a.name)))
		}
	}

	return found
}

// Open returns what a query reads. Of an archive the chain has been verified then. Not
// yet says that what is wrong is only that there is no archive yet, or that the
// configuration is not known yet.
func (s *Sources) Open(
	ctx context.Context, summary string, l Log,
) (service auditlog.Service, wrong explain.Problems, notYet bool) {
	if l.Service != auditlog.ServiceArchive {
		return s.Service(summary, l.Service)
	}

	r, err := s.Reader(ctx, l)
	if err != nil {
		return nil, explain.Problems{explain.Source(err, summary)}, errors.Is(err, archive.ErrNone)
	}

	return r, nil, false
}

// Store opens the place of an archive. The lock is for what is written there, nil where
// nothing is protected.
func (s *Sources) Store(ctx context.Context, destination string, lock *durable.ObjectLock) (durable.Store, error) {
	return durable.OpenStore(ctx, destination, durable.StoreOptions{LookupEnv: s.options.LookupEnv, ObjectLock: lock})
}

// Verifiers reads public keys, of which one that is there twice counts once.
func Verifiers(keys ...string) ([]note.Verifier, error) {
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

// Reader opens an archive, whose chain has been verified then. The error is an *archive.ReadError.
func (s *Sources) Reader(ctx context.Context, l Log) (*archive.Reader, error) {
	fail := func(err error) error { return &archive.ReadError{Destination: l.Destination, Err: err} }

	store, err := s.Store(ctx, l.Destination, nil)
	if err != nil {
		return nil, fail(err)
	}

	o := archive.ReaderOptions{InfoOf: InfoOf}
	if o.Verifiers, err = Verifiers(l.PublicKeys...); err != nil {
		return nil, fail(err)
	}

	return archive.OpenReader(ctx, store, o)
}
