// SPDX-License-Identifier: MPL-2.0

package versitygwtest_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// steady is a log in which something has happened every twenty minutes.
type steady struct{}

const interval = 20 * time.Minute

func (steady) Info() auditlog.Info {
	return auditlog.Info{Name: auditlog.ServiceUpCloud, Title: "UpCloud", Retention: 180 * 24 * time.Hour}
}

func (steady) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (s steady) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.Info().Retention, q.Window.End)

	return func(yield func(auditlog.Entry, error) bool) {
		for at := q.Window.Start.Truncate(interval); at.Before(q.Window.End); at = at.Add(interval) {
			if at.Before(q.Window.Start) {
				continue
			}

			e := auditlog.Entry{
				ID: at.Format("20060102150405"), Time: at, Service: auditlog.ServiceUpCloud, Action: "update",
				Operation: auditlog.OperationUpdate,
				ActorType: auditlog.ActorUser, Actor: "joe", ResourceType: "server",
				Raw: fmt.Appendf(nil, `{"time":%q}`, at.Format(time.RFC3339)),
			}

			if c.RowsFetched++; !yield(e, nil) {
				return
			}
		}

		c.Proof = auditlog.ProofTotal
	}
}

// The key is in no use but these tests': it is made from zeros.
const privateKey = "PRIVATE+KEY+example.com/audit+%08x+%s"

// signer signs all archives of the tests. Processes that are killed have to have it, too.
var signer, verifier = newKey()

func newKey() (note.Signer, note.Verifier) {
	seed := make([]byte, ed25519.SeedSize)
	key := ed25519.NewKeyFromSeed(seed)

	public, err := note.NewEd25519VerifierKey("example.com/audit", key.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}

	v, err := note.NewVerifier(public)
	if err != nil {
		panic(err)
	}

	s, err := note.NewSigner(
		fmt.Sprintf(privateKey, v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))),
	)
	if err != nil {
		panic(err)
	}

	return s, v
}

// apply is one run, at a time after begin.
func apply(ctx context.Context, store durable.Store, after time.Duration) (archive.Result, error) {
	a, err := archive.Open(ctx, archive.Options{
		Store: store, Service: steady{}, Format: format.NDJSON, Compression: format.Zstd, Start: begin.AddDate(0, 0, -2),
		Clock: func() time.Time { return begin.Add(after) }, Tool: "test", Signer: signer,
		Verifiers: []note.Verifier{verifier},
	})
	if err != nil {
		return archive.Result{}, err
	}

	return a.Append(ctx)
}

// check makes sure that the archive has each entry up to a time once, and verifies.
func check(t *testing.T, store durable.Store, until time.Time) {
	t.Helper()

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifiers: []note.Verifier{verifier}})
	if err != nil {
		t.Fatal(err)
	}

	for _, p := range report.Problems {
		t.Errorf("%s: %s: %s", p.Finding, p.Key, p.Detail)
	}

	found := map[string]int{}

	r, err := archive.OpenReader(t.Context(), store, archive.ReaderOptions{
		Verifiers: []note.Verifier{verifier}, InfoOf: func(string) (auditlog.Info, bool) { return steady{}.Info(), true },
	})
	if err != nil {
		t.Fatal(err)
	}

	var c auditlog.Completeness

	for e, err := range r.Read(t.Context(),
		auditlog.Query{Window: auditlog.Window{Start: begin.AddDate(0, 0, -2), End: until}}, &c) {
		if err != nil {
			t.Fatal(err)
		}

		found[e.ID]++
	}

	want := 0

	for at := begin.AddDate(0, 0, -2); at.Before(until); at = at.Add(interval) {
		if want++; found[at.Format("20060102150405")] != 1 {
			t.Errorf("%s was archived %d times", at, found[at.Format("20060102150405")])
		}
	}

	// A reader shows an entry once that was archived twice.
	if len(found) != want || report.EntryCount != int64(want) {
		t.Errorf("%d entries are archived as %d, %d exist", len(found), report.EntryCount, want)
	}
}

// TestRunsAtOnce: of two, three and ten runs at once each entry is archived once, and
// nothing is left of those that were slower.
func TestRunsAtOnce(t *testing.T) {
	t.Parallel()

	for kind, newBucket := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()

			for _, runners := range []int{2, 3, 10} {
				bucket := newBucket(t)

				for round := range 3 {
					after := time.Duration(round) * 30 * time.Hour

					var group sync.WaitGroup

					for range runners {
						store := open(t, bucket, nil) // A client of its own.

						group.Go(func() {
							if _, err := apply(t.Context(), store, after); err != nil {
								t.Error(err)
							}
						})
					}

					group.Wait()
					check(t, open(t, bucket, nil), begin.Add(after-time.Minute))
				}
			}
		})
	}
}

// What a process is told that is to be killed.
const (
	envBucket = "VERSITYGWTEST_BUCKET"
	envStep   = "VERSITYGWTEST_STEP"
)

// deadly kills the process at its change with a number: before the request, in the middle
// of what is sent, or before the answer.
type deadly struct {
	step, changes int
}

func kill() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}

	select {}
}

func (d *deadly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return http.DefaultTransport.RoundTrip(r)
	}

	switch d.changes++; d.step - 3*(d.changes-1) {
	case 0:
		kill()
	case 1:
		if r.Body != nil {
			r.Body = &cut{r.Body, r.ContentLength / 2}
		}
	case 2:
		if _, err := http.DefaultTransport.RoundTrip(r); err == nil {
			kill()
		}
	}

	return http.DefaultTransport.RoundTrip(r)
}

// cut is a body that ends the process after so many bytes.
type cut struct {
	io.ReadCloser

	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		time.Sleep(20 * time.Millisecond) // What was read is on its way.
		kill()
	}

	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)

	return n, err
}

// TestKilledRuns: wherever a run is killed, what is there verifies, and the next one
// archives the rest and leaves nothing but the archive.
func TestKilledRuns(t *testing.T) {
	t.Parallel()

	if bucket := os.Getenv(envBucket); bucket != "" {
		step, err := strconv.Atoi(os.Getenv(envStep))
		if err != nil {
			t.Fatal(err)
		}

		if _, err := apply(t.Context(), open(t, bucket, &deadly{step: step}), 30*time.Hour); err != nil {
			t.Fatal(err)
		}

		return
	}

	killed := 0

	for _, begun := range []bool{false, true} {
		for step := 0; ; step++ {
			bucket := newBucket(t, nil)
			store := open(t, bucket, nil)

			if begun {
				if _, err := apply(t.Context(), store, 0); err != nil {
					t.Fatal(err)
				}
			}

			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledRuns$")
			cmd.Env = append(os.Environ(), envEndpoint+"="+endpoint, envBucket+"="+bucket, envStep+"="+strconv.Itoa(step))

			out, err := cmd.CombinedOutput()
			if err == nil {
				break // It has fewer changes than that.
			}

			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Exited() {
				t.Fatalf("step %d was not killed: %v\n%s", step, err, out)
			}

			killed++

			if begun {
				if report, err := archive.Verify(t.Context(), store,
					archive.VerifyOptions{Verifiers: []note.Verifier{verifier}}); err != nil {
					t.Fatal(err)
				} else if len(report.Problems) > 0 && report.Problems[0].Finding != archive.FindingUnfinished {
					t.Errorf("step %d: %+v", step, report.Problems)
				}
			}

			// The second commits, which removes what the first could not know to be left.
			for _, after := range []time.Duration{31 * time.Hour, 60 * time.Hour} {
				if _, err := apply(t.Context(), store, after); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
			}

			check(t, store, begin.Add(60*time.Hour-time.Minute))
		}
	}

	t.Logf("%d runs were killed", killed)

	if killed < 60 {
		t.Error("the test has lost its grip")
	}
}

// TestMutations: whatever object is changed, removed or added, the verifier notices.
func TestMutations(t *testing.T) {
	t.Parallel()

	store := open(t, newBucket(t, nil), nil)

	var newest archive.Head

	for round := range 2 {
		r, err := apply(t.Context(), store, time.Duration(round)*30*time.Hour)
		if err != nil {
			t.Fatal(err)
		}

		newest = r.Head
	}

	found := func(what string) {
		t.Helper()

		report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifiers: []note.Verifier{verifier}})
		if err == nil && len(report.Problems) == 0 {
			t.Errorf("%s is not noticed", what)
		}
	}

	var keys []string

	for o, err := range store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}

		keys = append(keys, o.Key)
	}

	for _, key := range keys {
		data, err := store.Read(t.Context(), key, 1<<20)
		if err != nil {
			t.Fatal(err)
		}

		flipped := bytes.Clone(data)
		flipped[len(data)/2] ^= 1

		for what, other := range map[string][]byte{
			"flipped": flipped, "shorter": data[:len(data)-1],
			"longer": append(bytes.Clone(data), '\n'), "empty": {},
		} {
			if err := store.Replace(t.Context(), key, other); err != nil {
				t.Fatal(err)
			}

			found(key + ", " + what)
		}

		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}

		// Of partial tiles, only those of the newest size have to be there.
		if !strings.HasSuffix(key, fmt.Sprintf(".p/%d", newest.Sequence-1)) {
			found(key + ", removed")
		}

		if err := store.Create(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}

	for _, key := range []string{
		"x", "entries/x", "manifests/00000009-0123456789abcdef.json", "tile/0/x001/000",
		keys[0] + ".bak",
	} {
		if err := store.Create(t.Context(), key, []byte("x")); err != nil {
			t.Fatal(err)
		}

		found(key + ", added")

		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}

	check(t, store, begin.Add(30*time.Hour-time.Minute))
	t.Logf("%d objects", len(keys))
}
