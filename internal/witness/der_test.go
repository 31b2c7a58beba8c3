// SPDX-License-Identifier: MPL-2.0

package witness_test

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

// TestWhatIsNoDERIsNoTimeStamp reads what anybody who can write can put in the place of a
// time stamp: it is refused at once.
func TestWhatIsNoDERIsNoTimeStamp(t *testing.T) {
	t.Parallel()

	length := func(n int) []byte {
		switch {
		case n < 0x80:
			return []byte{byte(n)}
		case n < 1<<8:
			return []byte{0x81, byte(n)}
		case n < 1<<16:
			return []byte{0x82, byte(n >> 8), byte(n)}
		default:
			return []byte{0x83, byte(n >> 16), byte(n >> 8), byte(n)}
		}
	}

	const size = 1 << 20

	for name, inner := range map[string][]byte{
		"nested without an end":  bytes.Repeat([]byte{0x30, 0x80}, size/2-64),
		"nested, ends":           append(bytes.Repeat([]byte{0x30, 0x80}, size/4-64), make([]byte, 2*(size/4-64+1))...),
		"lengths of many bytes":  bytes.Repeat([]byte{0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 100),
		"a length beyond memory": {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x30},
		"a long tag":             append([]byte{0x3f}, bytes.Repeat([]byte{0xff}, 1000)...),
		"a tag without an end":   {0x3f, 0xff},
		"a tag and no length":    {0x3f, 0x01},
		"a length without bytes": {0x30, 0x82},
		"a length of one byte":   {0x30, 0x82, 0x01},
		"nothing":                {},
	} {
		token := append(append([]byte{0x30}, length(len(inner))...), inner...)
		body := append([]byte{0x30, 0x03, 0x02, 0x01, 0x00}, token...)
		answer := append(append([]byte{0x30}, length(len(body))...), body...)

		done := make(chan struct{})

		go func() {
			defer close(done)
			if _, err := witness.CheckStamp(answer, []byte("x"), nil); !errors.Is(err, witness.ErrStamp) {
				t.Errorf("%s: %v", name, err)
			}
		}()

		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: it takes more than 5 s to read %d bytes", name, len(answer))
		}
	}
}

// TestAnAuthorityCanAnswerAnything has one answer what its parser would read beyond its end.
func TestAnAuthorityCanAnswerAnything(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte{0x30, 9, 0x30, 3, 2, 1, 0, 0x30, 2, 0x30, 0x82})
	}))
	t.Cleanup(server.Close)

	_, err := (&witness.Authority{URL: server.URL}).Stamp(t.Context(), &witness.Client{Retries: -1}, []byte("x"))
	if !errors.Is(err, witness.ErrStamp) {
		t.Errorf("the error is %v", err)
	}
}

// TestTimeStampsAreInDER has parts of a time stamp that holds in other forms than that of
// DER. Whoever reads BER as well would find that it holds.
func TestTimeStampsAreInDER(t *testing.T) {
	t.Parallel()

	data := []byte("a checkpoint\n")
	answer, a := stamp(t, data)

	var all struct {
		Status asn1.RawValue
		Token  struct {
			Type    asn1.ObjectIdentifier
			Content asn1.RawValue
		}
	}

	if _, err := asn1.Unmarshal(answer, &all); err != nil {
		t.Fatal(err)
	}

	in := func(tag byte, parts ...[]byte) []byte {
		content := bytes.Join(parts, nil)

		return append([]byte{tag, 0x82, byte(len(content) >> 8), byte(len(content))}, content...)
	}

	contentType := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}
	made := func(content []byte) []byte {
		return in(0x30, all.Status.FullBytes, in(0x30, contentType, content))
	}

	if s, err := witness.CheckStamp(made(all.Token.Content.FullBytes), data, a.Roots); err != nil ||
		!s.Time.Equal(stamped) {
		t.Errorf("as it was: %+v, %v", s, err)
	}

	inner := all.Token.Content.Bytes
	for name, content := range map[string][]byte{
		"no length":                    append(append([]byte{0xa0, 0x80}, inner...), 0, 0),
		"a length of a byte too many":  append([]byte{0xa0, 0x83, 0, byte(len(inner) >> 8), byte(len(inner))}, inner...),
		"more behind the length of it": append(in(0xa0, inner), 0),
	} {
		if _, err := witness.CheckStamp(made(content), data, a.Roots); !errors.Is(err, witness.ErrStamp) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
