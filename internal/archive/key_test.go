// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"errors"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
)

// TestAPublicKeyIsReadAsItWasPrinted: alone or as the line of keygen, but never
// together with the private one, which would get into states and onto web sites.
func TestAPublicKeyIsReadAsItWasPrinted(t *testing.T) {
	t.Parallel()

	private, public, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	for text, want := range map[string]error{
		public:                                nil,
		" " + public + "\r\n":                 nil,
		"public key: " + public + "\n":        nil,
		"public key: public key: " + public:   archive.ErrKey,
		"key: " + public:                      archive.ErrKey,
		"":                                    archive.ErrKey,
		private:                               archive.ErrPrivateKey,
		"AUDIT_SIGNING_KEY=" + private + "\n": archive.ErrPrivateKey,
		"AUDIT_SIGNING_KEY=" + private + "\npublic key: " + public + "\n": archive.ErrPrivateKey,
	} {
		v, err := archive.ParsePublicKey(text)
		if !errors.Is(err, want) || (err == nil) != (v != nil && v.Name() == "example.com/audit") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
