// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
	"github.com/auditlogs/terraform-provider-audit/internal/witness/witnesstest"
)

// attested is an archive whose checkpoints others attest.
type attested struct {
	*world

	store     *memory
	signer    note.Signer
	verifier  note.Verifier
	witnesses []*witnesstest.Witness
	authority *witnesstest.Authority
	attesters archive.Attesters
}

func newAttested(t *testing.T, witnesses, quorum int) *attested {
	t.Helper()

	a := &attested{world: newWorld(t, auditlog.ServiceUpCloud, 5), store: newMemory()}
	a.signer, a.verifier = newKey(t, "example.com/audit")
	a.authority = witnesstest.NewAuthority(t, func() time.Time { return a.now })
	a.attesters = archive.Attesters{Client: witness.Client{Retries: -1}, Quorum: quorum, Authority: &a.authority.Authority}

	for i := range witnesses {
		w := witnesstest.NewWitness(t, fmt.Sprintf("witness%d.example", i))
		w.Trust("", a.verifier)
		a.witnesses = append(a.witnesses, w)
		a.attesters.Witnesses = append(a.attesters.Witnesses, w.Witness)
	}

	return a
}

// run lets a day pass and archives it.
func (a *attested) run(t *testing.T) (archive.Result, error) {
	t.Helper()

	a.now = a.now.Add(24 * time.Hour)
	a.happen(3, a.now.Add(-time.Hour))

	return a.again()
}

func (a *attested) again() (archive.Result, error) {
	o := a.options(a.store)
	o.Signer, o.Verifiers, o.Attesters = a.signer, []note.Verifier{a.verifier}, a.attesters

	return a.apply(o)
}

func (a *attested) mustRun(t *testing.T) archive.Result {
	t.Helper()

	result, err := a.run(t)
	if err != nil {
		t.Fatal(err)
	}

	return result
}

// asked are the options of a verifier who asks for everything.
func (a *attested) asked() archive.VerifyOptions {
	o := archive.VerifyOptions{
		Verifiers: []note.Verifier{a.verifier}, Quorum: a.attesters.Quorum,
		TimestampRoots: a.authority.Roots,
	}
	for _, w := range a.witnesses {
		o.Witnesses = append(o.Witnesses, w.Key)
	}

	return o
}

func (a *attested) report(t *testing.T, o archive.VerifyOptions) *archive.Report {
	t.Helper()

	r, err := archive.Verify(t.Context(), a.store, o)
	if err != nil {
		t.Fatal(err)
	}

	return r
}

// TestCheckpointsAreAttested has two witnesses and an authority attest every checkpoint.
func TestCheckpointsAreAttested(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 2, 2)

	for size := int64(1); size <= 4; size++ {
		result := a.mustRun(t)
		r := a.report(t, a.asked())

		if !r.Valid || len(r.Cosigned) != 2 || r.Timestamp == nil || r.Timestamp.Sequence != size || r.Timestamps != size+1 ||
			!r.Timestamp.Time.Equal(a.now.Truncate(time.Second)) {
			t.Fatalf("the report is %+v", r)
		}

		if string(a.store.objects["checkpoint"]) != string(a.store.objects[fmt.Sprintf("cosigned/%08d", size)]) ||
			!strings.HasPrefix(string(a.store.objects["checkpoint"]), result.Checkpoint) {
			t.Errorf("the copy is %q", a.store.objects["checkpoint"])
		}

		if seen := a.witnesses[0].Seen(a.origin(t)); seen != size {
			t.Errorf("a witness has seen %d, not %d", seen, size)
		}
	}

	// Each checkpoint is one request, since the witness has seen the one before.
	if n := a.witnesses[1].Requests(); n != 4 {
		t.Errorf("a witness was asked %d times", n)
	}

	// A run that finds nothing new asks nobody.
	if _, err := a.again(); err != nil || a.witnesses[1].Requests() != 4 || a.authority.Requests() != 5 {
		t.Errorf("%v, and %d and %d requests", err, a.witnesses[1].Requests(), a.authority.Requests())
	}

	// Without their keys it is said that nobody has checked them.
	if r := a.report(t, archive.VerifyOptions{Verifiers: []note.Verifier{a.verifier}}); !r.Valid ||
		!slices.ContainsFunc(r.NotChecked, func(s string) bool { return strings.Contains(s, "cosigned") }) ||
		!slices.ContainsFunc(r.NotChecked, func(s string) bool { return strings.Contains(s, "time stamps") }) {
		t.Errorf("the report is %+v", r)
	}
}

func (a *attested) origin(t *testing.T) string {
	t.Helper()

	origin, _, _ := strings.Cut(string(a.store.objects["checkpoints/00000000"]), "\n")

	return origin
}

// TestAProofShowsWhoHasCosigned has the checkpoint in a proof cosigned.
func TestAProofShowsWhoHasCosigned(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 2, 1)
	a.mustRun(t)

	id := slices.Sorted(maps.Keys(archived(t, a.store)))[0]

	proof, err := archive.Prove(t.Context(), a.store, []note.Verifier{a.verifier}, id)
	if err != nil {
		t.Fatal(err)
	}

	if p, err := archive.VerifyProof(proof, a.asked()); err != nil || len(p.Cosigned) != 2 {
		t.Errorf("%+v, %v", p, err)
	}

	other := witnesstest.NewWitness(t, "witness0.example")
	if p, err := archive.VerifyProof(proof, archive.VerifyOptions{Witnesses: []note.Verifier{other.Key}}); !errors.Is(err,
		archive.ErrProof) {
		t.Errorf("another witness of the same name is believed: %+v, %v", p, err)
	}
}

// TestNobodyAttests has each of them fail in each way. A run fails, or warns where that
// is tolerated; what it has archived is archived, and the next run asks again.
func TestNobodyAttests(t *testing.T) {
	t.Parallel()

	status := func(code int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)

			return true
		}
	}

	for name, spoil := range map[string]func(t *testing.T, a *attested){
		"a witness that is down":          func(_ *testing.T, a *attested) { a.witnesses[0].Answer = status(http.StatusBadGateway, "") },
		"a witness that knows no log":     func(_ *testing.T, a *attested) { a.witnesses[0].Answer = status(http.StatusNotFound, "") },
		"a witness that knows other keys": func(_ *testing.T, a *attested) { a.witnesses[0].Answer = status(http.StatusForbidden, "") },
		"a witness that answers nothing":  func(_ *testing.T, a *attested) { a.witnesses[0].Answer = status(http.StatusOK, "") },
		"a witness that repeats a signature of the log": func(_ *testing.T, a *attested) {
			a.witnesses[0].Answer = func(w http.ResponseWriter, r *http.Request) bool {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body[bytes.LastIndex(body, []byte("— ")):])

				return true
			}
		},
		"a witness that never ends": func(_ *testing.T, a *attested) {
			a.witnesses[0].Answer = func(w http.ResponseWriter, _ *http.Request) bool {
				for range 1 << 12 {
					_, _ = w.Write(make([]byte, 1<<10))
				}

				return true
			}
		},
		"a witness that sends away":        func(_ *testing.T, a *attested) { a.witnesses[0].Answer = redirect },
		"a witness that knows no size":     func(_ *testing.T, a *attested) { a.witnesses[0].Answer = status(http.StatusConflict, "many\n") },
		"a witness of a negative size":     func(_ *testing.T, a *attested) { a.witnesses[0].Answer = status(http.StatusConflict, "-1\n") },
		"an authority that is down":        func(_ *testing.T, a *attested) { a.authority.Answer = status(http.StatusServiceUnavailable, "") },
		"an authority that answers a text": func(_ *testing.T, a *attested) { a.authority.Answer = status(http.StatusOK, "yes") },
		"an authority that sends away":     func(_ *testing.T, a *attested) { a.authority.Answer = redirect },
		"another authority": func(t *testing.T, a *attested) {
			t.Helper()

			other := witnesstest.NewAuthority(t, func() time.Time { return a.now })
			a.authority.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				other.ServeHTTP(w, r)

				return true
			}
		},
		"an authority that answers with what it said before": func(_ *testing.T, a *attested) {
			a.authority.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
				for _, key := range slices.Sorted(maps.Keys(a.store.objects)) {
					if strings.HasPrefix(key, "timestamps/") {
						_, _ = w.Write(a.store.objects[key])

						return true
					}
				}

				return false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := newAttested(t, 1, 1)
			a.mustRun(t)
			spoil(t, a)

			if _, err := a.run(t); !errors.Is(err, archive.ErrAttest) {
				t.Fatalf("the error is %v", err)
			}

			// It is committed, and not published.
			if _, there := a.store.objects["checkpoints/00000002"]; !there ||
				strings.Contains(string(a.store.objects["checkpoint"]), "\n2\n") {
				t.Error("the checkpoint is published, or not there")
			}

			if r := a.report(t, a.asked()); r.Valid {
				t.Error("the archive is said to be attested")
			}

			if _, err := a.again(); !errors.Is(err, archive.ErrAttest) {
				t.Fatalf("the error of another run is %v", err)
			}

			a.attesters.Tolerant = true

			if result, err := a.run(t); err != nil || len(result.Unattested) != 1 || result.Head.Sequence != 3 {
				t.Fatalf("%+v, %v", result, err)
			}

			a.attesters.Tolerant, a.witnesses[0].Answer, a.authority.Answer = false, nil, nil

			if _, err := a.again(); err != nil {
				t.Fatal(err)
			}

			if r := a.report(t, a.asked()); !r.Valid || r.EntryCount != 9 {
				t.Errorf("the report is %+v", r)
			}
		})
	}
}

func redirect(w http.ResponseWriter, r *http.Request) bool {
	http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)

	return r.URL.Path != "/elsewhere"
}

// TestWitnessesNoticeAnotherLog rolls an archive back, or continues it differently. No
// state remembers what it was; the witness does, and it is an error even where
// attestations are not required.
func TestWitnessesNoticeAnotherLog(t *testing.T) {
	t.Parallel()

	for name, more := range map[string]int{"rolled back": 0, "as long as it was": 1, "longer than it was": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := newAttested(t, 2, 1)
			a.attesters.Tolerant = true
			a.mustRun(t)
			a.mustRun(t)
			before := maps.Clone(a.store.objects)
			a.mustRun(t)
			a.store.objects = before

			// Somebody who has the key continues it without the witness.
			with := a.attesters
			a.attesters = archive.Attesters{}

			for range more {
				a.mustRun(t)
			}

			a.attesters = with

			if _, err := a.again(); !errors.Is(err, archive.ErrBroken) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestQuorums has as many witnesses cosign as it takes.
func TestQuorums(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 3, 2)
	a.witnesses[1].Answer = redirect

	a.mustRun(t)

	if r := a.report(t, a.asked()); !r.Valid || len(r.Cosigned) != 2 {
		t.Errorf("the report is %+v", r)
	}

	all := a.asked()
	all.Quorum = 0

	if r := a.report(t, all); r.Valid {
		t.Error("two of three are taken for three")
	}

	// One who is named twice counts once.
	all.Witnesses, all.Quorum = []note.Verifier{a.witnesses[0].Key, a.witnesses[0].Key}, 2
	if r := a.report(t, all); r.Valid {
		t.Error("one witness is taken for two")
	}

	a.witnesses[2].Answer = redirect

	if _, err := a.run(t); !errors.Is(err, archive.ErrAttest) || !strings.Contains(err.Error(), "1 of 3 witnesses") {
		t.Errorf("the error is %v", err)
	}
}

// TestAttestationsAreAddedLater begins an archive without witnesses.
func TestAttestationsAreAddedLater(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 2, 2)
	with := a.attesters
	a.attesters = archive.Attesters{}

	for range 3 {
		a.mustRun(t)
	}

	a.attesters = with

	if _, err := a.again(); err != nil {
		t.Fatal(err)
	}

	if r := a.report(t, a.asked()); !r.Valid || r.Timestamps != 1 || r.Head.Sequence != 3 {
		t.Errorf("the report is %+v", r)
	}
}

// TestForgedAttestations changes what others have said.
func TestForgedAttestations(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 2, 2)
	for range 3 {
		a.mustRun(t)
	}

	good := a.store.objects
	stamps, cosigned := "timestamps/00000003.tsr", "cosigned/00000003"

	for name, c := range map[string]struct {
		do   func(map[string][]byte)
		want archive.Finding
	}{
		"no time stamp": {func(o map[string][]byte) { delete(o, stamps) }, archive.FindingMissing},
		"that of another": {
			func(o map[string][]byte) { o[stamps] = o["timestamps/00000002.tsr"] },
			archive.FindingSignature,
		},
		"that of another, earlier": {
			func(o map[string][]byte) { o["timestamps/00000001.tsr"] = o[stamps] },
			archive.FindingSignature,
		},
		"a byte of it": {
			func(o map[string][]byte) { o[stamps] = flipped(o[stamps], len(o[stamps])-3) },
			archive.FindingSignature,
		},
		"eleven bytes": {func(o map[string][]byte) {
			o[stamps] = []byte{0x30, 9, 0x30, 3, 2, 1, 0, 0x30, 2, 0x30, 0x82}
		}, archive.FindingSignature},
		"a stamp of nothing": {
			func(o map[string][]byte) { o["timestamps/00000009.tsr"] = o[stamps] },
			archive.FindingForeign,
		},
		"another stamp of it": {
			func(o map[string][]byte) { o["timestamps/00000003.TSR"] = o[stamps] },
			archive.FindingForeign,
		},
		"not cosigned": {func(o map[string][]byte) { delete(o, cosigned) }, archive.FindingSignature},
		"cosigned by nobody": {
			func(o map[string][]byte) { o[cosigned] = o["checkpoints/00000003"] },
			archive.FindingAltered,
		},
		"another cosigned": {
			func(o map[string][]byte) { o[cosigned] = o["cosigned/00000002"] },
			archive.FindingAltered,
		},
		"a byte of a cosignature": {
			func(o map[string][]byte) { o[cosigned] = flipped(o[cosigned], len(o[cosigned])-20) },
			archive.FindingSignature,
		},
		"an earlier cosignature": {func(o map[string][]byte) {
			o["cosigned/00000001"] = flipped(o["cosigned/00000001"], len(o[cosigned])-20)
		}, archive.FindingSignature},
		"a cosigned nothing": {func(o map[string][]byte) { o["cosigned/00000004"] = o[cosigned] }, archive.FindingForeign},
	} {
		a.store.objects = maps.Clone(good)
		c.do(a.store.objects)

		r := a.report(t, a.asked())
		if r.Valid || r.Problems[0].Finding != c.want {
			t.Errorf("%s: %+v", name, r.Problems)
		}
	}
}

func flipped(data []byte, at int) []byte {
	changed := slices.Clone(data)
	changed[at] ^= 1

	return changed
}

// TestTimeStampsAreVerifiedByOpenSSL verifies them as the archive's README says.
func TestTimeStampsAreVerifiedByOpenSSL(t *testing.T) {
	t.Parallel()

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on PATH")
	}

	a := newAttested(t, 0, 0)
	a.mustRun(t)

	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"tsr": a.store.objects["timestamps/00000001.tsr"], "checkpoint": a.store.objects["checkpoints/00000001"],
		"other": a.store.objects["checkpoints/00000000"], "roots.pem": []byte(a.authority.Certificates),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	verify := func(data string) ([]byte, error) {
		command := exec.CommandContext(t.Context(), openssl, "ts", "-verify", "-in", "tsr", "-data", data, "-CAfile",
			"roots.pem")
		command.Dir = dir

		return command.CombinedOutput()
	}

	if out, err := verify("checkpoint"); err != nil || !bytes.Contains(out, []byte("Verification: OK")) {
		t.Errorf("%v: %s", err, out)
	}

	if out, err := verify("other"); err == nil {
		t.Errorf("a stamp of another checkpoint is accepted: %s", out)
	}
}

// TestAWitnessCosignsTheCheckpointAlone has the answer of a witness with an empty line in it,
// so that what it signed is another text than the checkpoint.
func TestAWitnessCosignsTheCheckpointAlone(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 1, 1) // One honest witness, and one has to cosign.

	private, public, err := note.GenerateKey(rand.Reader, "hostile.example")
	if err != nil {
		t.Fatal(err)
	}

	signer, err := formats.NewSignerForCosignatureV1(private)
	if err != nil {
		t.Fatal(err)
	}

	public, err = formats.VKeyToCosignatureV1(public)
	if err != nil {
		t.Fatal(err)
	}

	key, err := witness.ParseKey(public)
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, text, _ := strings.Cut(string(body), "\n\n")
		text, _, _ = strings.Cut(text, "\n\n")

		const more = "— any.body AAAAAAAA\n"

		signed, err := note.Sign(&note.Note{Text: text + "\n\n" + more}, signer)
		if err != nil {
			t.Error(err)
		}

		_, _ = w.Write(signed[len(text)+2:])
	}))
	t.Cleanup(server.Close)

	a.attesters.Witnesses = append(a.attesters.Witnesses, witness.Witness{URL: server.URL, Key: key})

	a.mustRun(t)

	o := a.asked()
	o.Witnesses = append(o.Witnesses, key)

	if r := a.report(t, o); !r.Valid {
		t.Errorf("one witness of two has to have cosigned, and the honest one has:\n%s", problemsOf(r))
	}
}

// TestOnlyCosignaturesAreCopied has somebody write a line below those of the witnesses, which
// would end up in the copy of the checkpoint, so that the key could not be changed any more.
func TestOnlyCosignaturesAreCopied(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 1, 1)
	a.mustRun(t)

	// A signature of the owner's other key, which has signed nothing, with the right id.
	other, otherKey := newKey(t, "example.com/next")

	signed, err := note.Sign(&note.Note{Text: "another text\n"}, other)
	if err != nil {
		t.Fatal(err)
	}

	_, line, _ := strings.Cut(string(signed), "\n\n")
	key := "cosigned/00000001"
	a.store.objects[key] = append(a.store.objects[key], line...)
	a.store.objects["checkpoint"] = a.store.objects["checkpoints/00000001"] // As after a run without witnesses.

	if r := a.report(t, a.asked()); r.Valid {
		t.Error("nobody notices it")
	}

	if _, err := a.again(); err != nil {
		t.Fatal(err)
	}

	if strings.Contains(string(a.store.objects["checkpoint"]), line) {
		t.Error("the run has written what somebody put into cosigned/ into the copy")
	}

	if r := a.report(t, a.asked()); !r.Valid {
		t.Errorf("the run has not removed it:\n%s", problemsOf(r))
	}

	o := a.options(a.store)
	o.Signer, o.PreviousSigner, o.Verifiers = other, a.signer, []note.Verifier{otherKey, a.verifier}

	if _, err := a.apply(o); err != nil {
		t.Errorf("the key can no longer be changed: %v", err)
	}
}

// TestRunnersKeepWhatOtherWitnessesHaveSigned has two runners ask one witness each.
func TestRunnersKeepWhatOtherWitnessesHaveSigned(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 2, 2)
	both := a.attesters.Witnesses
	a.attesters.Quorum, a.attesters.Witnesses = 1, both[:1]
	a.mustRun(t)

	if r := a.report(t, a.asked()); len(r.Cosigned) != 1 {
		t.Fatal(problemsOf(r))
	}

	a.attesters.Witnesses = both[1:]
	if _, err := a.again(); err != nil {
		t.Fatal(err)
	}

	if r := a.report(t, a.asked()); len(r.Cosigned) != 2 {
		t.Errorf("two witnesses have cosigned, and what one of them has signed is gone: %+v", r.Cosigned)
	}
}

// TestRunnersWithOtherAuthorities has two runners ask one authority each. A time stamp stays
// where the roots of who runs vouch for it, and is replaced else.
func TestRunnersWithOtherAuthorities(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 0, 0)
	a.mustRun(t)

	const key = "timestamps/00000001.tsr"

	first := string(a.store.objects[key])
	other := witnesstest.NewAuthority(t, func() time.Time { return a.now })
	again := func(roots *x509.CertPool) string {
		t.Helper()

		a.now = a.now.Add(time.Hour)
		a.attesters.Authority = &witness.Authority{URL: other.URL, Roots: roots}

		if _, err := a.again(); err != nil {
			t.Fatal(err)
		}

		return string(a.store.objects[key])
	}

	both, err := witness.ParseRoots([]byte(a.authority.Certificates + other.Certificates))
	if err != nil {
		t.Fatal(err)
	}

	for name, roots := range map[string]*x509.CertPool{"any roots": nil, "the roots of both": both} {
		if again(roots) != first {
			t.Errorf("%s: a time stamp that holds was replaced by a later one", name)
		}
	}

	if again(other.Roots) == first {
		t.Error("a time stamp by an authority that this run does not trust is taken for one")
	}

	if r := a.report(t, archive.VerifyOptions{Verifiers: []note.Verifier{a.verifier}, TimestampRoots: both}); !r.Valid {
		t.Errorf("who trusts both finds:\n%s", problemsOf(r))
	}
}

// TestRunsAskAWitnessAtTheSameTime has two runs of ours ask a witness at the same time. It answers the later
// checkpoint with the size that it knows, and by the time that it is asked again it has cosigned the other one.
func TestRunsAskAWitnessAtTheSameTime(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 1, 1)
	a.mustRun(t)
	a.mustRun(t)

	// Two was cosigned; the witness answers as if it had seen only one, since the other run's request is on its way.
	asked := 0
	a.witnesses[0].Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		if asked++; asked == 1 {
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte("1\n"))

			return true
		}

		return false
	}

	if _, err := a.run(t); err != nil {
		t.Error(err)
	}
}

// TestNobodyCosignsAnEmptyLog cuts an archive back to the checkpoint without manifests. That
// no witness can have cosigned it is said.
func TestNobodyCosignsAnEmptyLog(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 1, 1)
	a.mustRun(t)
	a.mustRun(t)

	for key := range a.store.objects {
		if key != "README.txt" && key != "checkpoints/00000000" && key != "timestamps/00000000.tsr" {
			delete(a.store.objects, key)
		}
	}

	a.store.objects["checkpoint"] = a.store.objects["checkpoints/00000000"]

	r := a.report(t, a.asked())
	if !slices.ContainsFunc(r.NotChecked,
		func(s string) bool { return strings.HasPrefix(s, "Whether witnesses have cosigned the archive: ") }) {
		t.Errorf("a witness has to have cosigned, none has, and that is not said: %q", r.NotChecked)
	}
}

// TestLinesInTheNameOfTheLog has somebody write lines with the form of cosignatures: in the
// name of the log, of a witness that is asked, and of so many that nobody knows.
func TestLinesInTheNameOfTheLog(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 1, 1)
	a.mustRun(t)

	line := func(name string, hash uint32) string {
		data := binary.BigEndian.AppendUint32(nil, hash)

		return "— " + name + " " + base64.StdEncoding.EncodeToString(append(data, make([]byte, 8+64)...)) + "\n"
	}

	const key = "cosigned/00000001"

	good := string(a.store.objects[key])
	asked := a.witnesses[0].Key
	lines := []string{
		line(a.verifier.Name(), a.verifier.KeyHash()), line(a.verifier.Name(), 1),
		line(asked.Name(), asked.KeyHash()),
	}

	for i := range 30 {
		lines = append(lines, line(fmt.Sprintf("nobody%d.example", i), 1))
	}

	point := string(a.store.objects["checkpoints/00000001"])
	a.store.objects[key] = []byte(point + strings.Join(lines, "") + strings.TrimPrefix(good, point))

	if _, err := a.again(); err != nil {
		t.Fatal(err)
	}

	got := string(a.store.objects[key])
	if strings.Count(got, "\n— ") != 1+16+1 || strings.Count(got, "— "+a.verifier.Name()+" ") != 1 ||
		strings.Count(got, "— "+asked.Name()+" ") != 1 {
		t.Errorf("it is\n%s", got)
	}

	if r := a.report(t, a.asked()); !r.Valid || len(r.Cosigned) != 1 || string(a.store.objects["checkpoint"]) != got {
		t.Errorf("%s\n%s", problemsOf(r), a.store.objects["checkpoint"])
	}
}

// TestWithoutWitnessesNobodyIsAskedFor: an archive that nobody has signed can be stamped and
// proven all the same.
func TestWithoutWitnessesNobodyIsAskedFor(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 0, 0)
	a.happen(3, a.now.Add(-time.Hour))

	o := a.options(a.store)
	o.Attesters = a.attesters
	a.mustApply(o)

	again, err := archive.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}

	if p, err := again.Pending(t.Context(), 1); err != nil || p.Unattested {
		t.Errorf("a checkpoint that has its time stamp waits for others: %+v, %v", p, err)
	}

	proof, err := archive.Prove(t.Context(), a.store, nil, slices.Sorted(maps.Keys(archived(t, a.store)))[0])
	if err != nil {
		t.Fatal(err)
	}

	if p, err := archive.VerifyProof(proof, archive.VerifyOptions{}); err != nil || p.Signed {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestALineInTheNameOfTheNextKey has somebody write a line with the form of a cosignature in the name of a key of the
// log that nobody knows yet, which cannot be told from one of a witness that another run asks. It keeps nobody from
// using the key, and goes once that is known.
func TestALineInTheNameOfTheNextKey(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 1, 1)
	a.mustRun(t)

	next, nextKey := newKey(t, "example.com/next")
	data := binary.BigEndian.AppendUint32(nil, nextKey.KeyHash())
	line := "— " + nextKey.Name() + " " + base64.StdEncoding.EncodeToString(append(data, make([]byte, 8+64)...)) + "\n"
	a.store.objects["cosigned/00000001"] = append(a.store.objects["cosigned/00000001"], line...)

	if _, err := a.again(); err != nil {
		t.Fatal(err)
	}

	keys := []note.Verifier{nextKey, a.verifier}

	reading := archive.ReaderOptions{Verifiers: keys, InfoOf: infoOf(a.service.Info())}
	if _, err := archive.OpenReader(t.Context(), a.store, reading); err != nil {
		t.Errorf("the archive cannot be read: %v", err)
	}

	proof, err := archive.Prove(t.Context(), a.store, keys, slices.Sorted(maps.Keys(archived(t, a.store)))[0])
	if err == nil {
		_, err = archive.VerifyProof(proof, archive.VerifyOptions{Verifiers: keys})
	}

	if err != nil {
		t.Errorf("a proof does not hold: %v", err)
	}

	o := a.options(a.store)
	o.Signer, o.PreviousSigner, o.Verifiers, o.Attesters = next, a.signer, keys, a.attesters

	if _, err := a.apply(o); err != nil {
		t.Errorf("the key cannot be changed: %v", err)
	}

	for key, data := range a.store.objects {
		if strings.Contains(string(data), line) {
			t.Errorf("it is still in %s", key)
		}
	}
}

// outwritten is a store in which somebody else replaces an object right after it was written.
type outwritten struct {
	*memory

	key    string
	theirs []byte
}

func (o *outwritten) Replace(ctx context.Context, key string, data []byte) error {
	err := o.memory.Replace(ctx, key, data)
	if err != nil || key != o.key || o.theirs == nil {
		return err
	}

	data, o.theirs = o.theirs, nil

	return o.memory.Replace(ctx, key, data)
}

// TestRunsThatKeepCosignaturesAtTheSameTime: of two runs that ask one witness each, the slower one has not seen what
// the faster one has written, and replaces it.
func TestRunsThatKeepCosignaturesAtTheSameTime(t *testing.T) {
	t.Parallel()

	const key = "cosigned/00000001"

	a := newAttested(t, 2, 2)
	a.mustRun(t)

	both := string(a.store.objects[key])
	lines := strings.SplitAfter(strings.TrimPrefix(both, string(a.store.objects["checkpoints/00000001"])), "\n")
	theirs := strings.Replace(both, lines[0], "", 1)

	delete(a.store.objects, key)
	a.store.objects["checkpoint"] = a.store.objects["checkpoints/00000001"]
	a.attesters.Quorum, a.attesters.Witnesses = 1, a.attesters.Witnesses[:1]

	o := a.options(&outwritten{a.store, key, []byte(theirs)})
	o.Signer, o.Verifiers, o.Attesters = a.signer, []note.Verifier{a.verifier}, a.attesters

	if _, err := a.apply(o); err != nil {
		t.Fatal(err)
	}

	// A witness that is asked again may sign a later second, so its line need not be the one from before.
	of := func(line string) string { return "\n— " + strings.Fields(line)[1] + " " }

	got := string(a.store.objects[key])
	if !strings.Contains(got, of(lines[0])) || !strings.Contains(got, of(lines[1])) ||
		string(a.store.objects["checkpoint"]) != got {
		t.Errorf("a cosignature is gone:\n%s\n%s", got, a.store.objects["checkpoint"])
	}
}

// TestTimesOfWitnessesCanBeWrittenDown has a witness sign times that no report can hold. They do not count as times,
// and the report is one all the same.
func TestTimesOfWitnessesCanBeWrittenDown(t *testing.T) {
	t.Parallel()

	const name = "witness.example"

	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}

	typed := append([]byte{4}, public...)
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))

	key, err := witness.ParseKey(fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(typed)))
	if err != nil {
		t.Fatal(err)
	}

	for at, valid := range map[uint64]bool{
		1 << 30: true, 1 << 40: false, math.MaxInt64: false, 1 << 63: false,
		math.MaxUint64: false,
	} {
		a := newAttested(t, 0, 1)
		a.attesters.Authority = nil
		a.mustRun(t)

		point := string(a.store.objects["checkpoints/00000001"])
		body, _, _ := strings.Cut(point, "\n\n")
		signature := ed25519.Sign(private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, body))
		data := append(binary.BigEndian.AppendUint64(slices.Clone(sum[:4]), at), signature...)
		line := "— " + name + " " + base64.StdEncoding.EncodeToString(data) + "\n"
		a.store.objects["cosigned/00000001"] = []byte(point + line)

		r := a.report(t, archive.VerifyOptions{Witnesses: []note.Verifier{key}})
		if _, err := json.Marshal(r); err != nil || r.Valid != valid {
			t.Errorf("%d: %v\n%s", at, err, problemsOf(r))
		}

		w := witnesstest.NewWitness(t, name)
		w.Key = key
		w.Answer = func(rw http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(rw, line)

			return true
		}

		_, err := w.Cosign(t.Context(), &witness.Client{Retries: -1}, witness.Checkpoint{Note: point, Size: 1})
		if (err == nil) != valid {
			t.Errorf("%d: the error of who asks is %v", at, err)
		}
	}
}
