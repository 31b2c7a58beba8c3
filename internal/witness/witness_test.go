// SPDX-License-Identifier: MPL-2.0

package witness_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/witness"
	"github.com/auditlogs/terraform-provider-audit/internal/witness/witnesstest"
)

// TestWitnessesSayWhatTheyHaveSeen has a witness name sizes that it knows. Only one that names
// the size that it was told has seen another log.
func TestWitnessesSayWhatTheyHaveSeen(t *testing.T) {
	t.Parallel()

	const size = 9

	for name, c := range map[string]struct {
		sizes []int
		want  error
	}{
		"the size it was told":      {[]int{8}, witness.ErrForked},
		"the same size twice":       {[]int{3, 9, 9}, witness.ErrForked},
		"another size each time":    {[]int{3, 4, 5, 6, 7}, witness.ErrAnswer},
		"nothing each time":         {[]int{0, 0}, witness.ErrAnswer},
		"its log has been put back": {[]int{3, 2, 1, 2, 1}, witness.ErrAnswer},
	} {
		w := witnesstest.NewWitness(t, "witness.example")
		asked := 0
		w.Answer = func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.WriteHeader(http.StatusConflict)
			_, _ = rw.Write([]byte(strconv.Itoa(c.sizes[min(asked, len(c.sizes)-1)]) + "\n"))
			asked++

			return true
		}

		p := witness.Checkpoint{Note: "log\n9\n", Size: size, Grown: func(int64) (tlog.TreeProof, error) { return nil, nil }}
		if _, err := w.Cosign(t.Context(), &witness.Client{Retries: -1}, p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}

		if most := 5; asked > most {
			t.Errorf("%s: it was asked %d times", name, asked)
		}
	}
}
