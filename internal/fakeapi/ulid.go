// SPDX-License-Identifier: MPL-2.0

package fakeapi

// Crockford's base 32, which leaves out I, L, O and U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ulid spells 48 bits of milliseconds and 80 random bits (high and low) as 26 characters. Text order is number order.
func ulid(millis int64, high uint64, low uint16) string {
	var out [26]byte
	for i, ms := 9, uint64(millis); i >= 0; i, ms = i-1, ms>>5 {
		out[i] = crockford[ms&31]
	}
	// 80 bits are sixteen characters; the last three and a bit of the fourth hold low.
	for i := 25; i >= 10; i-- {
		out[i] = crockford[low&31]
		low = low>>5 | uint16(high&31)<<11
		high >>= 5
	}
	return string(out[:])
}

// ulids makes unique ids that grow with every call, as long as the milliseconds never fall.
type ulids struct {
	millis int64
	high   uint64
	low    uint16
}

func (u *ulids) next(millis int64, high uint64, low uint16) string {
	if millis > u.millis {
		// The top bit stays clear, so that counting up within a millisecond cannot overflow.
		u.millis, u.high, u.low = millis, high>>1, low
	} else {
		u.high++
	}
	return ulid(u.millis, u.high, u.low)
}
