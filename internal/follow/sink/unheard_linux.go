// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// closeWait is the state of TCP in which the other side has closed and this one has not (TCP_CLOSE_WAIT).
const closeWait = 8

// closedFirst says whether the other side has closed a connection that this side has not closed yet.
func closedFirst(conn net.Conn) (closed bool, err error) {
	err = control(conn, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		closed = err == nil && info.State == closeWait

		return err //nolint:wrapcheck // control does.
	})

	return closed, err
}

// unheard is how many bytes of what was sent the other side's system has not acknowledged.
func unheard(conn net.Conn) (bytes int, err error) {
	err = control(conn, func(fd int) error {
		n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		bytes = n

		return err //nolint:wrapcheck // control does.
	})

	return bytes, err
}

// control does something with the socket of a connection.
func control(conn net.Conn, do func(fd int) error) error {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn() // That which TLS goes over.
	}

	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return errors.New("not a connection of TCP")
	}

	raw, err := tcp.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}

	var doErr error

	if err = raw.Control(func(fd uintptr) { doErr = do(int(fd)) }); err == nil {
		err = doErr
	}

	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}

	return nil
}
