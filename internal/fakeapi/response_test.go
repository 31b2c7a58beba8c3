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
