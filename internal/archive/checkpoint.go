// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Checkpoint says what an archive holds, as c2sp.org/tlog-checkpoint has it: three lines
// of text, and below them signatures in the form of c2sp.org/signed-note. It names the
// archive, how many manifests its log has and their Merkle root.
//
// That of an archive without a manifest has one line more, which says what it covers.
type Checkpoint struct {
	Origin string
	Tree   tlog.Tree
	// Covered is what an empty archive covers, zero in any other.
	Covered auditlog.Window
}

const (
	originPrefix = "auditlogs.audit/"
	// coveredPrefix begins the line that an empty archive has.
	coveredPrefix = "covered "
	// maxSequence is the last number that a key has room for.
	maxSequence = 99_999_999
)

// text is what is signed.
func (c Checkpoint) text() string {
	lines := []string{c.Origin, strconv.FormatInt(c.Tree.N, 10), base64.StdEncoding.EncodeToString(c.Tree.Hash[:])}
	if c.Tree.N == 0 {
		lines = append(lines, coveredPrefix+auditlog.FormatTime(c.Covered.Start)+" "+auditlog.FormatTime(c.Covered.End))
	}

	return strings.Join(lines, "\n") + "\n"
}

// origins are the names that archives give themselves: the service and random digits.
var origins = regexp.MustCompile(`^` + regexp.QuoteMeta(originPrefix) + `[a-z]+/[0-9a-f]{16}$`)

var errNoCheckpoint = errors.New("not a checkpoint of ours")

// ParseCheckpoint reads a checkpoint, with or without its signatures, which are not
// checked.
func ParseCheckpoint(text string) (Checkpoint, error) {
	body, _, signed := strings.Cut(text, "\n\n")
	if signed {
		body += "\n"
	}

	return parseBody(body)
}

func parseBody(body string) (Checkpoint, error) {
	const least = 3

	body, ended := strings.CutSuffix(body, "\n")
	lines := strings.Split(body, "\n")

	if !ended || len(lines) < least || !origins.MatchString(lines[0]) {
		return Checkpoint{}, errNoCheckpoint
	}

	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > maxSequence || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%w: its second line is no size", errNoCheckpoint)
	}

	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("%w: its third line is no hash", errNoCheckpoint)
	}

	c := Checkpoint{Origin: lines[0], Tree: tlog.Tree{N: size, Hash: tlog.Hash(root)}}
	if size == 0 {
		if c.Covered, err = parseCovered(lines[least:]); err != nil {
			return Checkpoint{}, err
		}

		if c.Tree.Hash != emptyRoot() {
			return Checkpoint{}, fmt.Errorf("%w: the root of nothing is another one", errNoCheckpoint)
		}
	}

	if c.text() != body+"\n" {
		return Checkpoint{}, fmt.Errorf("%w: it has more than three lines", errNoCheckpoint)
	}

	return c, nil
}

func parseCovered(lines []string) (auditlog.Window, error) {
	if len(lines) != 1 {
		return auditlog.Window{}, fmt.Errorf("%w: it does not say what is covered", errNoCheckpoint)
	}

	from, to, _ := strings.Cut(strings.TrimPrefix(lines[0], coveredPrefix), " ")
	start, errStart := time.Parse(auditlog.TimeLayout, from)
	end, errEnd := time.Parse(auditlog.TimeLayout, to)

	if errStart != nil || errEnd != nil {
		return auditlog.Window{}, fmt.Errorf("%w: it does not say what is covered", errNoCheckpoint)
	}

	return auditlog.Window{Start: start, End: end}, nil
}

// service is the one whose log it is.
func (c Checkpoint) service() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(c.Origin, originPrefix), "/")

	return name
}

func originOf(service, random string) string { return originPrefix + service + "/" + random }

const (
	checkpointKey     = "checkpoint"
	checkpointsPrefix = "checkpoints/"
)

func checkpointKeyOf(size int64) string { return fmt.Sprintf("%s%08d", checkpointsPrefix, size) }

// sizeOf is the size of the checkpoint that has a key.
func sizeOf(key string) (int64, bool) {
	size, err := strconv.ParseInt(strings.TrimPrefix(key, checkpointsPrefix), 10, 64)

	return size, err == nil && size >= 0 && size <= maxSequence && checkpointKeyOf(size) == key
}

// point is a checkpoint as it was found.
type point struct {
	Checkpoint

	// text is what was signed and signatures what is below it.
	note string
	// signed says that it has a signature, and key whose the first one claims to be: the
	// key of the archive. signatures is how many there are, and by are those of the keys
	// that were asked for.
	signed     bool
	key        keyID
	signatures int
	by         []note.Signature
}

// keyID tells keys apart as signatures name them.
type keyID struct {
	name string
	hash uint32
}

func keyOf(k interface {
	Name() string
	KeyHash() uint32
},
) keyID {
	return keyID{k.Name(), k.KeyHash()}
}

// String is how the text of a public key begins. Several keys can have the same name.
func (k keyID) String() string { return fmt.Sprintf("%s+%08x", k.name, k.hash) }

// signatureOf reads a line of signatures: whose it claims to be, and its bytes, which begin with the hash of the key.
func signatureOf(line string) (by keyID, data []byte, ok bool) {
	// Of which text it is does not matter.
	unverified := (*note.UnverifiedNoteError)(nil)
	if _, err := note.Open([]byte("\n\n"+line), nil); !errors.As(err, &unverified) ||
		len(unverified.Note.UnverifiedSigs) != 1 {
		return keyID{}, nil, false
	}

	s := unverified.Note.UnverifiedSigs[0]
	data, err := base64.StdEncoding.DecodeString(s.Base64)

	return keyID{s.Name, s.Hash}, data, err == nil
}

// openPoint reads a checkpoint. Given verifiers, only one that one of them has signed is
// accepted. With an error it has nothing but its bytes.
func openPoint(data []byte, verifiers []note.Verifier) (*point, error) {
	p := &point{note: string(data)}

	body, signatures, signed := strings.Cut(p.note, "\n\n")
	if signed {
		body += "\n"

		first, _, _ := strings.Cut(signatures, "\n")

		key, _, ok := signatureOf(first + "\n")
		if !ok {
			return p, fmt.Errorf("%w: its signature cannot be read", errNoCheckpoint)
		}

		p.signed, p.key, p.signatures = true, key, strings.Count(signatures, "\n")
	}

	if len(verifiers) > 0 {
		n, err := note.Open(data, note.VerifierList(verifiers...))
		if err != nil || len(n.Sigs) == 0 {
			return p, fmt.Errorf("%w: %s", ErrSignature, namesOf(verifiers))
		}

		body, p.by = n.Text, n.Sigs
	} else if unverified := (*note.UnverifiedNoteError)(nil); signed {
		// Whoever knows the key could not read the others either.
		if _, err := note.Open(data, nil); !errors.As(err, &unverified) {
			return p, fmt.Errorf("%w: there is something else than signatures below it", errNoCheckpoint)
		}
	}

	var err error
	p.Checkpoint, err = parseBody(body)

	return p, err
}

func namesOf(verifiers []note.Verifier) string {
	names := make([]string, 0, len(verifiers))
	for _, v := range verifiers {
		names = append(names, keyOf(v).String())
	}

	return strings.Join(names, ", ")
}

// signedBy names the keys that were asked for and have signed it.
func (p *point) signedBy() string {
	names := make([]string, 0, len(p.by))
	for _, s := range p.by {
		names = append(names, s.Name)
	}

	return strings.Join(names, ", ")
}

// isSignedBy says that a key has signed it, which was asked for.
func (p *point) isSignedBy(key keyID) bool {
	return slices.ContainsFunc(p.by, func(s note.Signature) bool { return keyID{s.Name, s.Hash} == key })
}

// follows says that a checkpoint is by the key of the one before, or that this one has
// signed it as well and so hands over to another.
func (p *point) follows(before *point) bool { return p.key == before.key || p.isSignedBy(before.key) }

// points reads the checkpoints of an archive.
type points struct {
	store     durable.Store
	verifiers []note.Verifier
}

// unsigned reads them whoever has signed.
func (r points) unsigned() points { return points{store: r.store} }

// read returns a checkpoint. The error is ErrSignature, or a *Problem, which holds fs.ErrNotExist where there is none.
// With it the bytes that are there are returned.
func (r points) read(ctx context.Context, key string, sequence int64) (*point, error) {
	data, err := readKey(ctx, r.store, key, sequence, maxSmall)
	if err != nil {
		return nil, err
	}

	p, err := openPoint(data, r.verifiers)
	if err != nil && !errors.Is(err, ErrSignature) {
		err = &Problem{FindingAltered, key, sequence, err.Error()}
	}

	return p, err
}

// at returns the checkpoint of a size.
func (r points) at(ctx context.Context, size int64) (*point, error) {
	p, err := r.read(ctx, checkpointKeyOf(size), size)
	if err == nil && p.Tree.N != size {
		err = &Problem{FindingAltered, checkpointKeyOf(size), size, fmt.Sprintf("it is the checkpoint of size %d", p.Tree.N)}
	}

	return p, err
}

// newest returns the last checkpoint that there is, and the copy of it, which may lag
// behind or be missing. Both are nil where there is neither a copy nor a checkpoint of
// size 0. Those before the last can be by a key of before.
func (r points) newest(ctx context.Context) (last, copied *point, err error) {
	last, copied, err = r.unsigned().find(ctx)
	if err != nil || last == nil || len(r.verifiers) == 0 {
		return last, copied, err
	}

	if !last.signed {
		return nil, nil, fmt.Errorf("%w: nobody has signed %s", ErrSignature, checkpointKeyOf(last.Tree.N))
	}

	if last, err = openPoint([]byte(last.note), r.verifiers); err != nil {
		return nil, nil, err
	}

	if err := r.checkKeys(ctx, last); err != nil {
		return nil, nil, err
	}

	switch {
	// Below the checkpoint, a line can be in the name of a key of the log that was not known when it was copied.
	case copied == nil, copied.Tree.N == last.Tree.N && last.isCosigned(copied.note):
	case copied.Tree.N == last.Tree.N:
		copied, err = openPoint([]byte(copied.note), r.verifiers)
	case !copied.signed:
		err = fmt.Errorf("%w: %s is not signed", ErrSignature, checkpointKey)
	}

	return last, copied, err
}

// isEmpty says that nothing at all is there, as far as can be seen.
func (r points) isEmpty(ctx context.Context) bool {
	for _, err := range r.store.List(ctx, "") {
		return err != nil && errors.Is(err, fs.ErrNotExist)
	}

	return true
}

// checkKeys makes sure that the key of a checkpoint is one of those asked for, and, where
// that can be one of several, that the one before has handed over to it.
func (r points) checkKeys(ctx context.Context, p *point) error {
	if !p.isSignedBy(p.key) {
		return fmt.Errorf("%w: %s; its first signature is by %s", ErrSignature, namesOf(r.verifiers), p.key)
	}

	if len(r.verifiers) == 1 || p.Tree.N == 0 {
		return nil
	}

	before, err := r.unsigned().at(ctx, p.Tree.N-1)
	if err != nil {
		return orMissing(checkpointKeyOf(p.Tree.N-1), err)
	}

	if !p.follows(before) {
		return fmt.Errorf("%w: %s is by %s, and the one before by %s, which has not handed over to it", ErrSignature, checkpointKeyOf(p.Tree.N), p.key, before.key)
	}

	return nil
}

// find is newest, whoever has signed.
func (r points) find(ctx context.Context) (last, copied *point, err error) {
	copied, err = r.read(ctx, checkpointKey, 0)
	if errors.Is(err, fs.ErrNotExist) {
		copied, err = nil, nil
	}

	if err != nil {
		return nil, nil, err
	}

	from := int64(0)
	if copied != nil {
		from = copied.Tree.N
	}

	if last, err = r.at(ctx, from); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			if copied == nil {
				return nil, nil, nil
			}

			err = fmt.Errorf("%w: %s is missing, of which there is a copy", ErrBroken, checkpointKeyOf(from))
		}

		return nil, nil, err
	}

	if copied != nil && copied.Checkpoint != last.Checkpoint {
		return nil, nil, fmt.Errorf("%w: %s is not a copy of %s", ErrBroken, checkpointKey, checkpointKeyOf(from))
	}

	for {
		if last, err = r.after(ctx, last); err != nil {
			return nil, nil, err
		}

		beyond, err := r.isBeyond(ctx, last.Tree.N)
		if err != nil || !beyond {
			return last, copied, err
		}

		// Others may have archived more meanwhile. Else one is missing.
		if _, err := r.at(ctx, last.Tree.N+1); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w: %s is missing, and there are later ones", ErrBroken, checkpointKeyOf(last.Tree.N+1))
			}

			return nil, nil, err
		}
	}
}

// isBeyond says whether there is a checkpoint of a larger size, as far as its number has
// the same thousands as the next one or one more: all that one or two requests can list.
func (r points) isBeyond(ctx context.Context, size int64) (bool, error) {
	const thousand = 1000

	for n := (size + 1) / thousand; n <= (size+1)/thousand+1; n++ {
		for object, err := range r.store.List(ctx, fmt.Sprintf("%s%05d", checkpointsPrefix, n)) {
			if err != nil {
				return false, err
			}

			if there, ok := sizeOf(object.Key); ok && there > size {
				return true, nil
			}
		}
	}

	return false, nil
}

// after returns the last checkpoint from one on. They follow each other without a hole,
// so that it takes few steps to find it.
func (r points) after(ctx context.Context, first *point) (*point, error) {
	last := first

	try := func(size int64) (bool, error) {
		p, err := r.at(ctx, size)
		if errors.Is(err, fs.ErrNotExist) || size > maxSequence {
			return false, nil
		}

		if err == nil && p.Origin != first.Origin {
			err = fmt.Errorf("%w: %s is of another archive", ErrBroken, checkpointKeyOf(size))
		}

		if err == nil {
			last = p
		}

		return err == nil, err
	}

	// Beyond the first step that fails there is none.
	step := int64(1)

	for {
		found, err := try(last.Tree.N + step)
		if err != nil {
			return nil, err
		}

		if !found {
			break
		}

		step *= 2
	}

	for ; step > 1; step /= 2 {
		if _, err := try(last.Tree.N + step/2); err != nil {
			return nil, err
		}
	}

	return last, nil
}

// outgrown says that the tiles of a checkpoint are missing since others have archived more
// meanwhile, so that it takes another look.
func (r points) outgrown(ctx context.Context, p *point, err error) bool {
	if !errors.Is(err, ErrBroken) {
		return false
	}

	_, err = r.at(ctx, p.Tree.N+1)

	return err == nil
}

// publishCopy lets the copy be of the newest checkpoint, with the cosignatures of
// witnesses where there are any. It only moves forward: who was slower looks again.
func (r points) publishCopy(ctx context.Context, p *point, cosigned string) error {
	witnessed := cosigned != ""

	for {
		// It can be by a key of before.
		there, err := r.unsigned().read(ctx, checkpointKey, 0)

		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case there.Tree.N > p.Tree.N, there.Tree.N == p.Tree.N && (!witnessed || there.note == cosigned):
			return nil
		}

		if err := r.store.Replace(ctx, checkpointKey, []byte(cmp.Or(cosigned, p.note))); err != nil {
			return err
		}

		p, err = r.at(ctx, p.Tree.N+1)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}

		if err == nil {
			cosigned, err = readCosigned(ctx, r.store, p)
		}

		// Who has committed it publishes it once witnesses have cosigned it.
		if err != nil || witnessed && cosigned == "" {
			return err
		}
	}
}
