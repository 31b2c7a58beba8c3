// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// TestUnheard: what nobody reads is not acknowledged once the buffers are full, and all of it is once it was read.
func TestUnheard(t *testing.T) {
	t.Parallel()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()

	if n, err := unheard(conn); n != 0 || err != nil {
		t.Errorf("before anything was sent %d bytes are not acknowledged, %v", n, err)
	}

	if err := conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}

	for chunk := make([]byte, 1<<20); err == nil; {
		_, err = conn.Write(chunk)
	}

	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}

	if n, err := unheard(conn); n == 0 || err != nil {
		t.Errorf("with full buffers %d bytes are not acknowledged, %v", n, err)
	}
}
