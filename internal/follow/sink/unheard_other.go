// SPDX-License-Identifier: MPL-2.0

//go:build !linux

package sink

import "net"

// closedFirst says whether the other side has closed a connection first. Here it cannot be told.
func closedFirst(net.Conn) (bool, error) { return false, nil }

// unheard is how many bytes the other side's system has not acknowledged. Here it cannot be told.
func unheard(net.Conn) (int, error) { return 0, nil }
