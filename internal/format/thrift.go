// SPDX-License-Identifier: MPL-2.0

package format

import (
	"encoding/binary"
	"errors"
)

// The types of Thrift's compact protocol
// (github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	thriftStop = iota
	thriftTrue
	thriftFalse
	thriftByte
	thriftInt16
	thriftInt32
	thriftInt64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
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

// thriftLength returns how long the struct is that b begins with. Libraries
// allocate as many elements as a list says that it has; here it has to have them,
// and not too many.
func thriftLength(b []byte) (int, error) {
	s := thriftSkipper{rest: b, structs: maxStructs, numbers: maxNumbers}
	if !s.structure(thriftDepth) {
		return 0, errThrift
	}

	return len(b) - len(s.rest), nil
}

type thriftSkipper struct {
	rest []byte
	// structs and numbers are how many more elements lists may have.
	structs, numbers uint64
}

func (s *thriftSkipper) bytes(n uint64) bool {
	if n > uint64(len(s.rest)) {
		return false
	}

	s.rest = s.rest[n:]

	return true
}

func (s *thriftSkipper) byte() (byte, bool) {
	if len(s.rest) == 0 {
		return 0, false
	}

	b := s.rest[0]
	s.rest = s.rest[1:]

	return b, true
}

func (s *thriftSkipper) varint() (uint64, bool) {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 {
		return 0, false
	}

	s.rest = s.rest[n:]

	return v, true
}

func (s *thriftSkipper) structure(depth int) bool {
	for depth > 0 {
		head, ok := s.byte()
		if !ok {
			return false
		}

		kind := head & 0xF
		if kind == thriftStop {
			return head == thriftStop
		}

		// Without a difference to the field before, the field's number follows.
		if head>>4 == 0 {
			if _, ok := s.varint(); !ok {
				return false
			}
		}

		// The value of a boolean field is its type.
		if kind != thriftTrue && kind != thriftFalse && !s.value(kind, depth-1) {
			return false
		}
	}

	return false
}

func (s *thriftSkipper) value(kind byte, depth int) bool {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return s.bytes(1)
	case thriftInt16, thriftInt32, thriftInt64:
		_, ok := s.varint()

		return ok
	case thriftDouble:
		return s.bytes(8)
	case thriftBinary:
		n, ok := s.varint()

		return ok && s.bytes(n)
	case thriftList, thriftSet:
		return s.list(depth)
	case thriftStruct:
		return s.structure(depth)
	case thriftMap: // Parquet has none.
		return false
	default:
		return false
	}
}

func (s *thriftSkipper) list(depth int) bool {
	head, ok := s.byte()
	if !ok || depth == 0 {
		return false
	}

	n := uint64(head >> 4)
	if n == 0xF {
		if n, ok = s.varint(); !ok {
			return false
		}
	}

	left := &s.numbers
	if head&0xF == thriftStruct {
		left = &s.structs
	}

	// Every element has at least one byte.
	if n > uint64(len(s.rest)) || n > *left {
		return false
	}

	*left -= n

	for range n {
		if !s.value(head&0xF, depth-1) {
			return false
		}
	}

	return true
}
