// SPDX-License-Identifier: MPL-2.0

package cloudscale

import (
	"cmp"
	"context"
	"fmt"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

// ForAccount tells the service what the user calls the account. Where that is
// empty, it is the UUID of the project that the records name.
func (s *Service) ForAccount(name string) *Service {
	s.info.Source.Account = name

	return s
}

// WithCredentialsHint replaces the sentence of Info that says how to configure
// access, where it is known which credentials are in use.
func (s *Service) WithCredentialsHint(text string) *Service {
	s.info.CredentialsHint = text

	return s
}

var _ auditlog.Identifier = (*Service)(nil)

// Identify implements auditlog.Identifier. Nothing but records names the project,
// so unless some were read, the oldest page of the log is. Whatever goes wrong
// leaves the account unknown: readings report what is wrong with the log.
func (s *Service) Identify(ctx context.Context) auditlog.Source {
	source := s.info.Source
	if source.Account != "" {
		return source
	}

	s.asking.Lock()
	defer s.asking.Unlock()

	if s.known() == "" && !s.asked {
		for page, err := range (client.CursorWalk[auditlog.Entry]{First: LogPath, Decode: DecodePage}).Pages(ctx, s.client) {
			if err == nil {
				err = s.learn(page, &auditlog.Completeness{})
			}

			// Who stopped waiting has found out nothing.
			s.asked = err == nil || ctx.Err() == nil

			break
		}
	}

	source.Account = s.known()

	return source
}

func (s *Service) known() string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.project
}

// learn takes over the UUID of the project that the page's records name, if any. A
// token belongs to one project, so a second one is an error: the log would be of two.
func (s *Service) learn(page client.Page[auditlog.Entry], c *auditlog.Completeness) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	for i := range page.Rows {
		e := &page.Rows[i]
		if e.ScopeType != scopeProject || e.ScopeID == "" {
			continue
		}

		if s.project = cmp.Or(s.project, e.ScopeID); e.ScopeID != s.project {
			return problem(client.KindShape, page.Number, fmt.Errorf(
				"a token belongs to one project, and the records are of two, %q and %q", s.project, e.ScopeID))
		}

		c.Source.Account = cmp.Or(c.Source.Account, e.ScopeID)
	}

	return nil
}
