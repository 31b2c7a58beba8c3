// SPDX-License-Identifier: MPL-2.0

package witness

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"

	"github.com/digitorus/pkcs7"
)

var (
	errPurpose = errors.New("who signed it has no certificate for time stamps alone")
	errNamed   = errors.New("it was signed with another certificate than the one that it holds")
)

// checkSigner makes sure that the certificate is for time stamps and nothing else
// (RFC 3161, 2.3), and that it is the one that the signer meant (2.4.2).
func checkSigner(signed *pkcs7.PKCS7, signer *x509.Certificate) error {
	extendedKeyUsage := asn1.ObjectIdentifier{2, 5, 29, 37}

	critical := slices.ContainsFunc(signer.Extensions, func(e pkix.Extension) bool {
		return e.Critical && e.Id.Equal(extendedKeyUsage)
	})

	if signer.IsCA || !critical || len(signer.UnknownExtKeyUsage) > 0 ||
		!slices.Equal(signer.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) {
		return errPurpose
	}

	hash, sum := namedCertificate(signed)
	if !hash.Available() {
		return errNamed
	}

	h := hash.New()
	h.Write(signer.Raw)

	if !bytes.Equal(h.Sum(nil), sum) {
		return errNamed
	}

	return nil
}

// namedCertificate returns the hash of the certificate that the signed attribute
// SigningCertificateV2 (RFC 5816) names, or SigningCertificate (RFC 2634), and which hash
// it is. It is none where there is neither.
func namedCertificate(signed *pkcs7.PKCS7) (crypto.Hash, []byte) {
	// What follows the hash repeats what the certificate says.
	var v2 struct {
		Certificates []struct {
			Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
			Hash      []byte
			Issuer    asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}

	if signed.UnmarshalSignedAttribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}, &v2) == nil &&
		len(v2.Certificates) > 0 {
		first := v2.Certificates[0]

		switch {
		case first.Algorithm.Algorithm == nil, first.Algorithm.Algorithm.Equal(pkcs7.OIDDigestAlgorithmSHA256):
			return crypto.SHA256, first.Hash
		case first.Algorithm.Algorithm.Equal(pkcs7.OIDDigestAlgorithmSHA384):
			return crypto.SHA384, first.Hash
		case first.Algorithm.Algorithm.Equal(pkcs7.OIDDigestAlgorithmSHA512):
			return crypto.SHA512, first.Hash
		default:
			return 0, nil
		}
	}

	var v1 struct {
		Certificates []struct {
			Hash   []byte
			Issuer asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}

	if signed.UnmarshalSignedAttribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}, &v1) == nil &&
		len(v1.Certificates) > 0 {
		return crypto.SHA1, v1.Certificates[0].Hash
	}

	return 0, nil
}
