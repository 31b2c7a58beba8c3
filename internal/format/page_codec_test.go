// SPDX-License-Identifier: MPL-2.0

package format

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestPagesAreCompressedAsByTheLibrary compares pages up to the largest that the window
// holds.
func TestPagesAreCompressedAsByTheLibrary(t *testing.T) {
	t.Parallel()

	codec := &pageCodec{}

	var page []byte
	for i := range 40_000 {
		page = fmt.Appendf(page, `{"id":%d,"action":"server_%d","actor":"person-%d"}`, i*7919, i%13, i%101)
	}

	for _, size := range []int{0, 1, 100, 64 << 10, 256 << 10, 1 << 20, pageWindow} {
		got, err := codec.Encode(nil, page[:min(size, len(page))])
		if err != nil {
			t.Fatal(err)
		}

		want, err := parquet.Zstd.Encode(nil, page[:min(size, len(page))])
		if err != nil {
			t.Fatal(err)
		}

		if !bytes.Equal(got, want) {
			t.Errorf("a page of %d bytes becomes another one", size)
		}
	}

	if len(page) < pageWindow {
		t.Errorf("the text has %d bytes", len(page))
	}
}
