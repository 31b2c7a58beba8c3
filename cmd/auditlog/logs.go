// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// reading are the flags of commands that read several logs at once, and how they are reached.
type reading struct {
	connecting

	Service     []string `group:"Which log" placeholder:"NAME" help:"Which clouds: ${clouds}. May be given several times. Default: the configured clouds that the resources are of, unless --destination is given."`
	Destination []string `group:"Which log" sep:"none" placeholder:"PLACE" help:"Archives to read as well: directories or s3:// URLs. May be given several times. What several logs hold is told once."`
	PublicKeys  []string `group:"Which log" placeholder:"KEY" sep:"none"`

	Verbose bool `help:"Say on standard error which requests are made."`
}

// check holds what may be given several times against the forms of what may be given once.
func (r *reading) check() explain.Problems {
	var found explain.Problems

	for _, a := range source.Table() {
		for _, value := range map[string][]string{"service": r.Service, "destination": r.Destination}[a.Name] {
			if p, wrong := a.Form.Problem(flagOf(a.Name), value); wrong {
				found.Add(p.At(explain.Argument(a.Name)))
			}
		}
	}

	return found
}

// openAll opens the clouds and the archives. Where none is named, the clouds are those of the resources that are
// configured.
func (r *reading) openAll(
	ctx context.Context, env environment, summary string, clouds ...string,
) ([]auditlog.Service, *source.Sources, error) {
	services := r.Service
	if len(services)+len(r.Destination) == 0 {
		sources, err := (&asking{naming{}, r.connecting, r.Verbose}).sources(env)
		if err != nil {
			return nil, nil, err
		}

		for _, name := range sources.Configured() {
			if slices.Contains(clouds, name) {
				services = append(services, name)
			}
		}
	}

	var names []naming

	for i, name := range services {
		// Archives are told by their places.
		archived := name == auditlog.ServiceArchive && len(r.Destination) > 0
		if !archived && !slices.Contains(services[:i], name) {
			names = append(names, naming{Service: name})
		}
	}

	for i, place := range r.Destination {
		if !slices.Contains(r.Destination[:i], place) {
			names = append(names, naming{auditlog.ServiceArchive, place, r.PublicKeys})
		}
	}

	if len(names) == 0 {
		names = append(names, naming{})
	}

	if len(r.Destination) == 0 {
		names[0].PublicKeys = r.PublicKeys // They are refused, as there is no archive.
	}

	var (
		logs    []auditlog.Service
		sources *source.Sources
	)

	for _, name := range names {
		log := asking{name, r.connecting, r.Verbose}

		opened, of, err := log.open(ctx, env, summary)
		if err != nil {
			return nil, nil, err
		}

		logs, sources = append(logs, opened), of
	}

	return logs, sources, nil
}
