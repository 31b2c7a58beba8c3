// SPDX-License-Identifier: MPL-2.0

package screen

import (
	"net/url"
	"os"
	"strings"
)

// Proxies has the passwords of the proxies removed that the environment names.
// Whoever makes requests calls it first: a proxy can repeat what it was sent, and
// Go sends it the login.
func Proxies() {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		holdUserinfo(os.Getenv(name))
		holdUserinfo(os.Getenv(strings.ToLower(name)))
	}
}

// holdUserinfo has the password of a URL removed, as it is written and as it is meant.
// A user without one is the secret itself.
func holdUserinfo(address string) {
	if _, rest, ok := strings.Cut(address, "//"); ok {
		address = rest
	}

	// The last one: a password that was not encoded can hold what ends the part.
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return
	}

	name, password, ok := strings.Cut(address[:at], ":")
	if !ok {
		name, password = "", name
	}

	meant := func(text string) string {
		if decoded, err := url.PathUnescape(text); err == nil {
			return decoded
		}

		return text
	}

	Login(name, password)
	Login(meant(name), meant(password))
}
