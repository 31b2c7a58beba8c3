// SPDX-License-Identifier: MPL-2.0

package source

import (
	"cmp"
	"errors"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// RedactionKeyForm is a key that makes pseudonyms.
func RedactionKeyForm() explain.Form {
	return explain.Form{
		Description: "a random text",
		Check:       func(value string) error { return redact.CheckKey([]byte(value)) },
		Explain:     func(name string, _ error) explain.Problem { return explain.RedactionKey(name).OfSecret() },
	}
}

// SigningKeyForm is a key that signs checkpoints.
func SigningKeyForm() explain.Form {
	return explain.Form{
		Description: "a private key as auditlog keygen prints it",
		Check: func(value string) error {
			_, err := archive.ParsePrivateKey(value)

			return err
		},
		Explain: func(name string, _ error) explain.Problem { return explain.SigningKey(name).OfSecret() },
	}
}

// Redactor returns what redacts entries by rules, which are modes by field; nil where
// there are none.
func (s *Sources) Redactor(rules map[string]string) (*redact.Redactor, explain.Problems) {
	if rules == nil {
		return nil, nil
	}

	at := explain.Argument("redact")
	r, err := redact.New(rules, []byte(s.redactionKey))

	rule := (*redact.RuleError)(nil)

	switch {
	case errors.Is(err, redact.ErrKey):
		// The argument is checked before; this is the environment's.
		return nil, explain.Problems{explain.RedactionKey(explain.RedactionKeyEnv).At(at)}
	case errors.As(err, &rule):
		return nil, explain.Problems{explain.RedactionRule(err).At(at.Key(rule.Field))}
	case err != nil:
		return nil, explain.Problems{explain.RedactionRule(err).At(at)}
	default:
		return r, nil
	}
}

// SigningKeys are the private keys of an archive, "" where one is not given.
type SigningKeys struct{ Current, Previous string }

// SigningKeys are those that are given, else those of the environment.
func (s *Sources) SigningKeys(given SigningKeys) SigningKeys {
	return SigningKeys{
		Current:  cmp.Or(given.Current, s.env(explain.SigningKeyEnv)),
		Previous: cmp.Or(given.Previous, s.env(explain.PreviousKeyEnv)),
	}
}

// Public returns the public key of the current one, "" where there is none.
func (k SigningKeys) Public() (string, explain.Problems) {
	if k.Current == "" {
		return "", nil
	}

	text, err := archive.PublicText(k.Current)
	if err != nil {
		return "", explain.Problems{explain.SigningKey(explain.SigningKeyEnv)}
	}

	return text, nil
}

// Set lets an archive be signed by the keys, and accepts what either has signed. The
// same key twice, however it is spelled, is one key.
func (k SigningKeys) Set(o *archive.Options) (err error) {
	if o.Signer, err = archive.ParsePrivateKey(k.Current); err != nil {
		return err
	}

	texts := []string{k.Current}

	if k.Previous != "" {
		previous, err := archive.ParsePrivateKey(k.Previous)
		if err != nil {
			return err
		}

		if previous.Name() != o.Signer.Name() || previous.KeyHash() != o.Signer.KeyHash() {
			o.PreviousSigner = previous
			texts = append(texts, k.Previous)
		}
	}

	for _, text := range texts {
		verifier, err := archive.PublicKeyOf(text)
		if err != nil {
			return err
		}

		o.Verifiers = append(o.Verifiers, verifier)
	}

	return nil
}
