// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// shelf is a store in memory that counts what it is asked for, and takes its time.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	reads   int
	wait    time.Duration
}

func (s *shelf) String() string { return "shelf" }

func (s *shelf) Create(ctx context.Context, key string, data []byte) error {
	s.mu.Lock()
	_, there := s.objects[key]
	s.mu.Unlock()

	if there {
		return &fs.PathError{Op: "create", Path: key, Err: durable.ErrExists}
	}

	return s.Replace(ctx, key, data)
}

func (s *shelf) Replace(_ context.Context, key string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.objects[key] = data

	return nil
}

func (s *shelf) Read(ctx context.Context, key string, _ int64) ([]byte, error) {
	if s.wait > 0 {
		select {
		case <-time.After(s.wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.reads++

	if data, ok := s.objects[key]; ok {
		return data, nil
	}

	return nil, &fs.PathError{Op: "read", Path: key, Err: fs.ErrNotExist}
}

func (s *shelf) List(context.Context, string) iter.Seq2[durable.Object, error] {
	return func(func(durable.Object, error) bool) {}
}

func (s *shelf) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.objects, key)

	return nil
}

// hourly is an archive of that many manifests, an hour apart, without what readers of a
// window do not look at.
func hourly(tb testing.TB, n int64) *shelf {
	tb.Helper()

	s := &shelf{objects: map[string][]byte{}}
	begin := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)

	var (
		hashes   tree
		bundle   [][]byte
		previous string
	)

	for i := range n {
		at := begin.Add(time.Duration(i) * time.Hour)
		sequence := i + 1
		sha256 := strings.Repeat("0123456789abcdef", 4)

		m := &Manifest{
			Version: manifestVersion, Sequence: sequence, Service: auditlog.ServiceUpCloud, Previous: previous, Tool: "test",
			WrittenAt:  auditlog.FormatTime(at),
			Supplement: Object{Key: supplementsPrefix + hashedName(sequence, sha256) + ".json", Bytes: 400, SHA256: sha256},
			TotalCount: sequence * 10, Start: begin, CoveredUntil: at.Add(time.Hour), ReadUntil: at.Add(time.Hour),
			ResumedBy: ResumedByOverlap,
			Filters:   map[string][]string{},
			Segment: &Segment{
				Format: format.NDJSON, Compression: format.Zstd, EntryCount: 10, From: at, Until: at.Add(time.Hour),
				EntriesRoot: sha256,
			},
		}
		m.Segment.Object = Object{Key: segmentKey(m, at, sha256, ".ndjson.zst"), Bytes: 5000, SHA256: sha256}

		data, err := m.encode()
		if err != nil {
			tb.Fatal(err)
		}

		if err := hashes.add(data); err != nil {
			tb.Fatal(err)
		}

		previous, bundle = sum(data), append(bundle, data)

		if len(bundle) == bundleWidth || sequence == n {
			s.objects[bundleKey(i/bundleWidth, len(bundle))] = encodeBundle(bundle)
			bundle = nil
		}
	}

	root, err := tlog.TreeHash(n, &hashes)
	if err != nil {
		tb.Fatal(err)
	}

	c := Checkpoint{Origin: originOf(auditlog.ServiceUpCloud, "0123456789abcdef"), Tree: tlog.Tree{N: n, Hash: root}}
	s.objects[checkpointKey], s.objects[checkpointKeyOf(n)] = []byte(c.text()), []byte(c.text())

	for _, t := range tlog.NewTiles(tileHeight, 0, n) {
		data, err := tlog.ReadTileData(t, &hashes)
		if err != nil {
			tb.Fatal(err)
		}

		s.objects[tileKey(t)] = data
	}

	return s
}

// TestSevenYearsAreOpenedWithFewRequests: an hourly archive of seven years has 61,000
// manifests, and opening it for a window reads a request for every 256 of them.
func TestSevenYearsAreOpenedWithFewRequests(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes; make simulate runs this without it")
	}

	const n = 61_000

	s := hourly(t, n)

	r, err := OpenReader(t.Context(), s,
		ReaderOptions{InfoOf: func(string) (auditlog.Info, bool) {
			return auditlog.Info{Name: auditlog.ServiceUpCloud},
				true
		}})
	if err != nil {
		t.Fatal(err)
	}

	if got := len(r.chain.links); got != n || s.reads > 300 {
		t.Errorf("%d manifests with %d requests", got, s.reads)
	}

	// Appending reads the end alone.
	s.reads = 0

	a := &Archive{o: Options{Store: s}}
	if err := a.load(t.Context()); err != nil {
		t.Fatal(err)
	}

	if a.log.N != n || s.reads > 10 {
		t.Errorf("%d manifests with %d requests", a.log.N, s.reads)
	}

	t.Logf("the end is read with %d requests", s.reads)
}

// BenchmarkOpenSevenYears opens such an archive at 20 ms a request.
func BenchmarkOpenSevenYears(b *testing.B) {
	s := hourly(b, 61_000)
	s.wait = 20 * time.Millisecond

	for b.Loop() {
		if _, err := readChain(b.Context(), points{store: s}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTilesFollowFromTheManifests: whatever the size, the tiles that appending has left
// are those that the whole tree has, and the roots of all sizes before are found in them.
func TestTilesFollowFromTheManifests(t *testing.T) {
	t.Parallel()

	s := &shelf{objects: map[string][]byte{}}

	l, err := openMerkle(t.Context(), s, tlog.Tree{Hash: emptyRoot()})
	if err != nil {
		t.Fatal(err)
	}

	var (
		hashes tree
		roots  = []tlog.Hash{emptyRoot()}
	)

	const sizes = 2*bundleWidth + 3

	for i := range int64(sizes) {
		leaf := fmt.Appendf(nil, "manifest %d", i)

		if l, err = l.with(leaf); err != nil {
			t.Fatal(err)
		}

		if err := l.publish(t.Context()); err != nil {
			t.Fatal(err)
		}

		if err := l.dropPartial(t.Context()); err != nil {
			t.Fatal(err)
		}

		if err := hashes.add(leaf); err != nil {
			t.Fatal(err)
		}

		root, err := tlog.TreeHash(i+1, &hashes)
		if err != nil || root != l.Hash {
			t.Fatalf("size %d has another root, %v", i+1, err)
		}

		roots = append(roots, root)

		// From the store alone, as the next run reads it.
		if i%37 == 0 || i > sizes-4 {
			if l, err = openMerkle(t.Context(), s, tlog.Tree{N: l.N, Hash: l.Hash}); err != nil {
				t.Fatal(err)
			}

			for size := range int64(len(roots)) {
				if size%53 == 1 {
					if got, err := l.rootAt(size); err != nil || got != roots[size] {
						t.Fatalf("of size %d, the root of size %d is another one, %v", i+1, size, err)
					}
				}
			}
		}
	}

	// Full tiles and the partial ones of two sizes are all that is left.
	if n := len(s.objects); n > 3+2+2*3 {
		t.Errorf("there are %d objects", n)
	}
}

// TestBundlesAreReadAsWritten is about their form.
func TestBundlesAreReadAsWritten(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		manifests := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 1, bundleWidth).Draw(t, "manifests")
		data := encodeBundle(manifests)

		got, err := decodeBundle("tile", data, len(manifests))
		if err != nil || len(got) != len(manifests) {
			t.Fatalf("%d of %d, %v", len(got), len(manifests), err)
		}

		for i := range got {
			if string(got[i]) != string(manifests[i]) {
				t.Fatalf("manifest %d is another one", i)
			}
		}

		cut := rapid.IntRange(1, len(data)).Draw(t, "cut")
		if got, err := decodeBundle("tile", data[:len(data)-cut], len(manifests)); err == nil {
			t.Fatalf("%d manifests of a part", len(got))
		}
	})
}

// FuzzParseCheckpoint: what is read as a checkpoint is written as it was.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add(Checkpoint{Origin: originOf("upcloud", "0123456789abcdef"), Tree: tlog.Tree{N: 7}}.text())
	f.Add(Checkpoint{Origin: originOf("upcloud", "0123456789abcdef"), Tree: tlog.Tree{Hash: emptyRoot()}}.text())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseBody(text)
		if err == nil && c.text() != text {
			t.Errorf("%q is read as %q", text, c.text())
		}
	})
}
