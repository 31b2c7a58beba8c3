// SPDX-License-Identifier: MPL-2.0

package format

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how bytes are made fewer. CSV, JSON and NDJSON are compressed
// as a whole file; Parquet compresses its own pages, so that engines can read a
// part of the file.
type Compression string

// The compressions.
const (
	Uncompressed Compression = "none"
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
)

// Compressions lists every compression. Each goes with each format.
func Compressions() []Compression {
	return []Compression{Uncompressed, Gzip, Zstd}
}

// DefaultCompression is what "" stands for: zstd within Parquet, where every
// reader undoes it by itself, and none elsewhere.
func (f Format) DefaultCompression() Compression {
	if f == Parquet {
		return Zstd
	}

	return Uncompressed
}

// Extension returns what the name of a file in that format ends in, without the
// leading dot: "ndjson", "ndjson.gz", "csv.zst", "parquet".
func Extension(f Format, c Compression) string {
	switch {
	case f == Parquet:
		return string(f)
	case c == Gzip:
		return string(f) + ".gz"
	case c == Zstd:
		return string(f) + ".zst"
	default:
		return string(f)
	}
}

// CompressionOf checks the format and the compression and fills in the default.
func CompressionOf(f Format, c Compression) (Compression, error) {
	if !f.known() {
		return "", fmt.Errorf("unknown format %q", f)
	}

	if err := CheckHTML(f, c, false); err != nil {
		return "", err
	}

	if c == "" {
		c = f.DefaultCompression()
	}

	if !slices.Contains(Compressions(), c) {
		return "", fmt.Errorf("unknown compression %q", c)
	}

	return c, nil
}

// newCompressor returns a writer whose Close completes the compressed file and leaves
// w open. It holds nothing that has to be released when Close is never called.
func newCompressor(w io.Writer, c Compression) (io.WriteCloser, error) {
	switch c {
	case Gzip:
		// The header names neither a file nor a system, and no time, which is 0.
		z := gzip.NewWriter(w)
		z.ModTime = time.Unix(0, 0)

		return z, nil
	case Zstd:
		// One goroutine's work, the caller's, also gives the same bytes everywhere.
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
		if err != nil {
			return nil, fmt.Errorf("begin: %w", err)
		}

		return z, nil
	default:
		return plainWriter{w}, nil
	}
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

// maxWindow bounds the memory of reading zstd. Ours has windows of 8 MiB.
const maxWindow = 32 << 20

// newDecompressor returns a reader and what releases it.
func newDecompressor(r io.Reader, c Compression) (io.Reader, func(), error) {
	switch c {
	case Gzip:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("begin: %w", err)
		}

		return z, func() {}, nil
	case Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow),
			zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, fmt.Errorf("begin: %w", err)
		}

		return z, z.Close, nil
	default:
		return r, func() {}, nil
	}
}

// compressedEncoder is an encoder of text whose file is compressed as a whole.
type compressedEncoder struct {
	Encoder

	file io.Closer
}

func (c *compressedEncoder) Close() error {
	if err := c.Encoder.Close(); err != nil {
		return err
	}

	if err := c.file.Close(); err != nil {
		return fmt.Errorf("write the end: %w", err)
	}

	return nil
}
