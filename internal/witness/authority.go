// SPDX-License-Identifier: MPL-2.0

package witness

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

// ErrStamp means that a time stamp is not one of what it should be, or not signed as it
// should be.
var ErrStamp = errors.New("the time stamp does not hold")

// Authority is a time stamp authority (RFC 3161) that can be asked.
type Authority struct {
	URL string
	// Roots are the certificates that its own has to lead to; nil accepts any.
	Roots *x509.CertPool
}

// Stamp is what a time stamp says.
type Stamp struct {
	Time time.Time
	// By is the subject of the certificate that signed it.
	By string
}

// Stamp returns the answer of the authority, in DER, which holds a time stamp of the data
// and the certificates that it takes to verify it. The error is an *Error.
func (a *Authority) Stamp(ctx context.Context, c *Client, data []byte) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, &Error{Who: a.URL, Err: err} }

	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return fail(err)
	}

	request, err := timestamp.CreateRequest(bytes.NewReader(data),
		&timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true, Nonce: nonce})
	if err != nil {
		return fail(err)
	}

	status, answer, err := c.post(ctx, a.URL, "application/timestamp-query", request)

	switch {
	case err != nil:
		return fail(err)
	case status < http.StatusOK || status >= http.StatusMultipleChoices:
		// RFC 3161 names no status for answers; that of Sigstore is 201.
		return fail(fmt.Errorf("%w: HTTP status %d", ErrAnswer, status))
	}

	token, _, err := parseStamp(answer, data, a.Roots)
	if err != nil {
		return fail(err)
	}

	if token.Nonce == nil || token.Nonce.Cmp(nonce) != 0 {
		return fail(fmt.Errorf("%w: it answers another request", ErrStamp))
	}

	return answer, nil
}

// CheckStamp reads an answer of an authority. Given roots, the certificate that signed it
// has to lead to one of them, and to be one for time stamps. The error holds ErrStamp.
func CheckStamp(answer, data []byte, roots *x509.CertPool) (Stamp, error) {
	_, s, err := parseStamp(answer, data, roots)

	return s, err
}

// parsing keeps two from using pkcs7 at the same time, which counts in a global variable.
var parsing sync.Mutex

func parseStamp(answer, data []byte, roots *x509.CertPool) (token *timestamp.Timestamp, s Stamp, err error) {
	fail := func(what string) error { return fmt.Errorf("%w: %s", ErrStamp, what) }

	if err := checkDER(answer); err != nil {
		return nil, Stamp{}, fail(err.Error())
	}

	parsing.Lock()
	defer parsing.Unlock()

	// Anybody can have made what is read, and its parser was written for what authorities make.
	defer func() {
		if recover() != nil {
			token, s, err = nil, Stamp{}, fail("it cannot be read")
		}
	}()

	signed, signer, err := parseSigned(answer)
	if err != nil {
		return nil, Stamp{}, fail(err.Error())
	}

	if token, err = timestamp.ParseResponse(answer); err != nil {
		return nil, Stamp{}, fail("it cannot be read, or its signature is wrong")
	}

	sum := sha256.Sum256(data)
	if token.HashAlgorithm != crypto.SHA256 || !bytes.Equal(token.HashedMessage, sum[:]) {
		return nil, Stamp{}, fail("it is of something else")
	}

	if err := checkSigner(signed, signer); err != nil {
		return nil, Stamp{}, fail(err.Error())
	}

	if roots != nil {
		others := x509.NewCertPool()
		for _, certificate := range signed.Certificates {
			others.AddCert(certificate)
		}

		if signed.VerifyWithOpts(x509.VerifyOptions{
			Roots: roots, Intermediates: others, CurrentTime: token.Time,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
		}) != nil {
			return nil, Stamp{}, fail("who signed it is not vouched for by the certificates given")
		}
	}

	return token, Stamp{Time: token.Time.UTC(), By: signer.Subject.String()}, nil
}

// parseSigned reads what is signed, whose signature is still to be checked, and the
// certificate of the only one who has to have signed it.
func parseSigned(answer []byte) (*pkcs7.PKCS7, *x509.Certificate, error) {
	var response struct{ Status, Token asn1.RawValue }

	// A key of 30,000 bits takes seconds to check one signature.
	const maxKey = 1 << 14

	if _, err := asn1.Unmarshal(answer, &response); err != nil {
		return nil, nil, errors.New("it holds no time stamp")
	}

	signed, err := pkcs7.Parse(response.Token.FullBytes)
	if err != nil {
		return nil, nil, errors.New("it cannot be read")
	}

	for _, certificate := range signed.Certificates {
		if key, ok := certificate.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxKey {
			return nil, nil, errors.New("the key of a certificate is too long")
		}
	}

	signer := signed.GetOnlySigner()
	if signer == nil {
		return nil, nil, errors.New("it does not hold the certificate of who signed it")
	}

	return signed, signer, nil
}

// ParseRoots reads certificates in PEM.
func ParseRoots(pem []byte) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in PEM")
	}

	return roots, nil
}
