// SPDX-License-Identifier: MPL-2.0

package format

import (
	"encoding/binary"
	"errors"
	"slices"
)

// What is in the pages of Parquet
// (github.com/apache/parquet-format/blob/master/Encodings.md), as far as an Encoder
// writes it. Values are parts of the page that they are read from.

var (
	errLevels     = errors.New("its levels are not one for each row")
	errValues     = errors.New("its values are not one for each row that has one")
	errDictionary = errors.New("its values are not in the dictionary")
)

// levels cuts the definition levels off a page of n rows: 1 for each row that has a
// value, else 0.
func levels(page []byte, n int) (levels []uint32, values []byte, err error) {
	if len(page) < 4 {
		return nil, nil, errLevels
	}

	length := binary.LittleEndian.Uint32(page)
	if int64(length) > int64(len(page)-4) {
		return nil, nil, errLevels
	}

	levels, ok := hybrid(page[4:4+length], 1, n)
	if !ok || slices.ContainsFunc(levels, func(level uint32) bool { return level > 1 }) {
		return nil, nil, errLevels
	}

	return levels, page[4+length:], nil
}

// indexed reads n places in a dictionary and returns the texts that are there.
func indexed(page []byte, n int, dictionary [][]byte) ([][]byte, error) {
	if n == 0 {
		return nil, nil
	}

	if len(page) == 0 || page[0] > 32 {
		return nil, errValues
	}

	places, ok := hybrid(page[1:], int(page[0]), n)
	if !ok {
		return nil, errValues
	}

	texts := make([][]byte, 0, n)

	for _, place := range places {
		if int64(place) >= int64(len(dictionary)) {
			return nil, errDictionary
		}

		texts = append(texts, dictionary[place])
	}

	return texts, nil
}

// hybrid reads n numbers of so many bits in runs of equal and of packed ones. It
// returns false when the runs are not for n numbers.
func hybrid(b []byte, width, n int) ([]uint32, bool) {
	numbers := make([]uint32, 0, n)

	for len(numbers) < n {
		head, used := binary.Uvarint(b)
		if used <= 0 || head < 2 || head > 2*rowGroupRows+1 {
			return nil, false
		}

		b = b[used:]
		packed, count, left := head&1 == 1, int(head>>1), n-len(numbers)

		// Packed are groups of eight, the last of which may be filled up.
		size, most := (width+7)/8, left
		if packed {
			size, most = count*width, (left+7)/8
		}

		if count > most || size > len(b) {
			return nil, false
		}

		if packed {
			for place := range min(count*8, left) {
				numbers = append(numbers, bitsAt(b, place*width, width))
			}
		} else {
			numbers = append(numbers, slices.Repeat([]uint32{bitsAt(b, 0, 8*size)}, count)...)
		}

		b = b[size:]
	}

	return numbers, len(b) == 0
}

// bitsAt returns the number of so many bits at that place, lowest bits first.
func bitsAt(b []byte, place, width int) (v uint32) {
	for bit := range width {
		at := place + bit
		v |= uint32(b[at/8]>>(at%8)&1) << bit
	}

	return v
}

// plainTexts reads n texts with their lengths before them.
func plainTexts(page []byte, n int) ([][]byte, error) {
	texts := make([][]byte, 0, min(n, len(page)/4))

	for range n {
		if len(page) < 4 {
			return nil, errValues
		}

		length := binary.LittleEndian.Uint32(page)
		if int64(length) > int64(len(page)-4) {
			return nil, errValues
		}

		texts, page = append(texts, page[4:4+length]), page[4+length:]
	}

	if len(page) > 0 {
		return nil, errValues
	}

	return texts, nil
}
