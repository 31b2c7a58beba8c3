// SPDX-License-Identifier: MPL-2.0

package format

import (
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// thriftDepth is more than Parquet nests.
const thriftDepth = 16

// How many elements lists may have: a column of a row group is one struct, some
// structs within, and some numbers. A struct has up to 1 KiB in memory, be it
// empty in the file.
const (
	maxStructs = 1 << 18
	maxNumbers = 1 << 21
)

var errThrift = errors.New("it is not in the compact protocol")

// unmarshalThrift reads the struct that b begins with, a footer or a header, and
// returns its length. The
// library allocates as many elements as a list says that it has, and calls itself for
// every struct within another. So the lists have to have their elements, and not too
// many, and nothing may be nested deeper than Parquet nests.
func unmarshalThrift(b []byte, into any, what string) (n int, err error) {
	var protocol thrift.CompactProtocol

	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be decoded: %v", p)
		}
	}()

	w := thriftWalk{BytesReader: protocol.NewReaderFromBytes(b), size: len(b), structs: maxStructs, numbers: maxNumbers}
	if err := w.value(thrift.STRUCT, thriftDepth); err != nil {
		return 0, errThrift
	}

	n = w.BytesRead()
	if err := thrift.Unmarshal(&protocol, b[:n], into); err != nil {
		return 0, fmt.Errorf("read the %s: %w", what, err)
	}

	return n, nil
}

// thriftWalk goes through a struct and keeps nothing of it.
type thriftWalk struct {
	thrift.BytesReader

	size int
	// structs and numbers are how many more elements lists may have.
	structs, numbers int
}

func (w *thriftWalk) value(kind thrift.Type, depth int) (err error) {
	if depth == 0 {
		return errThrift
	}

	switch kind {
	case thrift.I8:
		_, err = w.ReadInt8()
	case thrift.I16, thrift.I32, thrift.I64:
		_, err = w.ReadInt64()
	case thrift.DOUBLE:
		_, err = w.ReadFloat64()
	case thrift.BINARY:
		_, err = w.ReadBytes()
	case thrift.LIST, thrift.SET:
		err = w.list(depth - 1)
	case thrift.STRUCT:
		err = w.structure(depth - 1)
	default: // Parquet has no maps.
		err = errThrift
	}

	return err
}

func (w *thriftWalk) structure(depth int) error {
	for {
		f, err := w.ReadField()
		if err != nil || f == (thrift.Field{}) {
			return err //nolint:wrapcheck // Any error means the same.
		}

		// The value of a boolean field is its type.
		if f.Type == thrift.TRUE || f.Type == thrift.FALSE {
			continue
		}

		if err := w.value(f.Type, depth); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) list(depth int) error {
	l, err := w.ReadList()
	if err != nil {
		return err //nolint:wrapcheck // Any error means the same.
	}

	left := &w.numbers
	if l.Type == thrift.STRUCT {
		left = &w.structs
	}

	// Every element has at least one byte.
	if *left -= int(l.Size); *left < 0 || int(l.Size) > w.size-w.BytesRead() {
		return errThrift
	}

	kind := l.Type
	if kind == thrift.TRUE || kind == thrift.FALSE {
		kind = thrift.I8 // A boolean in a list is a byte.
	}

	for range l.Size {
		if err := w.value(kind, depth); err != nil {
			return err
		}
	}

	return nil
}
