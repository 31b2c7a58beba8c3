// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// proofHeader is the first line of a proof, as c2sp.org/tlog-proof has it.
const proofHeader = "c2sp.org/tlog-proof@v1"

// MaxProof is the size of the largest proof that is read, in bytes: an entry has at most
// 16 MiB.
const MaxProof = 64 << 20

// Why a proof is refused, or cannot be made.
var (
	// ErrNoEntry means that no entry of the archive has the id.
	ErrNoEntry = errors.New("the archive has no entry of that id")
	// ErrNoProof means that a text is no proof of an entry.
	ErrNoProof = errors.New("it is no proof of an entry of an archive")
	// ErrProof means that a proof does not prove what it says.
	ErrProof = errors.New("the proof does not hold")
)

// inclusion is what a proof says besides the log's own: that an entry is in the segment
// of the manifest.
type inclusion struct {
	// Entry is the entry's line, and Salt what precedes it in its leaf, hexadecimal.
	Entry string `json:"entry"`
	Salt  string `json:"salt"`
	// Index is the place of the entry in its segment, from 0, and Path its Merkle path to
	// the root of the segment, from below, hexadecimal.
	Index int64    `json:"entry_index"`
	Path  []string `json:"entry_path"`
	// Manifest is that of the segment, byte for byte.
	Manifest string `json:"manifest"`
}

// Proven is what a proof shows.
type Proven struct {
	// Entry is the line of the entry, as an NDJSON export has it.
	Entry    string
	Manifest *Manifest
	// Checkpoint is whose log it is in.
	Checkpoint Checkpoint
	// Signed says that the checkpoint has a signature, and SignedBy is the name of the key
	// that signed it, where one was asked for.
	Signed   bool
	SignedBy string
	// Cosigned are the witnesses that have cosigned it, of those that were asked for.
	Cosigned []Cosignature
}

// Prove returns a proof that the entry of an id is in the archive: a text in the form of
// c2sp.org/tlog-proof, which shows no other entry. Where several entries have the id, it
// is of the first.
func Prove(ctx context.Context, store durable.Store, verifiers []note.Verifier, id string) ([]byte, error) {
	// Nothing is proven before all manifests have been found to be those of the log.
	c, err := readChain(ctx, points{store, verifiers})
	if errors.Is(err, ErrNone) {
		err = fmt.Errorf("%w at %s", err, store)
	}

	if err != nil {
		return nil, err
	}

	for number := int64(1); number <= c.log.N; number++ {
		m, err := c.log.manifest(ctx, number)
		if err != nil {
			return nil, err
		}

		found, err := include(ctx, store, m, id)
		if err != nil {
			return nil, err
		}

		if found == nil {
			continue
		}

		path, err := tlog.ProveRecord(c.log.N, number-1, c.log)
		if err != nil {
			return nil, fmt.Errorf("prove %s: %w", manifestName(number), err)
		}

		cosigned, err := readCosigned(ctx, store, c.point)
		if err != nil {
			return nil, err
		}

		// With a line in the name of a key of the log, whoever knows the key would refuse the proof.
		if _, err := openPoint([]byte(cosigned), verifiers); err != nil {
			cosigned = ""
		}

		p := proof{inclusion: *found, index: number - 1, path: path, checkpoint: cmp.Or(cosigned, c.point.note)}

		return p.encode()
	}

	return nil, ErrNoEntry
}

// include looks for the entry in the segment of a manifest. It returns nil where it is not
// there.
func include(ctx context.Context, store durable.Store, m *Manifest, id string) (*inclusion, error) {
	if m.Segment == nil {
		return nil, nil //nolint:nilnil // It has none.
	}

	s, err := readSupplement(ctx, store, m)
	if err != nil {
		return nil, err
	}

	l := newLeaves(s.Secret)

	var found *inclusion

	for e, err := range entriesOf(ctx, store, m.Segment, m.Sequence) {
		if err != nil {
			return nil, err
		}

		if e.ID == id && found == nil {
			line, err := l.canonical(&e)
			if err != nil {
				return nil, err
			}

			found = &inclusion{
				Entry: string(line), Salt: hex.EncodeToString(entrySalt(s.Secret, l.N)), Index: l.N, Manifest: string(m.text),
			}
		}

		if err := l.add(&e); err != nil {
			return nil, err
		}
	}

	if found == nil {
		return nil, nil //nolint:nilnil // It is not in this segment.
	}

	if err := l.check(m.Segment, m.Sequence); err != nil {
		return nil, err
	}

	path, err := tlog.ProveRecord(l.N, found.Index, l)
	if err != nil {
		return nil, fmt.Errorf("prove an entry: %w", err)
	}

	for _, h := range path {
		found.Path = append(found.Path, hex.EncodeToString(h[:]))
	}

	return found, nil
}

// proof is the text of a proof taken apart.
type proof struct {
	inclusion

	// index is the place of the manifest in the log, from 0, and path its Merkle path.
	index      int64
	path       tlog.RecordProof
	checkpoint string
}

func (p *proof) encode() ([]byte, error) {
	extra, err := json.Marshal(p.inclusion)
	if err != nil {
		return nil, fmt.Errorf("write a proof: %w", err)
	}

	var b bytes.Buffer

	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(extra), p.index)

	for _, h := range p.path {
		fmt.Fprintln(&b, h)
	}

	fmt.Fprintf(&b, "\n%s", p.checkpoint)

	return b.Bytes(), nil
}

// IsProof says whether a text looks like a proof.
func IsProof(data []byte) bool { return bytes.HasPrefix(data, []byte(proofHeader+"\n")) }

// VerifyProof checks a proof, with nothing else at hand. Of the options it uses the keys
// and the origin: given verifiers, one of them must have signed the checkpoint. The errors
// are ErrNoProof, ErrProof and ErrSignature.
func VerifyProof(data []byte, o VerifyOptions) (*Proven, error) {
	if len(data) > MaxProof {
		return nil, fmt.Errorf("%w: it is too large", ErrNoProof)
	}

	t, err := decodeProof(string(data))
	if err != nil {
		return nil, err
	}

	p, err := openPoint([]byte(t.checkpoint), o.Verifiers)
	if errors.Is(err, ErrSignature) {
		return nil, err
	}

	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoProof, err)
	}

	cosigned, err := cosignaturesOn(t.checkpoint, o.Witnesses)
	if err != nil || len(cosigned) < o.quorum() {
		return nil, fmt.Errorf("%w: %d of the witnesses have cosigned its checkpoint, and %d have to", ErrProof,
			len(cosigned), o.quorum())
	}

	if o.Origin != "" && p.Origin != o.Origin {
		return nil, fmt.Errorf("%w: it is of the archive %s, not of %s", ErrProof, p.Origin, o.Origin)
	}

	if tlog.CheckRecord(t.path, p.Tree.N, p.Tree.Hash, t.index, tlog.RecordHash([]byte(t.Manifest))) != nil {
		return nil, fmt.Errorf("%w: the manifest is not number %d of the log that the checkpoint is of", ErrProof, t.index+1)
	}

	m, err := parseManifest([]byte(t.Manifest), t.index+1)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}

	// The counting of an impossible number of entries would not end.
	if what := m.wrong(); what != "" {
		return nil, fmt.Errorf("%w: %s %s", ErrProof, manifestName(m.Sequence), what)
	}

	if m.Service != p.service() {
		return nil, fmt.Errorf("%w: %s is of %s, not of %s", ErrProof, manifestName(m.Sequence), m.Service, p.service())
	}

	if err := t.check(m); err != nil {
		return nil, err
	}

	return &Proven{
		Entry: t.Entry, Manifest: m, Checkpoint: p.Checkpoint, Signed: p.signed, SignedBy: p.signedBy(),
		Cosigned: cosigned,
	}, nil
}

// check makes sure that the entry is in the segment that the manifest describes.
func (i *inclusion) check(m *Manifest) error {
	if m.Segment == nil {
		return fmt.Errorf("%w: %s has no entries", ErrProof, manifestName(m.Sequence))
	}

	root, err := hashOf(m.Segment.EntriesRoot)
	if err != nil {
		return err
	}

	salt, err := hashOf(i.Salt)
	if err != nil {
		return err
	}

	path := make(tlog.RecordProof, 0, len(i.Path))

	for _, text := range i.Path {
		h, err := hashOf(text)
		if err != nil {
			return err
		}

		path = append(path, h)
	}

	leaf := tlog.RecordHash(append(slices.Clone(salt[:]), i.Entry...))
	if tlog.CheckRecord(path, m.Segment.EntryCount, root, i.Index, leaf) != nil {
		return fmt.Errorf("%w: the entry is not number %d of the segment that the manifest describes", ErrProof, i.Index+1)
	}

	return nil
}

func hashOf(text string) (tlog.Hash, error) {
	h, err := hex.DecodeString(text)
	if err != nil || len(h) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("%w: a hash in it cannot be read", ErrNoProof)
	}

	return tlog.Hash(h), nil
}

// decodeProof takes a proof apart.
func decodeProof(text string) (*proof, error) {
	fail := func(what string) (*proof, error) { return nil, fmt.Errorf("%w: %s", ErrNoProof, what) }

	head, checkpoint, ok := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")

	const least = 3
	if !ok || len(lines) < least || lines[0] != proofHeader {
		return fail("it does not begin as one")
	}

	p := &proof{checkpoint: checkpoint}
	extra, hasExtra := strings.CutPrefix(lines[1], "extra ")

	data, err := base64.StdEncoding.Strict().DecodeString(extra)
	if !hasExtra || err != nil || exactjson.UnmarshalKnown(data, &p.inclusion) != nil {
		return fail("its second line holds no entry")
	}

	number, hasIndex := strings.CutPrefix(lines[2], "index ")

	p.index, err = strconv.ParseInt(number, 10, 64)
	if !hasIndex || err != nil || p.index < 0 || strconv.FormatInt(p.index, 10) != number {
		return fail("its third line is no index")
	}

	for _, line := range lines[least:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return fail("a hash in it cannot be read")
		}

		p.path = append(p.path, tlog.Hash(h))
	}

	return p, nil
}
