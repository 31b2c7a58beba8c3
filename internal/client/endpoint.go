// SPDX-License-Identifier: MPL-2.0

package client

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// ParseEndpoint reads the root of an API. A trailing version, which some of the
// vendors' tools keep in their variables and others do not, is dropped. Only a
// machine that talks to itself may do so without TLS: the credential would be
// readable on the way.
func ParseEndpoint(text, version string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(strings.TrimRight(text, "/"), "/"+version))
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("not a URL such as \"https://api.example.com\"")
	}

	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("a URL with more than scheme, host and path")
	}

	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return nil, errors.New("plain http to another machine, which would send the credential in the clear")
	}

	return u, nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)

	return host == "localhost" || (err == nil && a.IsLoopback())
}
