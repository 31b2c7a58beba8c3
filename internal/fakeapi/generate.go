// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// completeFrom is the number of entries from which every documented value is forced to appear. Smaller logs leave it
// to chance.
const completeFrom = 300

// calendar knows how busy it is at every instant of the span.
type calendar struct {
	cleanup time.Time // when somebody begins to delete a great many things at once
}

func newCalendar(o Options, service string) calendar {
	// One afternoon somewhere in the middle of the span.
	share := 0.3 + 0.4*float64(draw(o.Seed, service+"/cleanup", 0)%1000)/1000
	day := o.Now.Add(-time.Duration(share * float64(o.Span))).Truncate(24 * time.Hour)
	return calendar{cleanup: day.Add(16*time.Hour + 40*time.Minute)}
}

// cleaning says whether things are being deleted, by one person.
func (c calendar) cleaning(t time.Time) bool {
	return !t.Before(c.cleanup) && t.Before(c.cleanup.Add(10*time.Minute))
}

// office says whether people work: at other times it is mostly machines.
func office(t time.Time) bool {
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday && t.Hour() >= 7 && t.Hour() < 17
}

// rate is the expected number of records a minute, in arbitrary units.
func (c calendar) rate(t time.Time) float64 {
	switch {
	case c.cleaning(t):
		return 400
	case office(t):
		return 8
	default:
		return 1.5
	}
}

// instants are n times that never fall, dense where the calendar is busy; the last lies shortly before o.Now.
func instants(o Options, n int, c calendar, rng *rand.Rand) []time.Time {
	const buckets = 30 * 24 * 60 // minutes, for the usual span
	if n == 0 {
		return nil
	}
	start, width := o.Now.Add(-o.Span), o.Span/buckets
	rates, total := make([]float64, buckets), 0.0
	for i := range rates {
		rates[i] = c.rate(start.Add(time.Duration(i) * width))
		total += rates[i]
	}
	out := make([]time.Time, n)
	bucket, passed := 0, 0.0
	for i := range out {
		target := (float64(i) + rng.Float64()) / float64(n) * total
		for bucket < buckets-1 && passed+rates[bucket] < target {
			passed += rates[bucket]
			bucket++
		}
		share := min(max((target-passed)/rates[bucket], 0), 1)
		out[i] = start.Add(time.Duration(bucket)*width + time.Duration(share*float64(width)))
	}
	if newest := o.Now.Add(-min(o.Span, time.Duration(5+rng.IntN(85))*time.Second)); out[n-1].Before(newest) {
		out[n-1] = newest
	}
	return out
}

func newRand(seed uint64, purpose string) *rand.Rand {
	return rand.New(rand.NewPCG(seed, draw(seed, purpose, 0)))
}

// pick picks something more or less often.
func pick[T any](rng *rand.Rand, from []T, share func(T) int) T {
	total := 0
	for _, x := range from {
		total += share(x)
	}
	n := rng.IntN(total)
	for _, x := range from {
		if n -= share(x); n < 0 {
			return x
		}
	}
	panic("unreachable: n is below the sum of the shares")
}

func oneOf[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func uuid(rng *rand.Rand) string {
	a, b := rng.Uint64(), rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// Addresses come from the ranges reserved for documentation.
func addressV4(rng *rand.Rand) string {
	return fmt.Sprintf("%s.%d", oneOf(rng, []string{"192.0.2", "198.51.100", "203.0.113"}), 1+rng.IntN(254))
}

// oddNames are names that people do give and that software trips over: other scripts, directions and widths, quotes,
// and what a spreadsheet would take for a formula.
var oddNames = []string{
	"Zürich-Gateway", "日本-web", "데이터-01", "🚀 launchpad", "خادم-النسخ", "שרת-בדיקה", "naïve café", "Ærø-backup",
	`=HYPERLINK("https://example.com/?q=1","open me")`, "=1+1", "+41 44 555 00 00", "-scratch", "@home",
	"anna's box", `the "old" one, really`, "Ελλάδα", "e\u0301tude", "tab\there", "<b>bold</b> & more",
}

var roleNames = []string{
	"web", "api", "db", "cache", "worker", "ingress", "bastion", "metrics", "mail", "staging", "build", "queue",
}

// name is a role with a number, or an odd name now and then; the first ordinals run through all odd names.
func name(rng *rand.Rand, ordinal int) string {
	if ordinal%3 == 2 {
		return oddNames[ordinal/3%len(oddNames)]
	}
	return fmt.Sprintf("%s-%d", oneOf(rng, roleNames), 1+rng.IntN(99))
}

// forced maps positions in a log of n records, spread evenly, to the values, below count, that must appear there.
func forced(n, count int) map[int]int {
	out := map[int]int{}
	if n >= completeFrom {
		for k := range count {
			out[(2*k+1)*n/(2*count)] = k
		}
	}
	return out
}
