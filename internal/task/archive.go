// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

// Archive says which archive, and how it grows.
type Archive struct {
	archive.Options

	Destination string
	// Start is how far back the first run goes, as it is written.
	Start string
	// Keys sign what is written. Where there are none, the public key is the one that is
	// known to have signed, "" where nobody has.
	Keys      source.SigningKeys
	PublicKey string
	Redact    Redaction
}

// Open opens the archive of a service's log.
func (a *Archive) Open(ctx context.Context, sources *source.Sources, s auditlog.Service) (*archive.Archive, error) {
	o := a.Options
	if o.Lock != nil {
		o.Lock.Now = o.Clock
	}

	var err error
	if o.Store, err = sources.Store(ctx, a.Destination, o.Lock); err != nil {
		return nil, err
	}

	rules, wrong := a.Redact()
	if wrong.HasError() {
		return nil, errors.New(wrong[0].Error())
	}

	o.Service, o.Redactor = s, rules
	o.Start = query.StartOf(a.Start, o.Clock(), s.Info().Retention)

	if a.Keys.Current != "" {
		if err := a.Keys.Set(&o); err != nil {
			return nil, err
		}
	} else if a.PublicKey != "" {
		if o.Verifiers, err = source.Verifiers(a.PublicKey); err != nil {
			return nil, err
		}
	}

	return archive.Open(ctx, o)
}

// Append archives what is new, and says what there is to know of it.
func (a *Archive) Append(
	ctx context.Context, sources *source.Sources, s auditlog.Service,
) (*archive.Archive, archive.Result, explain.Problems) {
	fail := func(err error) explain.Problems {
		return explain.Problems{explain.Archive(err, a.Destination, s.Info())}
	}

	opened, err := a.Open(ctx, sources, s)
	if err == nil {
		err = opened.Ask(ctx)
	}

	if err != nil {
		return nil, archive.Result{}, fail(err)
	}

	result, err := opened.Append(ctx)
	if err != nil {
		return nil, archive.Result{}, fail(err)
	}

	problems := explain.Appended(&result, a.Destination, s.Info())

	return opened, result, problems
}

// Verification says which archive is verified, and against what.
type Verification struct {
	archive.VerifyOptions

	Destination string
	PublicKeys  []string
	WitnessKeys []string
	// Certificates and Since are "" where they are not given.
	Certificates string
	Since        string
}

// Run verifies the archive.
func (v *Verification) Run(ctx context.Context, sources *source.Sources) (*archive.Report, error) {
	store, err := sources.Store(ctx, v.Destination, nil)
	if err != nil {
		return nil, err
	}

	o := v.VerifyOptions
	if o.Verifiers, err = source.Verifiers(v.PublicKeys...); err != nil {
		return nil, err
	}

	for _, key := range v.WitnessKeys {
		w, err := witness.ParseKey(key)
		if err != nil {
			return nil, err
		}

		o.Witnesses = archive.DistinctKeys(append(o.Witnesses, w))
	}

	if v.Certificates != "" {
		if o.TimestampRoots, err = witness.ParseRoots([]byte(v.Certificates)); err != nil {
			return nil, err
		}
	}

	if v.Since != "" {
		since, err := archive.ParseCheckpoint(v.Since)
		if err != nil {
			return nil, err
		}

		o.Since = &since
	}

	return archive.Verify(ctx, store, o)
}

// Options lists the values that filters may take.
func Options(
	ctx context.Context, s auditlog.Service, w auditlog.Window, summary string,
) (auditlog.FilterOptions, explain.Problems) {
	options, err := s.FilterOptions(ctx, auditlog.Query{Window: w})
	if err != nil {
		return options, explain.Problems{explain.Error(err, explain.Circumstances{Summary: summary, Info: s.Info()})}
	}

	c := auditlog.Completeness{Window: w, Unread: options.Unread}
	if r, ok := s.(*archive.Reader); ok {
		c.Gaps = r.Gaps(w)
	}

	return options, explain.Completeness(s.Info(), c)
}
