// SPDX-License-Identifier: MPL-2.0

// Package authoritytest has the time stamp authority of Sigstore, a server that shares its
// parser of time stamps with us and nothing else, attest the checkpoints of archives.
package authoritytest_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/timestamp-authority/pkg/log"
	"github.com/sigstore/timestamp-authority/pkg/server"
	"github.com/sigstore/timestamp-authority/pkg/verification"
	"github.com/spf13/viper"
	"go.uber.org/zap"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

// authority is the server with a key and certificates that it has made for itself.
type authority struct {
	url string
	// chain is what it says that its certificates are: its own, the one that vouches for
	// it, and the root.
	chain [][]byte
}

// startAuthority starts the server, which is one for the whole process: what it is told
// holds for those that were started before, so that no two tests run at a time. It sends
// with a time stamp its own certificate, or all of them.
func startAuthority(t *testing.T, all bool) authority {
	t.Helper()

	log.Logger = zap.NewNop().Sugar()

	viper.Set("timestamp-signer", "memory")
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("include-chain-in-response", all)

	s := httptest.NewServer(server.NewRestAPIServer("localhost", 0, []string{"http"}, false, time.Minute,
		time.Minute).GetHandler())
	t.Cleanup(s.Close)

	a := authority{url: s.URL + "/api/v1/timestamp"}

	response, err := http.Get(a.url + "/certchain")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()

	rest, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}

		a.chain = append(a.chain, pem.EncodeToMemory(block))
	}

	if len(a.chain) != 3 {
		t.Fatalf("it has %d certificates", len(a.chain))
	}

	return a
}

func (a *authority) root() []byte { return a.chain[len(a.chain)-1] }

func (a *authority) all() []byte { return bytes.Join(a.chain, nil) }

func pool(t *testing.T, certificates []byte) *x509.CertPool {
	t.Helper()

	roots, err := witness.ParseRoots(certificates)
	if err != nil {
		t.Fatal(err)
	}

	return roots
}

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// daily is a log in which something happens every day at noon.
type daily struct{}

func (daily) Info() auditlog.Info {
	return auditlog.Info{Name: auditlog.ServiceUpCloud, Title: "UpCloud", Retention: 10_000 * day}
}

func (daily) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (s daily) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.Info().Retention, q.Window.End)

	return func(yield func(auditlog.Entry, error) bool) {
		for at := begin.Add(day / 2); at.Before(q.Window.End); at = at.Add(day) {
			if at.Before(q.Window.Start) {
				continue
			}

			text := at.Format(time.RFC3339)
			e := auditlog.Entry{
				ID: text, Time: at, Service: auditlog.ServiceUpCloud, Action: "update", Operation: auditlog.OperationUpdate,
				ActorType: auditlog.ActorUser, Actor: "joe", ResourceType: "server", Raw: fmt.Appendf(nil, `{"time":%q}`, text),
			}

			if c.RowsFetched++; !yield(e, nil) {
				return
			}
		}

		c.Proof = auditlog.ProofTotal
	}
}

// evidence is an archive in a directory.
type evidence struct {
	dir   string
	store durable.Store
	roots *x509.CertPool
}

func newEvidence(t *testing.T) *evidence {
	t.Helper()

	e := &evidence{dir: t.TempDir()}

	var err error
	if e.store, err = durable.OpenStore(t.Context(), e.dir, durable.StoreOptions{}); err != nil {
		t.Fatal(err)
	}

	return e
}

// run archives so many days, and has the authority attest them.
func (e *evidence) run(t *testing.T, days int, url string) error {
	t.Helper()

	a, err := archive.Open(t.Context(), archive.Options{
		Store: e.store, Service: daily{}, Format: format.NDJSON, Start: begin, Tool: "test",
		Clock: func() time.Time { return begin.Add(time.Duration(days)*day - time.Minute) },
		Attesters: archive.Attesters{
			Client:    witness.Client{Retries: -1},
			Authority: &witness.Authority{URL: url, Roots: e.roots},
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	_, err = a.Append(t.Context())

	return err
}

func (e *evidence) verify(t *testing.T, certificates []byte) *archive.Report {
	t.Helper()

	o := archive.VerifyOptions{}
	if certificates != nil {
		o.TimestampRoots = pool(t, certificates)
	}

	r, err := archive.Verify(t.Context(), e.store, o)
	if err != nil {
		t.Fatal(err)
	}

	return r
}

func (e *evidence) read(t *testing.T, name string) []byte {
	t.Helper()

	data, err := os.ReadFile(filepath.Join(e.dir, name))
	if err != nil {
		t.Fatal(err)
	}

	return data
}

func checkpoint(n int) string { return fmt.Sprintf("checkpoints/%08d", n) }

func stamp(n int) string { return fmt.Sprintf("timestamps/%08d.tsr", n) }

// by is the subject of the server's certificate.
const by = "CN=Test TSA Timestamping,O=local"

// TestCheckpointsAreStamped has it put a time stamp on each checkpoint. Whoever verifies
// them needs its root where it sends what lies between, or else that as well.
func TestCheckpointsAreStamped(t *testing.T) {
	const runs = 3

	other := startAuthority(t, true)

	for name, c := range map[string]struct {
		sendsAll    bool
		enough      func(*authority) []byte
		runsKnowAny bool
	}{
		"the root of one that sends all":           {true, (*authority).root, false},
		"all of one that sends all":                {true, (*authority).all, false},
		"all of one that sends its own":            {false, (*authority).all, false},
		"all of one that sends its own, any taken": {false, (*authority).all, true},
	} {
		t.Run(name, func(t *testing.T) {
			a, e := startAuthority(t, c.sendsAll), newEvidence(t)

			if !c.runsKnowAny {
				e.roots = pool(t, c.enough(&a))
			}

			for n := 1; n <= runs; n++ {
				if err := e.run(t, n, a.url); err != nil {
					t.Fatal(err)
				}

				r := e.verify(t, c.enough(&a))
				if !r.Valid || r.Timestamps != int64(n)+1 || r.Timestamp == nil || r.Timestamp.Sequence != int64(n) ||
					r.Timestamp.By != by || time.Since(r.Timestamp.Time).Abs() > time.Minute {
					t.Fatalf("%d manifests: the report is %+v", n, r)
				}
			}

			if r := e.verify(t, nil); !r.Valid || r.Timestamps != runs+1 {
				t.Errorf("without certificates the report is %+v", r)
			}

			for _, certificates := range [][]byte{other.root(), other.all()} {
				if r := e.verify(t, certificates); r.Valid || r.Timestamp != nil ||
					r.Problems[0].Finding != archive.FindingSignature {
					t.Errorf("with the certificates of another authority the report is %+v", r)
				}
			}

			for n := range runs + 1 {
				e.checkByOthers(t, n, &a, &other, c.enough(&a))
			}
		})
	}
}

// checkByOthers has Sigstore and OpenSSL verify a time stamp, for which OpenSSL has enough
// certificates.
func (e *evidence) checkByOthers(t *testing.T, n int, a, other *authority, enough []byte) {
	t.Helper()

	parse := func(text []byte) *x509.Certificate {
		block, _ := pem.Decode(text)

		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}

		return c
	}

	check := func(a *authority, data []byte) error {
		_, err := verification.VerifyTimestampResponse(e.read(t, stamp(n)), bytes.NewReader(data), verification.VerifyOpts{
			Roots: []*x509.Certificate{parse(a.root())}, Intermediates: []*x509.Certificate{parse(a.chain[1])},
		})

		return err
	}

	if err := check(a, e.read(t, checkpoint(n))); err != nil {
		t.Errorf("%d manifests, Sigstore: %v", n, err)
	}

	if check(other, e.read(t, checkpoint(n))) == nil || check(a, e.read(t, checkpoint((n+1)%2))) == nil {
		t.Errorf("%d manifests: Sigstore accepts a time stamp of another, or of something else", n)
	}

	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("No openssl on PATH: what is tested with it is left out.")

		return
	}

	openssl := func(certificates []byte, data string) (string, error) {
		file := filepath.Join(t.TempDir(), "roots.pem")
		if err := os.WriteFile(file, certificates, 0o600); err != nil {
			t.Fatal(err)
		}

		command := exec.CommandContext(t.Context(), "openssl", "ts", "-verify", "-in", stamp(n), "-data", data, "-CAfile",
			file)
		command.Dir = e.dir

		out, err := command.CombinedOutput()

		return string(out), err
	}

	if out, err := openssl(enough, checkpoint(n)); err != nil || !strings.Contains(out, "Verification: OK") {
		t.Errorf("%d manifests, OpenSSL: %v, %s", n, err, out)
	}

	if out, err := openssl(other.all(), checkpoint(n)); err == nil {
		t.Errorf("%d manifests: OpenSSL accepts the certificates of another: %s", n, out)
	}

	if out, err := openssl(enough, checkpoint((n+1)%2)); err == nil {
		t.Errorf("%d manifests: OpenSSL accepts another checkpoint: %s", n, out)
	}
}

// TestRunsRefuseStamps: a run that is given certificates takes no time stamp that does not
// lead to them, and no answer that is none.
func TestRunsRefuseStamps(t *testing.T) {
	other := startAuthority(t, true)
	a := startAuthority(t, false)

	for name, c := range map[string]struct {
		url          string
		certificates []byte
		want         error
	}{
		"another authority":                    {a.url, other.all(), witness.ErrStamp},
		"the root of one that sends its own":   {a.url, a.root(), witness.ErrStamp},
		"an address that has certificates":     {a.url + "/certchain", a.all(), witness.ErrAnswer},
		"an address of the server, but no API": {strings.TrimSuffix(a.url, "/timestamp"), a.all(), witness.ErrAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEvidence(t)
			e.roots = pool(t, c.certificates)

			if err := e.run(t, 1, c.url); !errors.Is(err, archive.ErrAttest) || !errors.Is(err, c.want) {
				t.Fatal(err)
			}

			if _, err := os.Stat(filepath.Join(e.dir, stamp(0))); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a time stamp was kept: %v", err)
			}

			// The next run, which is told what is right, catches up.
			e.roots = pool(t, a.all())

			if err := e.run(t, 1, a.url); err != nil {
				t.Fatal(err)
			}

			if r := e.verify(t, a.all()); !r.Valid || r.Timestamp == nil || r.Timestamp.Sequence != 1 {
				t.Errorf("the report is %+v", r)
			}
		})
	}
}

// TestStampsOfAnOldAuthority: an authority that has got another key is another one. What
// the old one has said holds with its certificates, beside those of the new one.
func TestStampsOfAnOldAuthority(t *testing.T) {
	e := newEvidence(t)
	old := startAuthority(t, true)

	if err := e.run(t, 1, old.url); err != nil {
		t.Fatal(err)
	}

	a := startAuthority(t, true)

	if err := e.run(t, 2, a.url); err != nil {
		t.Fatal(err)
	}

	if r := e.verify(t, a.root()); r.Valid {
		t.Errorf("without the old certificates the report is %+v", r)
	}

	if r := e.verify(t, append(bytes.Clone(old.root()), a.root()...)); !r.Valid || r.Timestamps != 3 {
		t.Errorf("with both the report is %+v", r)
	}
}
