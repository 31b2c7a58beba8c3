// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

// Attesters are others who are asked to attest each checkpoint once it is committed, and
// before it is published.
type Attesters struct {
	Client witness.Client
	// Witnesses cosign checkpoints, Quorum of them at least.
	Witnesses []witness.Witness
	Quorum    int
	// Authority puts a time stamp on checkpoints; nil where none is asked.
	Authority *witness.Authority
	// Tolerant says that a checkpoint is published and a run succeeds where they do not.
	Tolerant bool
}

// ErrAttest means that everything is archived, and others who have to attest the newest
// checkpoint have not, so that it is not published. The next run asks them again.
var ErrAttest = errors.New("others have not attested the checkpoint")

const (
	cosignedPrefix   = "cosigned/"
	timestampsPrefix = "timestamps/"
	timestampSuffix  = ".tsr"
)

func cosignedKey(size int64) string { return fmt.Sprintf("%s%08d", cosignedPrefix, size) }

func timestampKey(size int64) string {
	return fmt.Sprintf("%s%08d%s", timestampsPrefix, size, timestampSuffix)
}

// attest has others attest the newest checkpoint, unless they have done so or have failed
// in this run already. Who has not is kept in a.unattested. Another log that a witness has
// seen is an error.
func (a *Archive) attest(ctx context.Context) error {
	if a.attested == a.point.note || len(a.unattested) > 0 {
		return nil
	}

	for _, ask := range []func(context.Context) error{a.cosign, a.stamp} {
		err := ask(ctx)

		switch {
		case errors.Is(err, ErrAttest):
			a.unattested = append(a.unattested, err)
		case err != nil:
			return err
		}
	}

	if len(a.unattested) == 0 {
		a.attested = a.point.note
	}

	return nil
}

// attestAtLast asks once more at the end of a run, and returns what to say where that is
// tolerated.
func (a *Archive) attestAtLast(ctx context.Context) ([]string, error) {
	if a.attested != a.point.note {
		a.unattested = nil

		if err := a.tidy(ctx); err != nil {
			return nil, err
		}
	}

	if !a.o.Attesters.Tolerant {
		if len(a.unattested) == 0 {
			return nil, nil
		}

		return nil, a.unattested
	}

	return a.unattested.texts(), nil
}

// together are errors in one line.
type together []error

func (t together) Error() string { return strings.Join(t.texts(), "; ") }

func (t together) texts() []string {
	texts := make([]string, 0, len(t))
	for _, err := range t {
		texts = append(texts, err.Error())
	}

	return texts
}

// Unwrap returns the errors.
func (t together) Unwrap() []error { return t }

// mayPublish says that the newest checkpoint is attested as it has to be.
func (a *Archive) mayPublish() bool { return a.o.Attesters.Tolerant || a.attested == a.point.note }

// isUnattested says that the newest checkpoint waits for being attested. It is published
// once it is.
func (a *Archive) isUnattested() bool {
	o := a.o.Attesters

	switch {
	case a.point == nil, o.Tolerant, len(o.Witnesses) == 0 && o.Authority == nil:
		return false
	case a.copied == nil, a.copied.Tree.N < a.point.Tree.N:
		return true
	default:
		cosignatures, err := cosignaturesOn(a.copied.note, o.keys())

		return a.log.N > 0 && (err != nil || len(cosignatures) < o.Quorum)
	}
}

// keys are those of the witnesses.
func (o *Attesters) keys() []note.Verifier {
	keys := make([]note.Verifier, 0, len(o.Witnesses))
	for _, w := range o.Witnesses {
		keys = append(keys, w.Key)
	}

	return keys
}

// cosign asks the witnesses, and keeps the checkpoint with what they add to it.
func (a *Archive) cosign(ctx context.Context) error {
	o := a.o.Attesters
	if len(o.Witnesses) == 0 || a.log.N == 0 {
		return nil
	}

	if _, err := a.keepCosigned(ctx, nil); err != nil || a.cosigned != "" {
		return err
	}

	lines, errs := a.askWitnesses(ctx)

	for _, err := range errs {
		ahead := (*witness.AheadError)(nil)

		switch {
		case errors.Is(err, ErrBroken), errors.Is(err, witness.ErrForked):
			return fmt.Errorf("%w: %w", ErrBroken, err)
		case errors.As(err, &ahead):
			// Another run that has gone on asks for itself.
			if _, atErr := a.points().at(ctx, a.log.N+1); errors.Is(atErr, fs.ErrNotExist) {
				return fmt.Errorf("%w: it was rolled back to %d manifests: %w", ErrBroken, a.log.N, err)
			}
		}
	}

	cosigned, err := a.keepCosigned(ctx, lines)
	if err != nil || a.cosigned != "" {
		return err
	}

	return fmt.Errorf("%w of %s: %d of %d witnesses have cosigned it, and %d have to: %w", ErrAttest, a.point.Origin,
		cosigned, len(o.Witnesses), o.Quorum, together(errs))
}

// keepCosigned adds lines to those of a cosigned checkpoint and returns how many of the
// witnesses asked have cosigned it. Once these are enough it is kept and published. Other
// runs may ask other witnesses, so that what these have said stays, also if they say it at
// the same time: what was written is read again until it is what was written.
func (a *Archive) keepCosigned(ctx context.Context, lines []string) (int, error) {
	const tries = 10

	o := a.o.Attesters

	for try := 0; ; try++ {
		there, err := readBelow(ctx, a.o.Store, a.point)
		if err != nil {
			return 0, err
		}

		// Of two by the same witness that both hold, the first is kept.
		lines = a.trusted(slices.Concat(cosignatureLines(a.point, there), lines))
		text := a.point.note + strings.Join(lines, "")

		cosignatures, err := cosignaturesOn(text, o.keys())
		if err != nil || len(cosignatures) < max(o.Quorum, 1) {
			return len(cosignatures), err
		}

		a.cosigned = text

		if text == there || try == tries {
			return len(cosignatures), nil
		}

		if err := a.o.Store.Replace(ctx, cosignedKey(a.log.N), []byte(text)); err != nil {
			return len(cosignatures), err
		}
	}
}

// trusted returns the lines that may stand below a checkpoint: those by witnesses whose keys
// are known, if they hold, and some by others. None is by a key of the log: its own
// signatures are part of the checkpoint, and whoever knows the key refuses all of a note with
// one that does not hold.
func (a *Archive) trusted(lines []string) []string {
	const maxUnknown = 16

	var (
		kept    []string
		unknown int
		keys    = a.o.Attesters.keys()
		seen    = map[keyID]bool{}
		// The key that comes next can have the name of this one.
		logs = map[string]bool{}
	)

	for _, v := range a.o.Verifiers {
		seen[keyOf(v)], logs[v.Name()] = true, true
	}

	for _, s := range []note.Signer{a.o.Signer, a.o.PreviousSigner} {
		if s != nil {
			seen[keyOf(s)], logs[s.Name()] = true, true
		}
	}

	for _, line := range lines {
		id, ok := cosignatureBy(line)
		if !ok || seen[id] {
			continue
		}

		switch i := slices.IndexFunc(keys, func(v note.Verifier) bool { return id == keyOf(v) }); {
		case i >= 0:
			if cosignatures, err := cosignaturesOn(a.point.note+line, keys[i:i+1]); err != nil || len(cosignatures) == 0 {
				continue
			}
		case logs[id.name], unknown == maxUnknown:
			continue
		default:
			unknown++
		}

		seen[id] = true
		kept = append(kept, line)
	}

	return kept
}

// cosignatureBy returns who a line is by, if it has the form of a cosignature of
// c2sp.org/tlog-cosignature: a hash, a time, and a signature of Ed25519 or ML-DSA-44. Those
// of logs have no time.
func cosignatureBy(line string) (keyID, bool) {
	const (
		hashSize    = 4
		timeSize    = 8
		mldsa44Size = 2420
		ed25519Line = hashSize + timeSize + ed25519.SignatureSize
		mldsa44Line = hashSize + timeSize + mldsa44Size
	)

	by, data, ok := signatureOf(line)

	return by, ok && (len(data) == ed25519Line || len(data) == mldsa44Line)
}

// askWitnesses asks all of them at the same time. The lines are in their order.
func (a *Archive) askWitnesses(ctx context.Context) (lines []string, errs []error) {
	var (
		wg      sync.WaitGroup
		proving sync.Mutex
		answers = make([]string, len(a.o.Attesters.Witnesses))
		errors  = make([]error, len(answers))
	)

	p := witness.Checkpoint{Note: a.point.note, Size: a.log.N, Grown: func(size int64) (tlog.TreeProof, error) {
		proving.Lock()
		defer proving.Unlock()

		return tlog.ProveTree(a.log.N, size, a.log)
	}}

	for i, w := range a.o.Attesters.Witnesses {
		wg.Go(func() { answers[i], errors[i] = w.Cosign(ctx, &a.o.Attesters.Client, p) })
	}

	wg.Wait()

	for i, line := range answers {
		if errors[i] != nil {
			errs = append(errs, errors[i])
		} else {
			lines = append(lines, line)
		}
	}

	return lines, errs
}

// stamp asks the authority for a time stamp of the checkpoint's object.
func (a *Archive) stamp(ctx context.Context) error {
	o := a.o.Attesters
	if o.Authority == nil {
		return nil
	}

	holds, err := a.isStamped(ctx)
	if err != nil || holds {
		return err
	}

	answer, err := o.Authority.Stamp(ctx, &o.Client, []byte(a.point.note))
	if err != nil {
		return fmt.Errorf("%w of %s: %w", ErrAttest, a.point.Origin, err)
	}

	// Another run that was faster has the earlier one.
	if holds, err = a.isStamped(ctx); err != nil || holds {
		return err
	}

	return a.o.Store.Replace(ctx, timestampKey(a.point.Tree.N), answer)
}

// isStamped says that there is a time stamp of the newest checkpoint by whom the authority's
// roots vouch for.
func (a *Archive) isStamped(ctx context.Context) (bool, error) {
	there, err := readIfUsable(ctx, a.o.Store, timestampKey(a.point.Tree.N), maxSmall)
	if err != nil {
		return false, err
	}

	_, err = witness.CheckStamp(there, []byte(a.point.note), a.o.Attesters.Authority.Roots)

	return err == nil, nil
}

// readCosigned returns a checkpoint with its cosignatures, "" where there are none. Lines that
// have not their form are left out.
func readCosigned(ctx context.Context, store durable.Store, p *point) (string, error) {
	text, err := readBelow(ctx, store, p)
	if err != nil {
		return "", err
	}

	if lines := cosignatureLines(p, text); len(lines) > 0 {
		return p.note + strings.Join(lines, ""), nil
	}

	return "", nil
}

// readBelow returns a checkpoint with whatever lies below it, "" where there is nothing of it.
func readBelow(ctx context.Context, store durable.Store, p *point) (string, error) {
	data, err := readIfUsable(ctx, store, cosignedKey(p.Tree.N), maxSmall)
	if !strings.HasPrefix(string(data), p.note) {
		return "", err // Verify says that it is no cosigned checkpoint.
	}

	return string(data), err
}

// cosignatureLines are those lines below a checkpoint that have the form of cosignatures.
func cosignatureLines(p *point, text string) []string {
	var lines []string

	for line := range strings.Lines(strings.TrimPrefix(text, p.note)) {
		if _, ok := cosignatureBy(line); ok {
			lines = append(lines, line)
		}
	}

	return lines
}

// isCosigned says that a text is a checkpoint and below it nothing but lines that have the form of cosignatures.
func (p *point) isCosigned(text string) bool {
	return p.note+strings.Join(cosignatureLines(p, text), "") == text
}

// Cosignature says who has cosigned a checkpoint, and when by its own clock.
type Cosignature struct {
	Name string    `json:"name"`
	Time time.Time `json:"time"`
}

// cosignaturesOn returns those of the witnesses that stand on a note, each once.
func cosignaturesOn(text string, witnesses []note.Verifier) ([]Cosignature, error) {
	if len(witnesses) == 0 {
		return nil, nil // It need not have any signature.
	}

	unverified := (*note.UnverifiedNoteError)(nil)

	n, err := note.Open([]byte(text), note.VerifierList(witnesses...))
	if errors.As(err, &unverified) {
		return nil, nil
	}

	if err != nil {
		return nil, fmt.Errorf("read the cosignatures: %w", err)
	}

	all := make([]Cosignature, 0, len(n.Sigs))

	for _, s := range n.Sigs {
		at, err := witness.CosignedAt(s)
		if err != nil {
			return nil, err
		}

		all = append(all, Cosignature{s.Name, at})
	}

	return all, nil
}

// Stamped says when a time stamp authority was shown a checkpoint.
type Stamped struct {
	// Sequence is the size of the checkpoint.
	Sequence int64     `json:"sequence"`
	Time     time.Time `json:"time"`
	// By is the subject of the authority's certificate. Whose certificate it is was checked
	// where roots were given.
	By string `json:"by"`
}

// checkAttested holds what others have said against the checkpoints.
func (v *verification) checkAttested() error {
	cosigned, stamped := v.attestations(cosignedKey), v.attestations(timestampKey)

	for _, err := range ahead(v.ctx, len(cosigned), objectsChecked, func(ctx context.Context, i int) (struct{}, error) {
		return struct{}{}, v.checkCosigned(ctx, cosigned[i])
	}) {
		if err := v.note(err); err != nil {
			return err
		}
	}

	for stamp, err := range ahead(v.ctx, len(stamped), objectsChecked, func(ctx context.Context, i int) (*Stamped, error) {
		return v.checkStamp(ctx, stamped[i])
	}) {
		if err := v.note(err); err != nil {
			return err
		}

		if stamp != nil {
			v.report.Timestamp = stamp
			v.report.Timestamps++
		}
	}

	return v.checkQuorum()
}

// attestations are the checkpoints of which there is one of a kind, in order. What a
// checkpoint claims as its size can be far beyond what there is.
func (v *verification) attestations(key func(size int64) string) []*point {
	var points []*point

	for _, size := range slices.Sorted(maps.Keys(v.checkpoints)) {
		if v.there(key(size)) {
			v.named[key(size)] = true
			points = append(points, v.checkpoints[size])
		}
	}

	return points
}

func (v *verification) checkCosigned(ctx context.Context, p *point) error {
	size := p.Tree.N
	key := cosignedKey(size)

	data, err := readKey(ctx, v.store, key, size, maxSmall)
	if err != nil {
		return err
	}

	if len(data) == len(p.note) || !strings.HasPrefix(string(data), p.note) {
		return &Problem{FindingAltered, key, size, "it is not " + checkpointKeyOf(size) + " with further signatures"}
	}

	if _, err := cosignaturesOn(string(data), v.o.Witnesses); err != nil {
		return &Problem{FindingSignature, key, size, "a signature on it cannot be read, or is not by the witness that it names"}
	}

	if !p.isCosigned(string(data)) {
		return &Problem{FindingAltered, key, size, "it has lines that are no cosignatures"}
	}

	return nil
}

func (v *verification) checkStamp(ctx context.Context, p *point) (*Stamped, error) {
	size := p.Tree.N
	key := timestampKey(size)

	data, err := readKey(ctx, v.store, key, size, maxSmall)
	if err != nil {
		return nil, err
	}

	stamp, err := witness.CheckStamp(data, []byte(p.note), v.o.TimestampRoots)
	if err != nil {
		return nil, &Problem{FindingSignature, key, size, err.Error()}
	}

	return &Stamped{Sequence: size, Time: stamp.Time, By: stamp.By}, nil
}

// checkQuorum makes sure that the newest checkpoint is attested as it has to be.
func (v *verification) checkQuorum() error {
	if v.last == nil {
		return nil
	}

	if v.o.TimestampRoots != nil && (v.report.Timestamp == nil || v.report.Timestamp.Sequence != v.size()) {
		v.found(FindingMissing, timestampKey(v.size()), v.size(), "the newest checkpoint has no time stamp that holds")
	}

	// A log without manifests has nothing for witnesses.
	if len(v.o.Witnesses) == 0 || v.size() == 0 {
		return nil
	}

	text, err := readCosigned(v.ctx, v.store, v.last)
	if err != nil {
		return err
	}

	if text == "" {
		text = v.last.note
	}

	cosigned, err := cosignaturesOn(text, v.o.Witnesses)
	if err == nil {
		v.report.Cosigned = append(v.report.Cosigned, cosigned...)
	}

	if want := v.o.quorum(); len(cosigned) < want {
		v.found(FindingSignature, cosignedKey(v.size()), v.size(), fmt.Sprintf("%d of the witnesses have cosigned the newest checkpoint, and %d have to", len(cosigned), want))
	}

	return nil
}

// quorum is how many witnesses have to have cosigned.
func (o *VerifyOptions) quorum() int {
	if o.Quorum == 0 {
		return len(o.Witnesses)
	}

	return o.Quorum
}

// notAttested says what nobody could check of what others have said.
func (v *verification) notAttested() []string {
	var all []string

	if len(v.o.Witnesses) == 0 && v.size() > 0 && v.there(cosignedKey(v.size())) {
		all = append(all, "Who has cosigned the checkpoints: that takes the public keys of the witnesses.")
	}

	if len(v.o.Witnesses) > 0 && v.size() == 0 {
		all = append(all, "Whether witnesses have cosigned the archive: it has no manifests, or was cut back to none, and witnesses cannot cosign a checkpoint of that.")
	}

	if v.o.TimestampRoots == nil && v.report.Timestamps > 0 {
		all = append(all, "Who made the time stamps: that takes the certificates of the authority.")
	}

	return all
}
