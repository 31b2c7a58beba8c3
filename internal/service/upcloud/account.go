// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"context"
	"errors"
	"sync"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// account is the user name that the service knows the credential by.
type account struct {
	// asks says that the user gave no name for the account.
	asks bool

	mu    sync.Mutex // held while asking
	asked bool
	name  string
}

// ForAccount makes the service know whose log it is: what the user calls the
// account, or, where that is empty, the user name that the service gives for the
// credential. It must be called before anything is read.
func (s *Service) ForAccount(name string) *Service {
	s.info.Source.Account, s.account.asks = name, name == ""

	return s
}

// WithCredentialsHint replaces the sentence of Info that says how to configure
// access, where it is known which credentials are in use.
func (s *Service) WithCredentialsHint(text string) *Service {
	s.info.CredentialsHint = text

	return s
}

var _ auditlog.Identifier = (*Service)(nil)

// Identify implements auditlog.Identifier. A credential may be allowed to read the
// log and not the account, and a log is worth reading even where the service fails
// to say whose it is; so whatever goes wrong leaves the account unknown.
func (s *Service) Identify(ctx context.Context) auditlog.Source {
	source := s.info.Source
	if !s.account.asks {
		return source
	}

	s.account.mu.Lock()
	defer s.account.mu.Unlock()

	if !s.account.asked {
		name, err := accountName(ctx, s.client)
		// Who stopped waiting has found out nothing.
		s.account.name, s.account.asked = name, err == nil || ctx.Err() == nil
	}

	source.Account = s.account.name

	return source
}

func accountName(ctx context.Context, c *client.Client) (string, error) {
	name := ""

	err := c.Get(ctx, AccountPath, nil, func(body []byte, _ func(string) string) (err error) {
		name, err = DecodeAccount(body)

		return err
	})
	if err != nil {
		return "", err
	}

	return name, nil
}

// DecodeAccount reads the user name of the account.
func DecodeAccount(body []byte) (string, error) {
	var answer struct {
		Account struct {
			Username string `json:"username"`
		} `json:"account"`
	}

	if err := exactjson.Unmarshal(body, &answer); err != nil {
		return "", err
	}

	if answer.Account.Username == "" {
		return "", errors.New("it names no account")
	}

	return answer.Account.Username, nil
}
