// SPDX-License-Identifier: MPL-2.0

package screen

import "strings"

// withoutUserinfo takes out what stands before the host in URLs.
func withoutUserinfo(text string) string {
	const slashes = "//"

	begin := strings.Index(text, slashes)
	if begin < 0 || !strings.Contains(text[begin:], "@") {
		return text
	}

	begin += len(slashes)
	head, rest := text[:begin], text[begin:]

	if at := endOfUserinfo(rest); at > 0 {
		head, rest = head+Removed, rest[at:]
	}

	return head + withoutUserinfo(rest)
}

// endOfUserinfo is where the "@" is that ends the userinfo at the beginning of a
// text, 0 where there is none. A password that was not encoded can hold slashes, as
// keys of object storage do: where a colon says that there is one, it goes up to the
// last "@" of the word, or of the line where what follows the colon is no port.
func endOfUserinfo(text string) int {
	line, _, _ := strings.Cut(text, "\n")
	word := upTo(line, " \t\r\"'`<>")
	authority := upTo(word, "/?#")

	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return at
	}

	_, port, colon := strings.Cut(authority, ":")
	if !colon || strings.HasPrefix(authority, "[") {
		return 0
	}

	if at := strings.LastIndexByte(word, '@'); at >= 0 {
		return at
	}

	if strings.Trim(port, "0123456789") == "" {
		return 0
	}

	return max(strings.LastIndexByte(line, '@'), 0)
}

// upTo is the beginning of a text without any of the characters.
func upTo(text, chars string) string {
	if end := strings.IndexAny(text, chars); end >= 0 {
		return text[:end]
	}

	return text
}
