// SPDX-License-Identifier: MPL-2.0

package format

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// What is in the pages of Parquet
// (github.com/apache/parquet-format/blob/master/Encodings.md), as far as it has
// to be known before a library may be trusted with them: that library allocates
// what the lengths of runs say.

var (
	errLevels     = errors.New("its levels are not one for each row")
	errValues     = errors.New("its values are not one for each row that has one")
	errDictionary = errors.New("its values are not in the dictionary")
)

// levels cuts the definition levels off a page of n rows and counts the rows that
// have a value.
func levels(page []byte, n int) (values []byte, present int, err error) {
	if len(page) < 4 {
		return nil, 0, errLevels
	}

	length := binary.LittleEndian.Uint32(page)
	if int64(length) > int64(len(page)-4) {
		return nil, 0, errLevels
	}

	page, values = page[4:4+length], page[4+length:]

	ok := runs(page, 1, n, func(packed []byte, repeated int64, count int) bool {
		for ; packed != nil && count > 0; packed = packed[1:] {
			one := packed[0]
			if count < 8 {
				one &= 1<<count - 1
			}

			present += bits.OnesCount8(one)
			count -= 8
		}

		if packed == nil && repeated == 1 {
			present += count
		}

		return repeated <= 1
	})
	if !ok {
		return nil, 0, errLevels
	}

	return values, present, nil
}

// indexes checks n places in a dictionary of so many texts.
func indexes(values []byte, n int, dictionary int64) error {
	if n == 0 {
		return nil
	}

	if len(values) == 0 || values[0] > 32 {
		return errValues
	}

	width := int(values[0])
	inside := true

	ok := runs(values[1:], width, n, func(packed []byte, repeated int64, count int) bool {
		if packed == nil {
			inside = inside && repeated < dictionary

			return true
		}

		for i := range count {
			inside = inside && unpack(packed, i, width) < dictionary
		}

		return true
	})

	switch {
	case !ok:
		return errValues
	case !inside:
		return errDictionary
	default:
		return nil
	}
}

// unpack returns the number of so many bits at that place, lowest bits first.
func unpack(packed []byte, place, width int) (v int64) {
	for bit := range width {
		at := place*width + bit
		v |= int64(packed[at/8]>>(at%8)&1) << bit
	}

	return v
}

// runs goes through n numbers of so many bits in the hybrid encoding. It passes
// the packed numbers on, at least as many as count, or nil and the number that is
// repeated. It returns false when the runs are not for n numbers.
func runs(b []byte, width, n int, each func(packed []byte, repeated int64, count int) bool) bool {
	for n > 0 {
		head, used := binary.Uvarint(b)
		if used <= 0 || head > 2*rowGroupRows+1 {
			return false
		}

		b = b[used:]
		packed, count, size := head&1 == 1, int(head>>1), (width+7)/8

		// Groups of eight, the last of which may be filled up.
		if packed {
			if count > (n+7)/8 {
				return false
			}

			count, size = min(count*8, n), count*width
		}

		if count == 0 || count > n || size > len(b) {
			return false
		}

		var (
			repeated int64
			run      = b[:size:size]
		)

		if !packed {
			for i, one := range run {
				repeated |= int64(one) << (8 * i)
			}

			run = nil
		}

		if !each(run, repeated, count) {
			return false
		}

		n, b = n-count, b[size:]
	}

	return len(b) == 0
}

// plainTexts checks n texts with their lengths before them.
func plainTexts(values []byte, n int) error {
	for range n {
		if len(values) < 4 {
			return errValues
		}

		length := binary.LittleEndian.Uint32(values)
		if int64(length) > int64(len(values)-4) {
			return errValues
		}

		values = values[4+length:]
	}

	if len(values) > 0 {
		return errValues
	}

	return nil
}
