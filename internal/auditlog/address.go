// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// mappedBits is how much longer the prefix of an IPv4 block is in IPv6.
const mappedBits = 96

// ErrZone is returned for an address with a zone where one is asked for.
var ErrZone = errors.New("an address with a zone, and addresses are compared without")

// ParseAddress reads an address or a CIDR block; an address becomes the block
// that holds it alone, and a block of IPv4 addresses that are mapped to IPv6 the
// IPv4 block.
func ParseAddress(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, addrErr := netip.ParseAddr(text)

		if addrErr == nil && a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("this is %w", ErrZone)
		}

		if addrErr != nil {
			return netip.Prefix{}, errors.New("this is not an IP address or a CIDR block, such as \"203.0.113.7\" or \"2001:db8::/32\"")
		}

		p = netip.PrefixFrom(a, a.BitLen())
	}

	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}

	return p.Masked(), nil
}

// AddressOf reads the address of an entry as a number: an IPv4 address that is
// mapped to IPv6 is the IPv4 address, and the zone, which only says by which
// interface an address was reached, is left out, and so are a port, the brackets
// around an IPv6 address and spaces. An address that the cloud masked is none.
func AddressOf(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)

	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		var p netip.AddrPort

		p, err = netip.ParseAddrPort(text)
		a = p.Addr()
	}

	return a.WithZone("").Unmap(), err == nil
}

// InBlock says whether the block holds the address of an entry. A block of IPv6 that
// holds the mapped form of an IPv4 address, as ::/0 does, holds the address.
func InBlock(block netip.Prefix, address string) bool {
	a, ok := AddressOf(address)

	return ok && mapped(block).Contains(netip.AddrFrom16(a.As16()))
}

// BlocksOverlap says whether there is an address that both blocks hold.
func BlocksOverlap(a, b netip.Prefix) bool { return mapped(a).Overlaps(mapped(b)) }

// mapped returns the block as one of IPv6.
func mapped(block netip.Prefix) netip.Prefix {
	if !block.Addr().Is4() {
		return block
	}

	return netip.PrefixFrom(netip.AddrFrom16(block.Addr().As16()), block.Bits()+mappedBits)
}
