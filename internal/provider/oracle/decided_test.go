// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"flag"
	"strings"
)

// What the product was decided to do, or would have to do to be what its pages say.
// Where one of these is off, the oracle either expects what is done instead, or
// keeps what it is about out of the records and questions.
const (
	// namesInNFC: names are compared in NFC by filters, counts, groups, expectations
	// and conditions. Off: byte by byte.
	namesInNFC = "names-in-nfc"
	// fullFolding: search finds STRASSE in straße, and a sigma whichever its form.
	// Off: letters one by one, as strings.ToLower has them.
	fullFolding = "full-folding"
	// plainGlobs: patterns of expected know * and ? and nothing else. Off: no pattern
	// has a bracket or a backslash.
	plainGlobs = "plain-globs"
	// zonesIgnored: fe80::1%eth0 is compared as fe80::1. Off: no record has a zone.
	zonesIgnored = "zones-ignored"
	// mappedAddresses: ::ffff:10.0.0.1 is 10.0.0.1, ::ffff:10.0.0.0/104 is 10.0.0.0/8,
	// and ::/0 holds every address. Off: no record and no other filter is like that, and
	// ::/0 holds no IPv4.
	mappedAddresses = "mapped-addresses"
	// uniqueNames: expected.actors matches ids, and names that the cloud keeps unique.
	// Off: every name.
	uniqueNames = "unique-names"
	// groupFallback: a rule leaves a field out of group_by that the service never
	// records. Off: it cannot be evaluated.
	groupFallback = "group-fallback"
	// widerWords: the guide's table has the words that clouds use, such as destroy and
	// purge for delete. Off: no record has those that delete, and the others are other.
	widerWords = "wider-words"
	// unknownActions: a rule whose answer depends on what an action means that no table
	// knows is not evaluable. Off: the action is other and nothing else.
	unknownActions = "unknown-actions"
	// unknownBehindFilter: that goes for a rule as well whose query leaves such an entry
	// out, since it asks by operation itself. Off: only entries that answer the query.
	unknownBehindFilter = "unknown-behind-filter"
	// serviceNow: a window that ends now ends at the whole second that the service's
	// clock shows. Off: at the moment that ours shows.
	serviceNow = "service-now"
	// checkedValues: a value of actions, resource_types or origins is an error which
	// UpCloud neither documents nor lists. Off: it finds nothing.
	checkedValues = "checked-values"
	// emptyIsAbsent: a condition may ask whether a field is "", which is what absent
	// values are, also of a field whose values are checked. Off: it may be refused.
	emptyIsAbsent = "empty-is-absent"
	// projectOnly: operations that cloudscale's project log does not record, such as
	// login, are refused in a filter as they are in rules. Off: they are not.
	projectOnly = "project-only"
	// countedOnce: a record that comes from beyond the service's now is filtered out
	// once. Off: rows are not added up where such records can come.
	countedOnce = "counted-once"
	// exactKeys: ACTION is another key than action. Off: no record has such a key.
	exactKeys = "exact-keys"
	// numbersByValue: a state that held 1 and holds 1.0 has not changed. Off: every
	// number has one spelling.
	numbersByValue = "numbers-by-value"
	// kindsOfStates: a list that becomes an object, or the other way round, is a change
	// of its own. Off: only what is inside of them counts.
	kindsOfStates = "kinds-of-states"
	// emptyKinds: also where one of the two is empty. Off: then the empty one is a value
	// that is gone, or new.
	emptyKinds = "empty-kinds"
	// jqFingerprints: ids of cloudscale's records are what jq makes of them, also where
	// they hold characters that Go's encoder escapes and jq does not, or the other way
	// round. Off: no record has any.
	jqFingerprints = "jq-fingerprints"
	// namesOnLines: a quoted name in a message may go over several lines. Off: none does.
	namesOnLines = "names-on-lines"
)

// decided says which of the decisions the product is held to. The flag adds more
// for a run, as in go test ./internal/provider/oracle -decide=names-in-nfc,plain-globs.
var decided = map[string]bool{
	namesInNFC:          true,
	fullFolding:         true,
	plainGlobs:          true,
	zonesIgnored:        true,
	mappedAddresses:     true,
	uniqueNames:         true,
	groupFallback:       true,
	widerWords:          true,
	unknownActions:      true,
	unknownBehindFilter: true,
	serviceNow:          true,
	checkedValues:       true,
	emptyIsAbsent:       true,
	projectOnly:         true,
	countedOnce:         true,
	kindsOfStates:       true,
	emptyKinds:          false,
	exactKeys:           true,
	numbersByValue:      true,
	jqFingerprints:      false,
	namesOnLines:        true,
}

var (
	decideFlag = flag.String("decide", "", "decisions to hold the product to as well, separated by commas; all for every one")
	seedFlag   = flag.Uint64("seed", 20261126, "what the random cases are made of")
	casesFlag  = flag.Int("cases", 0, "how many random cases; 0 for as many as fit into a minute")
)

// decide takes the flag in, before the tests run.
func decide() {
	for name := range decided {
		if *decideFlag == "all" {
			decided[name] = true
		}
	}

	for name := range strings.SplitSeq(*decideFlag, ",") {
		if _, ok := decided[name]; ok {
			decided[name] = true
		}
	}
}
