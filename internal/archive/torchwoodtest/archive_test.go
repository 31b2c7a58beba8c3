// SPDX-License-Identifier: MPL-2.0

// Package torchwoodtest lets Torchwood, a library for transparency logs that shares no
// code with us, read our archives, and its witness sign their checkpoints.
package torchwoodtest_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// memory is a store that serves its objects as a log of c2sp.org/tlog-tiles has them.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (m *memory) String() string { return "memory" }

func (m *memory) Create(_ context.Context, key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	if _, ok := m.objects[key]; ok {
		return &fs.PathError{Op: "create", Path: key, Err: durable.ErrExists}
	}

	m.objects[key] = slices.Clone(data)

	return nil
}

func (m *memory) Replace(_ context.Context, key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.objects[key] = slices.Clone(data)

	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()

	delete(m.objects, key)

	return nil
}

func (m *memory) Read(_ context.Context, key string, _ int64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	data, ok := m.objects[key]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: key, Err: fs.ErrNotExist}
	}

	return slices.Clone(data), nil
}

func (m *memory) List(_ context.Context, prefix string) iter.Seq2[durable.Object, error] {
	m.mu.Lock()
	defer m.mu.Unlock()

	var objects []durable.Object

	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) {
			objects = append(objects, durable.Object{Key: key, Size: int64(len(m.objects[key]))})
		}
	}

	return func(yield func(durable.Object, error) bool) {
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (m *memory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := m.Read(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), 0)
	if err != nil {
		http.NotFound(w, r)

		return
	}

	_, _ = w.Write(data)
}

// begin is when the archives begin. Each day has a manifest of its own.
var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// daily is a log in which something has happened every eight hours.
type daily struct{}

func (daily) Info() auditlog.Info {
	return auditlog.Info{Name: auditlog.ServiceUpCloud, Title: "UpCloud", Retention: 10_000 * day}
}

func (daily) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func idAt(at time.Time) string { return "at-" + at.Format("20060102-1504") }

func (s daily) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.Info().Retention, q.Window.End)

	return func(yield func(auditlog.Entry, error) bool) {
		for at := begin; at.Before(q.Window.End); at = at.Add(day / 3) {
			if at.Before(q.Window.Start) {
				continue
			}

			e := auditlog.Entry{
				ID: idAt(at), Time: at, Service: auditlog.ServiceUpCloud, Action: "update", Operation: auditlog.OperationUpdate,
				ActorType: auditlog.ActorUser, Actor: "joe", ResourceType: "server",
				Raw: fmt.Appendf(nil, `{"time":%q}`, at.Format(time.RFC3339)),
			}

			if c.RowsFetched++; !yield(e, nil) {
				return
			}
		}

		c.Proof = auditlog.ProofTotal
	}
}

// log is an archive that is signed.
type log struct {
	*memory

	signer    note.Signer
	verifier  note.Verifier
	vkey      string
	attesters archive.Attesters
	tool      string
}

// newLog archives so many days, and as many manifests.
func newLog(t *testing.T, days int) *log {
	t.Helper()

	private, public, err := note.GenerateKey(rand.Reader, "example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	l := &log{memory: &memory{objects: map[string][]byte{}}, vkey: public, tool: "test"}

	if l.signer, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}

	if l.verifier, err = note.NewVerifier(public); err != nil {
		t.Fatal(err)
	}

	l.grow(t, days)

	return l
}

// grow archives all up to a number of days.
func (l *log) grow(t *testing.T, days int) {
	t.Helper()

	if r, err := l.run(t, days); err != nil || r.Head.Sequence != int64(days) {
		t.Fatalf("manifest %d, %v", r.Head.Sequence, err)
	}
}

func (l *log) run(t *testing.T, days int) (archive.Result, error) {
	t.Helper()

	a, err := archive.Open(t.Context(), archive.Options{
		Store: l, Service: daily{}, Format: format.NDJSON, Start: begin, Signer: l.signer,
		Verifiers: []note.Verifier{l.verifier},
		Attesters: l.attesters, Clock: func() time.Time { return begin.Add(time.Duration(days)*day - time.Minute) },
		Tool: l.tool,
	})
	if err != nil {
		t.Fatal(err)
	}

	return a.Append(t.Context())
}

// checkpoint is one of the log's, as Torchwood reads it.
func (l *log) checkpoint(t *testing.T, text []byte) (torchwood.Checkpoint, error) {
	t.Helper()

	n, err := note.Open(text, note.VerifierList(l.verifier))
	if err != nil {
		return torchwood.Checkpoint{}, err
	}

	return torchwood.ParseCheckpoint(n.Text)
}

// read reads the whole log over HTTP and compares it with the manifests.
func (l *log) read(t *testing.T) error {
	t.Helper()

	server := httptest.NewServer(l)
	defer server.Close()

	fetcher, err := torchwood.NewTileFetcher(server.URL)
	if err != nil {
		return err
	}

	text, err := fetcher.ReadEndpoint(t.Context(), "checkpoint")
	if err != nil {
		return err
	}

	c, err := l.checkpoint(t, text)
	if err != nil {
		return err
	}

	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}

	same := func(i int64, entry []byte) error {
		keys := slices.Collect(func(yield func(string) bool) {
			for o := range l.List(t.Context(), fmt.Sprintf("manifests/%08d-", i+1)) {
				if !yield(o.Key) {
					return
				}
			}
		})

		if len(keys) != 1 || string(l.objects[keys[0]]) != string(entry) {
			return fmt.Errorf("entry %d is not what %q holds", i, keys)
		}

		return nil
	}

	read := int64(0)

	// It leaves a partial tile for the next time.
	for before := int64(-1); read < c.N && read != before; {
		before = read

		for i, entry := range client.Entries(t.Context(), c.Tree, read) {
			if i != read {
				return fmt.Errorf("entry %d follows entry %d", i, read-1)
			}

			if err := same(i, entry); err != nil {
				return err
			}

			read++
		}

		if err := client.Err(); err != nil {
			return err
		}
	}

	if read != c.N {
		return fmt.Errorf("%d entries of %d were read", read, c.N)
	}

	for _, i := range []int64{0, c.N / 2, c.N - 1} {
		entry, _, err := client.Entry(t.Context(), c.Tree, i)
		if err != nil {
			return err
		}

		if err := same(i, entry); err != nil {
			return err
		}
	}

	return nil
}

// sizes are those around which tiles become full.
var sizes = []int{1, 2, 255, 256, 257, 600}

// TestLogsAreRead: Torchwood finds every manifest in the bundles, and proves that it is in
// the tree of the checkpoint, whose signature holds.
func TestLogsAreRead(t *testing.T) {
	t.Parallel()

	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()

			l := newLog(t, size)
			if err := l.read(t); err != nil {
				t.Fatal(err)
			}

			// The checkpoints before, too, are of the sizes that they are named for.
			for n := range size + 1 {
				if c, err := l.checkpoint(t, l.objects[fmt.Sprintf("checkpoints/%08d", n)]); err != nil || c.N != int64(n) ||
					(c.Extension != "") != (n == 0) {
					t.Errorf("checkpoint %d: %+v, %v", n, c, err)
				}
			}
		})
	}
}

// TestAlteredLogsAreRefused: one byte is enough, wherever it is.
func TestAlteredLogsAreRefused(t *testing.T) {
	t.Parallel()

	for _, size := range []int{2, 257} {
		l := newLog(t, size)
		altered := 0

		for _, key := range slices.Sorted(maps.Keys(l.objects)) {
			if key != "checkpoint" && !strings.HasPrefix(key, "tile/") || strings.HasSuffix(key, fmt.Sprintf(".p/%d", size-1)) {
				continue
			}

			good := l.objects[key]

			for _, at := range []int{0, 1, len(good) / 3, len(good) / 2, len(good) - 1} {
				l.objects[key] = slices.Clone(good)
				l.objects[key][at] ^= 1
				altered++

				if err := l.read(t); err == nil {
					t.Errorf("%d manifests, %s: nobody noticed byte %d", size, key, at)
				}
			}

			l.objects[key] = good
		}

		if err := l.read(t); err != nil || altered < 15 {
			t.Errorf("%d were altered, %v", altered, err)
		}
	}
}

// TestProofs: the path of a proof leads from the manifest to the root, as Torchwood
// computes it.
func TestProofs(t *testing.T) {
	t.Parallel()

	for _, size := range sizes {
		l := newLog(t, size)

		for _, number := range slices.Compact([]int{1, (size + 1) / 2, size}) {
			proof, err := archive.Prove(t.Context(), l, []note.Verifier{l.verifier},
				idAt(begin.Add(time.Duration(number-1)*day+day/3)))
			if err != nil {
				t.Fatal(err)
			}

			p, err := archive.VerifyProof(proof, archive.VerifyOptions{Verifiers: []note.Verifier{l.verifier}})
			if err != nil {
				t.Fatal(err)
			}

			if err := l.checkProof(t, string(proof), number); err != nil {
				t.Errorf("manifest %d of %d, proven by the checkpoint of %s: %v", number, size, p.Checkpoint.Origin, err)
			}
		}
	}
}
