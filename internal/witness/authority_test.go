// SPDX-License-Identifier: MPL-2.0

package witness_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/witness"
	"github.com/auditlogs/terraform-provider-audit/internal/witness/witnesstest"
)

var stamped = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

// stamp returns a time stamp of data, and who made it.
func stamp(tb testing.TB, data []byte) ([]byte, *witnesstest.Authority) {
	tb.Helper()

	a := witnesstest.NewAuthority(tb, func() time.Time { return stamped })

	answer, err := a.Stamp(tb.Context(), &witness.Client{}, data)
	if err != nil {
		tb.Fatal(err)
	}

	return answer, a
}

// TestStampsAreOfTheirData checks a time stamp with what it is of, and with all else.
func TestStampsAreOfTheirData(t *testing.T) {
	t.Parallel()

	data := []byte("a checkpoint\n")
	answer, a := stamp(t, data)
	_, other := stamp(t, data)

	if s, err := witness.CheckStamp(answer, data, a.Roots); err != nil || !s.Time.Equal(stamped) ||
		s.By != "CN=Time stamps of a test,O=Example" {
		t.Errorf("%+v, %v", s, err)
	}

	if _, err := witness.CheckStamp(answer, data, nil); err != nil {
		t.Errorf("without roots: %v", err)
	}

	if s, err := witness.CheckStamp(answer, data, other.Roots); !errors.Is(err, witness.ErrStamp) {
		t.Errorf("the roots of another authority: %+v, %v", s, err)
	}

	if s, err := witness.CheckStamp(answer, []byte("another\n"), a.Roots); !errors.Is(err, witness.ErrStamp) {
		t.Errorf("other data: %+v, %v", s, err)
	}

	// Whatever byte is changed, it does not say another time.
	for i := range answer {
		changed := bytes.Clone(answer)
		changed[i] ^= 1

		if s, err := witness.CheckStamp(changed, data, a.Roots); err == nil && !s.Time.Equal(stamped) {
			t.Errorf("byte %d: %+v", i, s)
		}
	}
}

// TestAnswersHaveAStatus: RFC 3161 knows answers and HTTP errors, but no status of either.
func TestAnswersHaveAStatus(t *testing.T) {
	t.Parallel()

	for status, want := range map[int]error{
		http.StatusOK: nil, http.StatusCreated: nil, http.StatusMultipleChoices: witness.ErrAnswer,
		http.StatusBadRequest: witness.ErrAnswer, http.StatusInternalServerError: witness.ErrAnswer,
	} {
		a := witnesstest.NewAuthority(t, func() time.Time { return stamped })
		a.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			query, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}

			answer, err := a.Respond(query)
			if err != nil {
				t.Error(err)
			}

			w.WriteHeader(status)
			_, _ = w.Write(answer)

			return true
		}

		if _, err := a.Stamp(t.Context(), &witness.Client{Retries: -1}, []byte("a checkpoint\n")); !errors.Is(err, want) {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// FuzzCheckStamp reads what nobody has made.
func FuzzCheckStamp(f *testing.F) {
	data := []byte("a checkpoint\n")
	answer, a := stamp(f, data)

	f.Add(answer)
	f.Add(answer[:len(answer)/2])
	f.Add([]byte{0x30, 0x80})

	f.Fuzz(func(t *testing.T, answer []byte) {
		if s, err := witness.CheckStamp(answer, data, a.Roots); err == nil && !s.Time.Equal(stamped) {
			t.Errorf("it says %v", s)
		}
	})
}
