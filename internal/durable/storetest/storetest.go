// SPDX-License-Identifier: MPL-2.0

// Package storetest holds what every durable.Store promises as tests, object
// storage for tests of what is built on stores, and a store that fails on purpose.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Run checks a store's promises. Each call of newStore returns an empty one.
func Run(t *testing.T, newStore func(t *testing.T) durable.Store) {
	t.Helper()

	for name, test := range map[string]func(*testing.T, durable.Store){
		"create":             testCreate,
		"create together":    testCreateTogether,
		"replace":            testReplace,
		"replace together":   testReplaceTogether,
		"bytes":              testBytes,
		"limit":              testLimit,
		"missing":            testMissing,
		"delete":             testDelete,
		"order":              testOrder,
		"many":               testMany,
		"stop":               testStop,
		"cancelled":          testCancelled,
		"hostile keys":       testHostileKeys,
		"hostile prefixes":   testHostilePrefixes,
		"condition honoured": testCondition,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test(t, newStore(t))
		})
	}
}

const limit = 64 << 20

func mustCreate(t *testing.T, s durable.Store, key, text string) {
	t.Helper()

	if err := s.Create(t.Context(), key, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func mustHold(t *testing.T, s durable.Store, key, text string) {
	t.Helper()

	got, err := s.Read(t.Context(), key, limit)
	if err != nil {
		t.Fatal(err)
	}

	if string(got) != text {
		t.Errorf("%s: got %q, want %q", key, got, text)
	}
}

func list(t *testing.T, s durable.Store, prefix string) []durable.Object {
	t.Helper()

	var found []durable.Object

	for o, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}

		// A directory is left when the last object in it goes.
		if !o.Irregular || !strings.HasSuffix(o.Key, "/") {
			found = append(found, o)
		}
	}

	return found
}

func keys(t *testing.T, s durable.Store, prefix string) []string {
	t.Helper()

	var found []string //nolint:prealloc // Nothing found is nil.
	for _, o := range list(t, s, prefix) {
		found = append(found, o.Key)
	}

	return found
}

func mustFail(t *testing.T, what string, err, want error) {
	t.Helper()

	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func testCreate(t *testing.T, s durable.Store) {
	t.Helper()

	mustCreate(t, s, "a/b/c.txt", "first")
	mustFail(t, "again", s.Create(t.Context(), "a/b/c.txt", []byte("second")), durable.ErrExists)
	mustFail(t, "the same again", s.Create(t.Context(), "a/b/c.txt", []byte("first")), durable.ErrExists)
	mustHold(t, s, "a/b/c.txt", "first")
	mustCreate(t, s, "a/b/d.txt", "beside")

	want := []durable.Object{{Key: "a/b/c.txt", Size: 5}, {Key: "a/b/d.txt", Size: 6}}
	if diff := cmp.Diff(want, list(t, s, "")); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// together runs a function n times at once and returns the errors.
func together(n int, f func(i int) error) []error {
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
		errs  = make([]error, n)
	)

	for i := range n {
		wg.Go(func() {
			<-start

			errs[i] = f(i)
		})
	}

	close(start)
	wg.Wait()

	return errs
}

func testCreateTogether(t *testing.T, s durable.Store) {
	t.Helper()

	// The directories above are made by all of them, too.
	errs := together(50, func(i int) error {
		return s.Create(t.Context(), "deep/below/claim", fmt.Appendf(nil, "by %d", i))
	})

	won := slices.Index(errs, nil)
	if won < 0 {
		t.Fatalf("nobody won: %v", errs[0])
	}

	for i, err := range errs {
		if i != won && !errors.Is(err, durable.ErrExists) {
			t.Errorf("%d: got %v, want %v beside winner %d", i, err, durable.ErrExists, won)
		}
	}

	mustHold(t, s, "deep/below/claim", fmt.Sprintf("by %d", won))

	if diff := cmp.Diff([]string{"deep/below/claim"}, keys(t, s, "")); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func testReplace(t *testing.T, s durable.Store) {
	t.Helper()

	for _, text := range []string{"first", "a longer second", "3"} {
		if err := s.Replace(t.Context(), "checkpoint", []byte(text)); err != nil {
			t.Fatal(err)
		}

		mustHold(t, s, "checkpoint", text)
	}

	mustFail(t, "create", s.Create(t.Context(), "checkpoint", nil), durable.ErrExists)
}

// Whoever reads meanwhile sees one of the objects, whole.
func testReplaceTogether(t *testing.T, s durable.Store) {
	t.Helper()

	text := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%10)}, 10_000+i%10) }

	if err := s.Replace(t.Context(), "checkpoint", text(0)); err != nil {
		t.Fatal(err)
	}

	for i, err := range together(20, func(i int) error {
		if i%2 == 0 {
			return s.Replace(t.Context(), "checkpoint", text(i))
		}

		got, err := s.Read(t.Context(), "checkpoint", limit)
		if err == nil && !bytes.Equal(got, text(int(got[0]-'a'))) {
			err = errors.New("a mixture")
		}

		return err
	}) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func testBytes(t *testing.T, s durable.Store) {
	t.Helper()

	random := make([]byte, 20<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)

	for key, data := range map[string][]byte{
		"empty": {}, "newlines": []byte("a\r\nb\n\x00\xff\x1a"), "big": random, "gzip.gz": {0x1f, 0x8b, 8},
	} {
		if err := s.Create(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}

		got, err := s.Read(t.Context(), key, limit)
		if err != nil {
			t.Fatal(err)
		}

		if !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes came back as %d others", key, len(data), len(got))
		}
	}
}

func testLimit(t *testing.T, s durable.Store) {
	t.Helper()

	mustCreate(t, s, "five", "12345")

	for limit, want := range map[int64]error{0: durable.ErrTooLarge, 4: durable.ErrTooLarge, 5: nil, 6: nil} {
		_, err := s.Read(t.Context(), "five", limit)
		mustFail(t, fmt.Sprintf("limit %d", limit), err, want)
	}
}

func testMissing(t *testing.T, s durable.Store) {
	t.Helper()

	if found := list(t, s, ""); found != nil {
		t.Errorf("a new store holds %v", found)
	}

	for _, key := range []string{"nothing", "no/such/thing"} {
		_, err := s.Read(t.Context(), key, limit)
		mustFail(t, key, err, fs.ErrNotExist)
	}
}

func testDelete(t *testing.T, s durable.Store) {
	t.Helper()

	mustCreate(t, s, "a/b", "text")

	for range 2 {
		if err := s.Delete(t.Context(), "a/b"); err != nil {
			t.Fatal(err)
		}

		_, err := s.Read(t.Context(), "a/b", limit)
		mustFail(t, "read", err, fs.ErrNotExist)
	}

	if err := s.Delete(t.Context(), "no/such/thing"); err != nil {
		t.Error(err)
	}

	if found := list(t, s, ""); found != nil {
		t.Errorf("an emptied store holds %v", found)
	}

	mustCreate(t, s, "a/b", "again")
}

func testOrder(t *testing.T, s durable.Store) {
	t.Helper()

	// In the order of bytes, in which "-" and "." come before "/", digits after.
	want := []string{
		".well-known", "A", "a-/x", "a-b", "a.b", "a/b", "a/b-", "a/c/d", "a/c/e", "a0", "aa/b", "b",
		"entries/cloud=upcloud/date=2026-01-01/1.ndjson", "entries/cloud=upcloud/date=2026-01-02/1.ndjson", "~",
	}

	// Some in another order, and "a" is no object of its own beside "a/b".
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(want)) { //nolint:gosec // Repeatable on purpose.
		mustCreate(t, s, want[i], want[i])
	}

	for _, prefix := range []string{
		"", "a", "a/", "a/b", "a/c/", "a/c/d", "a-", "b", "c", "entries/cloud=up", "entries/cloud=upcloud/date=2026-01-02/",
		"a/b/",
	} {
		var some []string

		for _, key := range want {
			if strings.HasPrefix(key, prefix) {
				some = append(some, key)
			}
		}

		if diff := cmp.Diff(some, keys(t, s, prefix)); diff != "" {
			t.Errorf("prefix %q (-want +got):\n%s", prefix, diff)
		}
	}
}

// More than one page of a listing, in either kind of place.
func testMany(t *testing.T, s durable.Store) {
	t.Helper()

	const n = 1100

	var next atomic.Int64

	for _, err := range together(16, func(int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return nil
			}

			if err := s.Create(t.Context(), manyKey(i), []byte("x")); err != nil {
				return err
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}

	want := make([]string, 0, n)
	for i := range n {
		want = append(want, manyKey(i))
	}

	slices.Sort(want)

	if diff := cmp.Diff(want, keys(t, s, "")); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	one := slices.DeleteFunc(want, func(key string) bool { return !strings.HasPrefix(key, "m/1") })
	if diff := cmp.Diff(one, keys(t, s, "m/1")); diff != "" {
		t.Errorf("keys with prefix (-want +got):\n%s", diff)
	}
}

func manyKey(i int) string { return fmt.Sprintf("m/%d/%04d.txt", i%3, i) }

func testStop(t *testing.T, s durable.Store) {
	t.Helper()

	for _, key := range []string{"a", "b/c", "d"} {
		mustCreate(t, s, key, key)
	}

	for stop := 1; stop <= 3; stop++ {
		seen := 0

		for _, err := range s.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}

			if seen++; seen == stop {
				break
			}
		}
	}
}

func testCancelled(t *testing.T, s durable.Store) {
	t.Helper()

	mustCreate(t, s, "a", "text")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, readErr := s.Read(ctx, "a", limit)

	for what, err := range map[string]error{
		"create": s.Create(ctx, "b", nil), "replace": s.Replace(ctx, "a", nil),
		"delete": s.Delete(ctx, "a"), "read": readErr,
	} {
		mustFail(t, what, err, context.Canceled)
	}

	n := 0

	for _, err := range s.List(ctx, "") {
		n++

		mustFail(t, "list", err, context.Canceled)
	}

	if n != 1 {
		t.Errorf("a cancelled listing yields %d times", n)
	}

	// Cancelled on the way.
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()

	mustCreate(t, s, "b/c", "text")

	var last error
	for _, last = range s.List(ctx, "") {
		cancel()
	}

	if last != nil {
		mustFail(t, "list", last, context.Canceled)
	}

	if diff := cmp.Diff([]string{"a", "b/c"}, keys(t, s, "")); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	mustHold(t, s, "a", "text")
}

func testHostileKeys(t *testing.T, s durable.Store) {
	t.Helper()

	for _, key := range []string{
		"", "/", "/etc/passwd", "a/", "/a", "a//b", ".", "..", "../a", "a/..", "a/../../b", "./a", "a/./b",
		"a\x00b", "a\nb", "a\\b", `..\a`, "C:", "C:/a", "C:a", "a:b", "a*", "a?", `a"`, "a<", "a>", "a|",
		"NUL", "nul.txt", "a/COM1", "lpt9.tar.gz", "CONIN$", "a./b", "a /b", "a.", "a ",
		"ä", "\xff", strings.Repeat("a", 256), strings.Repeat("a/", 600) + "a", ".audit-part-ABCDEFGHIJKLMNOP",
		"a/.audit-part-ABCDEFGHIJKLMNOP",
	} {
		_, readErr := s.Read(t.Context(), key, limit)

		for what, err := range map[string]error{
			"check": durable.CheckKey(key), "create": s.Create(t.Context(), key, nil),
			"replace": s.Replace(t.Context(), key, nil), "delete": s.Delete(t.Context(), key), "read": readErr,
		} {
			mustFail(t, fmt.Sprintf("%s %.40q", what, key), err, fs.ErrInvalid)
		}
	}

	if found := list(t, s, ""); found != nil {
		t.Errorf("something came of it: %v", found)
	}
}

func testHostilePrefixes(t *testing.T, s durable.Store) {
	t.Helper()

	mustCreate(t, s, "a/b", "text")

	for _, prefix := range []string{"/", "..", "../", "a/../", "a//", "./a", "a/b/c", "a\x01", "A"} {
		if found := list(t, s, prefix); found != nil {
			t.Errorf("prefix %q: got %v", prefix, found)
		}
	}
}

// The store can be trusted, and the object is what it was.
func testCondition(t *testing.T, s durable.Store) {
	t.Helper()

	mustCreate(t, s, "a/b", "text")

	for i, err := range together(8, func(int) error { return durable.Insist(t.Context(), s, "a/b", []byte("text")) }) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}

	if got, err := s.Read(t.Context(), "a/b", 100); err != nil || string(got) != "text" {
		t.Errorf("the object is %q, %v", got, err)
	}
}
