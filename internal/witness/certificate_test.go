// SPDX-License-Identifier: MPL-2.0

package witness_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

func newTestKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	return key
}

// root is a certificate and its key.
type root struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// newRoot returns one that vouches for others, and the pool of it alone.
func newRoot(t *testing.T) (root, *x509.CertPool) {
	t.Helper()

	key := newTestKey(t)
	r := root{key: key}
	r.certificate = r.vouch(t, key, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})

	roots := x509.NewCertPool()
	roots.AddCert(r.certificate)

	return r, roots
}

// vouch returns a certificate of a key, without purposes until it is changed.
func (r root) vouch(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()

	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "somebody"},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	change(c)

	parent := r.certificate
	if parent == nil {
		parent = c
	}

	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), r.key)
	if err != nil {
		t.Fatal(err)
	}

	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}

	return made
}

// usages is the extension with purposes of a certificate; critical where it has to be.
func usages(critical bool, of ...byte) []pkix.Extension {
	var ids []byte
	for _, last := range of {
		ids = append(ids, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last)
	}

	return []pkix.Extension{{
		Id: []int{2, 5, 29, 37}, Critical: critical,
		Value: append([]byte{0x30, byte(len(ids))}, ids...),
	}}
}

// What the purposes of usages are.
const (
	serverAuth   = 1
	timeStamping = 8
	unknownUsage = 99
)

func stampBy(t *testing.T, certificate *x509.Certificate, key crypto.Signer, data []byte) []byte {
	t.Helper()

	sum := sha256.Sum256(data)
	s := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: time.Now().AddDate(0, -6, 0),
		Policy: []int{1, 2, 3}, AddTSACertificate: true,
	}

	answer, err := s.CreateResponseWithOpts(certificate, key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}

	return answer
}

// TestCertificatesAreForTimeStampsAlone has certificates of the same root, for all or for
// several purposes, make time stamps.
func TestCertificatesAreForTimeStampsAlone(t *testing.T) {
	t.Parallel()

	data := []byte("a checkpoint")
	root, roots := newRoot(t)

	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		holds  bool
	}{
		"for time stamps": {func(c *x509.Certificate) { c.ExtraExtensions = usages(true, timeStamping) }, true},
		"a server's": {
			func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
			false,
		},
		"no purpose":   {func(*x509.Certificate) {}, false},
		"any purpose":  {func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, false},
		"not critical": {func(c *x509.Certificate) { c.ExtraExtensions = usages(false, timeStamping) }, false},
		"several":      {func(c *x509.Certificate) { c.ExtraExtensions = usages(true, serverAuth, timeStamping) }, false},
		"and an unknown": {
			func(c *x509.Certificate) { c.ExtraExtensions = usages(true, timeStamping, unknownUsage) },
			false,
		},
		"the same twice": {
			func(c *x509.Certificate) { c.ExtraExtensions = usages(true, timeStamping, timeStamping) },
			false,
		},
		"vouches for others": {func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
			c.ExtraExtensions = usages(true, timeStamping)
		}, false},
	} {
		key := newTestKey(t)
		answer := stampBy(t, root.vouch(t, key, c.change), key, data)

		for _, roots := range []*x509.CertPool{roots, nil} {
			if _, err := witness.CheckStamp(answer, data, roots); (err == nil) != c.holds || err != nil &&
				!errors.Is(err, witness.ErrStamp) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestTheCertificateIsTheOneThatTheSignerMeant replaces it by another one of the same key,
// number and root.
func TestTheCertificateIsTheOneThatTheSignerMeant(t *testing.T) {
	t.Parallel()

	data := []byte("a checkpoint")
	root, roots := newRoot(t)
	key := newTestKey(t)

	named := func(name string) *x509.Certificate {
		return root.vouch(t, key, func(c *x509.Certificate) {
			c.SerialNumber, c.Subject.CommonName, c.ExtraExtensions = big.NewInt(1), name, usages(true, timeStamping)
		})
	}

	meant, other := named("time one"), named("time two")
	for len(meant.Raw) != len(other.Raw) { // Signatures differ in length.
		other = named("time two")
	}

	answer := stampBy(t, meant, key, data)
	if s, err := witness.CheckStamp(answer, data, roots); err != nil || s.By != "CN=time one" {
		t.Errorf("%+v, %v", s, err)
	}

	if s, err := witness.CheckStamp(bytes.ReplaceAll(answer, meant.Raw, other.Raw), data, roots); !errors.Is(err,
		witness.ErrStamp) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestOpenSSLIsAnAuthority has OpenSSL make time stamps in all ways in which the signer's
// certificate can be named, with and without the certificates between it and the root.
func TestOpenSSLIsAnAuthority(t *testing.T) {
	t.Parallel()

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on PATH")
	}

	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	do := func(args ...string) {
		command := exec.CommandContext(t.Context(), openssl, args...)
		command.Dir = dir

		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}

	write("ext", "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
	do("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root",
		"-days", "30")
	do("req", "-newkey", "rsa:3072", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa")
	do("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-out", "tsa.pem",
		"-days", "30", "-extfile", "ext")

	pem, err := os.ReadFile(file("root.pem"))
	if err != nil {
		t.Fatal(err)
	}

	roots, err := witness.ParseRoots(pem)
	if err != nil {
		t.Fatal(err)
	}

	for name, options := range map[string]string{
		"sha1":   "digests=sha256\nsigner_digest=sha256\ness_cert_id_alg=sha1\ness_cert_id_chain=yes\ntsa_name=yes\n",
		"sha256": "digests=sha256\nsigner_digest=sha512\ness_cert_id_alg=sha256\naccuracy=secs:1, millisecs:500\nclock_precision_digits=3\n",
		"sha384": "digests=sha256\nsigner_digest=sha384\ness_cert_id_alg=sha384\nordering=yes\n",
		"sha512": "digests=sha256\nsigner_digest=sha256\ness_cert_id_alg=sha512\ncerts=root.pem\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			write(name+".serial", "01\n")
			write(name+".cnf", "[tsa]\ndefault_tsa=it\n[it]\nserial="+name+".serial\ncrypto_device=builtin\nsigner_cert=tsa.pem\nsigner_key=tsa.key\ndefault_policy=1.2.3\n"+options)

			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				query, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}

				write(name+".tsq", string(query))
				do("ts", "-reply", "-config", name+".cnf", "-queryfile", name+".tsq", "-out", name+".tsr")

				answer, err := os.ReadFile(file(name + ".tsr"))
				if err != nil {
					t.Error(err)
				}

				_, _ = w.Write(answer)
			}))
			defer server.Close()

			a := witness.Authority{URL: server.URL, Roots: roots}
			if _, err := a.Stamp(t.Context(), &witness.Client{Retries: -1}, []byte("a checkpoint\n")); err != nil {
				t.Error(err)
			}
		})
	}
}
