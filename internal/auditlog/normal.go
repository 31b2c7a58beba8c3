// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Normal returns the form in which texts are compared and counted. Terraform puts
// every string into Unicode's NFC, and its state shows each byte that is no UTF-8
// as U+FFFD: texts that it makes equal have to be equal here as well.
func Normal(text string) string {
	if isASCII(text) {
		return text
	}

	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}

	return norm.NFC.String(text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}

	return true
}

// fold returns the form in which search compares, which has no case: Unicode's full
// case folding. What has the same lower case besides is the same as well, such as
// the capital I with a dot and i.
func fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}

	folded := strings.ToLower(cases.Fold().String(Normal(text)))

	return Normal(strings.ReplaceAll(folded, "i\u0307", "i"))
}
