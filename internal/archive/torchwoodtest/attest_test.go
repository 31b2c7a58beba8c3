// SPDX-License-Identifier: MPL-2.0

package torchwoodtest_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

// newWitnessed is a log of which a litewitness has been told, and from now on every run
// asks it. The verifier of its cosignatures is Torchwood's, not the one that we use.
func newWitnessed(t *testing.T, days int) (*log, note.Verifier) {
	t.Helper()

	l := newLog(t, days)

	first, err := l.checkpoint(t, l.objects["checkpoint"])
	if err != nil {
		t.Fatal(err)
	}

	url, vkey := startLitewitness(t, first.Origin, l.vkey)

	key, err := witness.ParseKey(vkey)
	if err != nil {
		t.Fatal(err)
	}

	l.attesters = archive.Attesters{
		Client: witness.Client{Retries: -1}, Witnesses: []witness.Witness{{URL: url, Key: key}}, Quorum: 1,
	}

	return l, cosignatures(t, vkey)
}

// checkCosigned makes sure that the newest checkpoint is cosigned in both of its places,
// for Torchwood and for our own verifier.
func (l *log) checkCosigned(t *testing.T, size int, by note.Verifier) {
	t.Helper()

	text := l.objects[fmt.Sprintf("cosigned/%08d", size)]

	n, err := note.Open(text, note.VerifierList(l.verifier, by))
	if err != nil || len(n.Sigs) != 2 || n.Sigs[1].Name != witnessName || len(n.UnverifiedSigs) > 0 {
		t.Fatalf("%d manifests, cosigned: %+v, %v", size, n, err)
	}

	if c, err := l.checkpoint(t, text); err != nil || c.N != int64(size) {
		t.Errorf("%d manifests, cosigned were %d, %v", size, c.N, err)
	}

	if got := l.objects["checkpoint"]; string(got) != string(text) {
		t.Errorf("%d manifests, the copy is %q", size, got)
	}

	r, err := archive.Verify(t.Context(), l, l.asked())
	if err != nil || !r.Valid || r.Head.Sequence != int64(size) || len(r.Cosigned) != 1 ||
		r.Cosigned[0].Name != witnessName {
		t.Fatalf("%d manifests, the report is %+v, %v", size, r, err)
	}

	if at := r.Cosigned[0].Time; time.Since(at).Abs() > time.Minute {
		t.Errorf("%d manifests, cosigned at %v", size, at)
	}
}

// asked are the options of a verifier who insists on the witness.
func (l *log) asked() archive.VerifyOptions {
	return archive.VerifyOptions{
		Verifiers: []note.Verifier{l.verifier},
		Witnesses: []note.Verifier{l.attesters.Witnesses[0].Key},
	}
}

// TestRunsAreCosigned: each run of an archive leaves a checkpoint that the witness has
// cosigned.
func TestRunsAreCosigned(t *testing.T) {
	t.Parallel()

	l, by := newWitnessed(t, 1)

	// The second run finds nothing new and the witness has seen nothing: it is asked all
	// the same.
	for _, size := range []int{1, 2, 3, 4, 5} {
		l.grow(t, size)
		l.checkCosigned(t, size, by)
	}

	// Its cosignature is of one checkpoint.
	l.objects["cosigned/00000004"] = l.objects["cosigned/00000005"]

	if r, err := archive.Verify(t.Context(), l, l.asked()); err != nil || r.Valid {
		t.Errorf("the cosignature of another checkpoint is accepted: %+v, %v", r, err)
	}
}

// TestWitnessesCatchUp: a witness that is asked for the first time, or that was not asked
// for long, needs one run.
func TestWitnessesCatchUp(t *testing.T) {
	t.Parallel()

	l, by := newWitnessed(t, 300)

	l.grow(t, 300)
	l.checkCosigned(t, 300, by)

	with := l.attesters
	l.attesters = archive.Attesters{}
	l.grow(t, 700)

	l.attesters = with
	l.grow(t, 701)
	l.checkCosigned(t, 701, by)
}

// TestRunsAreRefused: once the witness has seen a log, a run refuses an earlier state of
// it and another one, even where attestations are not required.
func TestRunsAreRefused(t *testing.T) {
	t.Parallel()

	for name, size := range map[string]int{"rolled back": 3, "as long as it was": 4, "longer than it was": 6} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			l, by := newWitnessed(t, 3)
			l.attesters.Tolerant = true
			before := maps.Clone(l.objects)

			l.grow(t, 4)
			l.checkCosigned(t, 4, by)

			// Somebody who has the key continues it without the witness.
			with := l.attesters
			l.objects, l.attesters, l.tool = before, archive.Attesters{}, "another"

			if size > 3 {
				l.grow(t, size)
			}

			l.attesters = with

			if r, err := l.run(t, size); !errors.Is(err, archive.ErrBroken) {
				t.Errorf("%+v, %v", r, err)
			}

			if r, err := archive.Verify(t.Context(), l, l.asked()); err != nil || r.Valid {
				t.Errorf("it is said to be attested: %+v, %v", r, err)
			}
		})
	}
}

// TestUnknownLogs: litewitness answers 403 for a log that it does not know, which it
// should for a key that it does not know, so what we say has to be true of both.
func TestUnknownLogs(t *testing.T) {
	t.Parallel()

	l, _ := newWitnessed(t, 1)
	other := newLog(t, 1)
	other.attesters = l.attesters

	r, err := other.run(t, 2)
	if !errors.Is(err, archive.ErrAttest) || !errors.Is(err, witness.ErrUnknownKey) || errors.Is(err, archive.ErrBroken) {
		t.Fatalf("%+v, %v", r, err)
	}

	if text := err.Error(); !strings.Contains(text, witnessName) ||
		!strings.Contains(text, "has to add the log's origin") || strings.Contains(text, "another key") {
		t.Errorf("the error is %q", text)
	}

	other.attesters.Tolerant = true

	if r, err := other.run(t, 2); err != nil || len(r.Unattested) != 1 || r.Head.Sequence != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestUnknownKeys: neither does it cosign a known log that another key signs.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()

	l, _ := newWitnessed(t, 1)
	other := newLog(t, 1)
	l.signer, l.verifier = other.signer, other.verifier

	// What is there is signed by the first key.
	l.objects = map[string][]byte{}
	r, err := l.run(t, 1)

	if !errors.Is(err, archive.ErrAttest) || !errors.Is(err, witness.ErrUnknownKey) {
		t.Errorf("%+v, %v", r, err)
	}
}
