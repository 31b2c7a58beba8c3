// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// finds says whether a filter on addresses finds an entry of that address.
func finds(t *testing.T, filter, address string) bool {
	t.Helper()

	m, err := auditlog.Query{Window: auditlog.Window{End: time.Unix(1, 0)}, IPAddresses: []string{filter}}.Matcher()
	if err != nil {
		t.Fatal(err)
	}

	return matches(t, m, &auditlog.Entry{IPAddress: address})
}

// TestAddressesHaveSeveralForms is about IPv4 addresses that are mapped to IPv6, in
// filters and in entries, and about zones.
func TestAddressesHaveSeveralForms(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		filter, address string
		want            bool
	}{
		{"10.0.0.1", "::ffff:10.0.0.1", true},
		{"10.0.0.1", "::ffff:a00:1", true},
		{"10.0.0.1/32", "::ffff:10.0.0.1", true},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
		{"::ffff:10.0.0.1/128", "10.0.0.1", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "11.0.0.0", false},
		{"::ffff:0:0/96", "192.0.2.1", true},
		{"::ffff:0:0/96", "2001:db8::1", false},
		{"0.0.0.0/0", "::ffff:192.0.2.1", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "192.0.2.1", true},
		{"::/0", "::ffff:192.0.2.1", true},
		{"::/0", "2001:db8::1", true},
		{"::ffff:0:0/90", "192.0.2.1", true},
		{"::ffff:10.0.0.0/95", "192.0.2.1", true},
		{"::/80", "192.0.2.1", true},
		{"::/81", "192.0.2.1", false},
		{"2001:db8::/32", "192.0.2.1", false},
		{"2001:db8::1", "2001:DB8:0:0::0001", true},
		{"fe80::1", "fe80::1%eth0", true},
		{"fe80::/10", "fe80::1%25eth0", true},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.1%eth0", true},
		{"::/0", "", false},
		{"::/0", "192.0.2.x", false},
	} {
		if got := finds(t, tt.filter, tt.address); got != tt.want {
			t.Errorf("%s finds %q: %v", tt.filter, tt.address, got)
		}
	}

	for _, filter := range []string{
		"fe80::1%eth0", "fe80::%eth0/10", "10.0.0.1/33", "::ffff:10.0.0.0/129", "10.0.0.0/-1",
		"010.0.0.1", "10.0.0.1/08", " 10.0.0.1",
	} {
		if p, err := auditlog.ParseAddress(filter); err == nil {
			t.Errorf("%q is read as %v", filter, p)
		}
	}
}

// bits writes an address as 128 digits, an IPv4 address as the mapped one.
func bits(a netip.Addr) string {
	var text strings.Builder
	for _, b := range a.As16() {
		fmt.Fprintf(&text, "%08b", b)
	}

	return text.String()
}

// TestBlocksHoldWhatTheirBitsSay compares with the first bits of addresses,
// written out, in every form of a block and of an address.
func TestBlocksHoldWhatTheirBitsSay(t *testing.T) {
	t.Parallel()

	octet := rapid.SampledFrom([]byte{0, 0, 0, 1, 10, 127, 128, 255, 255})
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		var a [16]byte
		for i := range a {
			a[i] = octet.Draw(t, "octet")
		}

		four := [4]byte(a[:4])

		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			return netip.AddrFrom4(four)
		case 1:
			return netip.AddrFrom16(netip.AddrFrom4(four).As16())
		default:
			return netip.AddrFrom16(a)
		}
	})

	rapid.Check(t, func(rt *rapid.T) {
		// Half of the addresses are in the first block.
		first, a := address.Draw(rt, "block"), address.Draw(rt, "address")
		length := rapid.IntRange(0, first.BitLen()).Draw(rt, "length")
		block := netip.PrefixFrom(first, length)

		if rapid.Bool().Draw(rt, "inside") {
			a = first
		}

		significant := length + 128 - first.BitLen()
		want := bits(first)[:significant] == bits(a)[:significant]

		if got := finds(t, block.String(), a.String()); got != want {
			rt.Fatalf("%v holds %v: %v", block, a, got)
		}

		second := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(rt, "other length"))
		both := min(significant, second.Bits()+128-a.BitLen())

		p, err := auditlog.ParseAddress(block.String())
		if err != nil {
			rt.Fatal(err)
		}

		o, err := auditlog.ParseAddress(second.String())
		if err != nil {
			rt.Fatal(err)
		}

		if got, want := auditlog.BlocksOverlap(p, o), bits(first)[:both] == bits(a)[:both]; got != want {
			rt.Fatalf("%v overlaps %v: %v", block, second, got)
		}
	})
}
