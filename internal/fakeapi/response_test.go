// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// A body that has been compressed before comes out as it did, and others as themselves.
func TestGzippedTwice(t *testing.T) {
	t.Parallel()
	for _, body := range [][]byte{nil, []byte("a"), []byte("b"), bytes.Repeat([]byte("ab"), 1<<16), []byte("a")} {
		for range 2 {
			zip, err := gzip.NewReader(bytes.NewReader(gzipped(body)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(zip)
			if err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%d bytes became %d, error %v", len(body), len(got), err)
			}
		}
	}
}

// A stream of chunks is one gzip member, the same again from the cache, and one without chunks is as well.
func TestZippedStream(t *testing.T) {
	t.Parallel()
	for _, chunks := range []int{0, 1, 2, 5, 2} {
		var out, want bytes.Buffer
		stream := &zipStream{to: &out}
		for i := range chunks {
			chunk := bytes.Repeat([]byte{byte('a' + i), 'x'}, 100_000)
			want.Write(chunk)
			if n, err := stream.Write(chunk); n != len(chunk) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := stream.close(); err != nil {
			t.Fatal(err)
		}
		zip, err := gzip.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		zip.Multistream(false)
		got, err := io.ReadAll(zip)
		if err != nil || !bytes.Equal(got, want.Bytes()) || out.Len() > 0 {
			t.Fatalf("%d chunks became %d bytes of %d, %d are left, error %v", chunks, len(got), want.Len(), out.Len(), err)
		}
	}
}

// What is kept of compressed bodies has a bound.
func TestZipCacheIsBounded(t *testing.T) {
	t.Parallel()
	cache, small := zipCache{bodies: map[zipKey][]byte{}}, make([]byte, mostZipped/3)
	for i := range 20 {
		cache.put(zipKey{length: i}, small)
		cache.put(zipKey{length: i}, small) // counts once
		if held := len(cache.bodies) * len(small); held > mostZipped || held != cache.size {
			t.Fatalf("%d bytes are kept, and %d are counted", held, cache.size)
		}
		if _, ok := cache.get(zipKey{length: i}); !ok {
			t.Fatalf("body %d was not kept", i)
		}
	}
}
