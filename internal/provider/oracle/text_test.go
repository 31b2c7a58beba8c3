// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// terraform is what Terraform makes of every string that it passes on.
func terraform(s string) string { return norm.NFC.String(s) }

// name is a text as it is compared.
func name(s string) string {
	if decided[namesInNFC] {
		return norm.NFC.String(s)
	}

	return s
}

// fold makes texts alike that differ in case only.
func fold(s string) string {
	if !decided[fullFolding] {
		return strings.ToLower(name(s))
	}

	var b strings.Builder

	for _, r := range longer.Replace(name(s)) {
		// The smallest of all letters that differ from it in case only.
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}

		b.WriteRune(least)
	}

	return b.String()
}

// longer are letters that are several in another case.
var longer = strings.NewReplacer("ß", "ss", "ẞ", "ss", "ﬁ", "fi", "İ", "i\u0307")

// holds says whether the pattern fits the whole text: * is any characters, ? is
// one, and everything else stands for itself.
func holds(pattern, text string) bool {
	t := []rune(name(text))

	// fits[j] says whether what has been looked at of the pattern fits t[:j].
	fits := make([]bool, len(t)+1)
	fits[0] = true

	for _, c := range name(pattern) {
		next := make([]bool, len(t)+1)

		for j := range next {
			switch {
			case c == '*':
				next[j] = fits[j] || j > 0 && next[j-1]
			case j > 0:
				next[j] = fits[j-1] && (c == '?' || c == t[j-1])
			}
		}

		fits = next
	}

	return fits[len(t)]
}

// address reads an address; one that was masked, or is none, is not placed.
func address(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t\n\r\v\f\u0085\u00a0")
	if p, err := netip.ParseAddrPort(text); err == nil {
		text = p.Addr().String()
	}

	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return a, false
	}

	return a.WithZone("").Unmap(), true
}

// block is a CIDR block, or an address as the block that holds it alone.
func block(text string) netip.Prefix {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, ok := address(text)
		if !ok {
			panic("not a block: " + text)
		}

		return netip.PrefixFrom(a, a.BitLen())
	}

	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}

	return p.Masked()
}

// within says whether the address lies in one of the blocks.
func within(text string, blocks []string) bool {
	a, ok := address(text)

	for _, b := range blocks {
		if ok && block(b).Contains(a) {
			return true
		}

		// An IPv4 address lies as well where it would lie mapped, as in ::/0.
		if ok && decided[mappedAddresses] && block(b).Contains(netip.AddrFrom16(a.As16())) {
			return true
		}
	}

	return false
}
