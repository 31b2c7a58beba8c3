// SPDX-License-Identifier: MPL-2.0

// Package witnesstest has a witness (c2sp.org/tlog-witness) and a time stamp authority
// (RFC 3161) for tests. They do what the specifications say, or what a test tells them to.
package witnesstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

// Witness is a witness that trusts the logs that it is told of.
type Witness struct {
	witness.Witness

	// Public is its key as text.
	Public string
	// Answer, when not nil, answers in its place; false leaves it to the witness.
	Answer func(http.ResponseWriter, *http.Request) bool

	mu       sync.Mutex
	signer   *formats.Signer
	logs     map[string][]note.Verifier
	trees    map[string]tlog.Tree
	requests int
}

// NewWitness starts a witness of that name.
func NewWitness(tb testing.TB, name string) *Witness {
	tb.Helper()

	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		tb.Fatal(err)
	}

	w := &Witness{logs: map[string][]note.Verifier{}, trees: map[string]tlog.Tree{}}

	if w.signer, err = formats.NewSignerForCosignatureV1(private); err != nil {
		tb.Fatal(err)
	}

	if w.Public, err = formats.VKeyToCosignatureV1(public); err != nil {
		tb.Fatal(err)
	}

	if w.Key, err = witness.ParseKey(w.Public); err != nil {
		tb.Fatal(err)
	}

	server := httptest.NewServer(w)
	tb.Cleanup(server.Close)
	w.URL = server.URL + "/prefix"

	return w
}

// Trust tells it of a log, "" for any origin, and of a key that signs it.
func (w *Witness) Trust(origin string, key note.Verifier) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.logs[origin] = append(w.logs[origin], key)
}

// Seen is the size of the log that it has cosigned last.
func (w *Witness) Seen(origin string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.trees[origin].N
}

// Requests is how many there were.
func (w *Witness) Requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.requests
}

// ServeHTTP implements http.Handler.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.requests++

	if w.Answer != nil && w.Answer(rw, r) {
		return
	}

	body, err := readAll(r)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/prefix/add-checkpoint" {
		http.NotFound(rw, r)

		return
	}

	status, answer := w.add(string(body))
	if status == http.StatusConflict {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
	}

	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, answer)
}

func (w *Witness) add(body string) (status int, answer string) {
	head, signed, ok := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")

	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if !ok || err != nil || old < 0 {
		return http.StatusBadRequest, "no size\n"
	}

	var proof tlog.TreeProof

	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return http.StatusBadRequest, "no hash\n"
		}

		proof = append(proof, h)
	}

	origin, _, _ := strings.Cut(signed, "\n")

	keys := slices.Concat(w.logs[origin], w.logs[""])
	if len(keys) == 0 {
		return http.StatusNotFound, "unknown log\n"
	}

	n, err := note.Open([]byte(signed), note.VerifierList(keys...))
	if err != nil {
		return http.StatusForbidden, "unknown key\n"
	}

	tree, err := parse(n.Text)
	if err != nil || old > tree.N {
		return http.StatusBadRequest, "no checkpoint\n"
	}

	seen := w.trees[origin]

	switch {
	case seen.N != old, old == tree.N && old > 0 && seen.Hash != tree.Hash:
		return http.StatusConflict, strconv.FormatInt(seen.N, 10) + "\n"
	case old > 0 && old < tree.N && tlog.CheckTree(proof, tree.N, tree.Hash, old, seen.Hash) != nil:
		return http.StatusUnprocessableEntity, "no continuation\n"
	}

	w.trees[origin] = tree

	cosigned, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}

	_, line, _ := strings.Cut(string(cosigned), "\n\n")

	return http.StatusOK, line
}

func parse(text string) (tlog.Tree, error) {
	const least = 3

	lines := strings.Split(text, "\n")
	if len(lines) < least {
		return tlog.Tree{}, fmt.Errorf("only %d lines", len(lines))
	}

	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("no size: %w", err)
	}

	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("no root: %w", err)
	}

	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// Authority is a time stamp authority.
type Authority struct {
	witness.Authority

	// Certificates are its root, in PEM.
	Certificates string
	// Answer, when not nil, answers in its place; false leaves it to the authority.
	Answer func(http.ResponseWriter, *http.Request) bool
	// Now is what its clock shows.
	Now func() time.Time

	mu          sync.Mutex
	certificate *x509.Certificate
	key         crypto.Signer
	requests    int
}

// NewAuthority starts an authority whose clock shows a time.
func NewAuthority(tb testing.TB, now func() time.Time) *Authority {
	tb.Helper()

	a := &Authority{Now: now}

	root, rootKey := certificate(tb, now(), nil, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		c.Subject.CommonName = "Root of time stamps"
	})
	// The extension has to be critical, which x509 does not make it.
	usage := pkix.Extension{
		Id: []int{2, 5, 29, 37}, Critical: true,
		Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08},
	}
	a.certificate, a.key = certificate(tb, now(), root, rootKey, func(c *x509.Certificate) {
		c.KeyUsage, c.ExtraExtensions = x509.KeyUsageDigitalSignature, []pkix.Extension{usage}
		c.Subject.CommonName = "Time stamps of a test"
	})
	a.Certificates = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))

	roots, err := witness.ParseRoots([]byte(a.Certificates))
	if err != nil {
		tb.Fatal(err)
	}

	a.Roots = roots

	server := httptest.NewServer(a)
	tb.Cleanup(server.Close)
	a.URL = server.URL

	return a
}

func certificate(
	tb testing.TB, now time.Time, parent *x509.Certificate, parentKey crypto.Signer, change func(*x509.Certificate),
) (*x509.Certificate, crypto.Signer) {
	tb.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}

	const years = 20

	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{Organization: []string{"Example"}},
		NotBefore: now.AddDate(-years, 0, 0), NotAfter: now.AddDate(years, 0, 0),
	}
	change(template)

	if parent == nil {
		parent, parentKey = template, key
	}

	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		tb.Fatal(err)
	}

	made, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}

	return made, key
}

// Requests is how many there were.
func (a *Authority) Requests() int {
	a.mu.Lock()
	defer a.mu.Unlock()

	return a.requests
}

// ServeHTTP implements http.Handler.
func (a *Authority) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.requests++

	if a.Answer != nil && a.Answer(rw, r) {
		return
	}

	body, err := readAll(r)
	if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(rw, "no query", http.StatusBadRequest)

		return
	}

	answer, err := a.Respond(body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)

		return
	}

	rw.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = rw.Write(answer)
}

// Respond answers a request.
func (a *Authority) Respond(query []byte) ([]byte, error) {
	request, err := timestamp.ParseRequest(query)
	if err != nil {
		return nil, fmt.Errorf("read a query: %w", err)
	}

	stamp := timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage, Time: a.Now(), Nonce: request.Nonce,
		Policy: []int{1, 2, 3, 4, 1}, AddTSACertificate: request.Certificates,
	}

	answer, err := stamp.CreateResponseWithOpts(a.certificate, a.key, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make a time stamp: %w", err)
	}

	return answer, nil
}

func readAll(r *http.Request) ([]byte, error) {
	const limit = 1 << 20

	body, err := io.ReadAll(io.LimitReader(r.Body, limit)) //nolint:forbidigo // It is bounded.
	if err != nil {
		return nil, fmt.Errorf("read a request: %w", err)
	}

	return body, nil
}
