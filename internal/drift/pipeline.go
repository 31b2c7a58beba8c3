// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Pipeline says which entries Terraform made itself: those that meet everything that is given. One of which nothing is
// given is nobody.
type Pipeline struct {
	// Actors are ids, or names where the cloud keeps them unique; see auditlog.Info.UniqueActor.
	Actors []string
	// Addresses are blocks that requests come from. An address that cannot be read lies in none.
	Addresses []netip.Prefix
	AuthTypes []string
	Where     auditlog.Condition
	// Runs are the times at which it ran.
	Runs []auditlog.Window
}

// given says whether the pipeline is anybody.
func (p *Pipeline) given() bool {
	return len(p.Actors) > 0 || len(p.Addresses) > 0 || len(p.AuthTypes) > 0 || p.Where != nil || len(p.Runs) > 0
}

// Needs are the fields that it looks at.
func (p *Pipeline) Needs() []string {
	var needs []string

	for field, given := range map[string]bool{
		"actor": len(p.Actors) > 0, auditlog.FieldIPAddress: len(p.Addresses) > 0, "auth_type": len(p.AuthTypes) > 0,
	} {
		if given {
			needs = append(needs, field)
		}
	}

	slices.Sort(needs)

	return needs
}

// ConditionError is a condition that cannot be decided for an entry.
type ConditionError struct{ Err error }

func (e *ConditionError) Error() string {
	return fmt.Sprintf("the condition of the pipeline: %v", e.Err)
}

func (e *ConditionError) Unwrap() error { return e.Err }

// did says whether the pipeline made the entry. Where it would have if the actor's name were one that nobody else can
// have, it did not, and chosen. Where a condition on such a name says that it did, it did, and chosen.
func (p *Pipeline) did(e *auditlog.Entry, info auditlog.Info) (did, chosen bool, err error) {
	if !p.given() {
		return false, false, nil
	}

	if len(p.Addresses) > 0 &&
		!slices.ContainsFunc(p.Addresses, func(b netip.Prefix) bool { return auditlog.InBlock(b, e.IPAddress) }) {
		return false, false, nil
	}

	if len(p.AuthTypes) > 0 && !contains(p.AuthTypes, e.AuthType) {
		return false, false, nil
	}

	if len(p.Runs) > 0 &&
		!slices.ContainsFunc(p.Runs, func(w auditlog.Window) bool { return w.Contains(e.Time) }) {
		return false, false, nil
	}

	if p.Where != nil {
		if holds, err := p.Where.Match(e); err != nil || !holds {
			if err != nil {
				err = &ConditionError{err}
			}

			return false, false, err
		}
	}

	unique := info.UniqueActor != nil && info.UniqueActor(e)

	switch named := contains(p.Actors, e.Actor); {
	case contains(p.Actors, e.ActorID):
		return true, false, nil
	case len(p.Actors) == 0:
		byName := p.Where != nil && p.Where.Uses("actor") && !p.Where.Uses("actor_id")

		return true, byName && e.Actor != "" && !unique, nil
	default:
		return named && unique, named && !unique, nil
	}
}

// contains says whether a value that was recorded is one of the texts.
func contains(texts []string, value string) bool {
	value = auditlog.Normal(value)

	return value != "" && slices.ContainsFunc(texts, func(t string) bool { return auditlog.Normal(t) == value })
}
