// SPDX-License-Identifier: MPL-2.0

package witness

import (
	"encoding/asn1"
	"errors"
)

const (
	// maxStamp bounds a time stamp, which has some thousand bytes with its certificates.
	maxStamp = 1 << 16
	// maxDepth bounds how deep its values lie in each other. It takes ten for the names in
	// a certificate in a time stamp, and as many again for one in an unsigned attribute.
	maxDepth = 32
)

var (
	errSize = errors.New("it is too large")
	errDER  = errors.New("it is not in DER")
)

// checkDER makes sure that data is one value of bounded size and depth in DER. The parser
// of time stamps takes BER as well: it reads beyond the end of lengths that are cut off,
// and copies what has no length as often as it is deep.
//
// RFC 3161 has answers in DER. An authority that sends BER, such as parts without a length,
// is refused, whatever is inside: everybody would have to read its time stamps in the same
// way for ever.
func checkDER(data []byte) error {
	if len(data) > maxStamp {
		return errSize
	}

	rest, err := checkValue(data, maxDepth)
	if err == nil && len(rest) > 0 {
		err = errDER
	}

	return err
}

// checkValue returns what is behind the first value.
func checkValue(data []byte, depth int) (rest []byte, err error) {
	var v asn1.RawValue

	// It refuses lengths and tags that are open, cut off or longer than they need be.
	rest, err = asn1.Unmarshal(data, &v)
	if err != nil || depth == 0 {
		return nil, errDER
	}

	if !v.IsCompound {
		return rest, nil
	}

	if v.Class == asn1.ClassUniversal && !isStructure(v.Tag) {
		return nil, errDER
	}

	for inner := v.Bytes; len(inner) > 0; {
		if inner, err = checkValue(inner, depth-1); err != nil {
			return nil, err
		}
	}

	return rest, nil
}

// isStructure says that a type consists of others. All else is in one piece in DER.
func isStructure(tag int) bool {
	const external, embedded = 8, 11

	switch tag {
	case asn1.TagSequence, asn1.TagSet, external, embedded:
		return true
	default:
		return false
	}
}
