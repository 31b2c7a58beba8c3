// SPDX-License-Identifier: MPL-2.0

package storetest_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
)

func open(t *testing.T) durable.Store {
	t.Helper()

	s, err := durable.OpenStore(t.Context(), t.TempDir(), durable.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func TestFaultyWithoutFault(t *testing.T) {
	t.Parallel()

	storetest.Run(t, func(t *testing.T) durable.Store {
		t.Helper()

		return storetest.NewFaulty(open(t), nil)
	})
}

func TestFaulty(t *testing.T) {
	t.Parallel()

	broken := errors.New("broken")

	for name, test := range map[string]struct {
		fault storetest.Fault
		errs  []error // of create a, replace b, delete a, read b
		holds []string
	}{
		"none":         {nil, []error{nil, nil, nil, nil}, []string{"b"}},
		"fail before":  {storetest.FailBefore(1, broken), []error{nil, broken, nil, fs.ErrNotExist}, nil},
		"fail after":   {storetest.FailAfter(0, broken), []error{broken, nil, nil, nil}, []string{"b"}},
		"crash before": {storetest.CrashBefore(1), []error{nil, storetest.ErrCrashed, storetest.ErrCrashed, storetest.ErrCrashed}, []string{"a"}},
		"crash after":  {storetest.CrashAfter(1), []error{nil, storetest.ErrCrashed, storetest.ErrCrashed, storetest.ErrCrashed}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := open(t)
			f := storetest.NewFaulty(s, test.fault)

			errs := []error{
				f.Create(t.Context(), "a", []byte("12345")), f.Replace(t.Context(), "b", []byte("123")), f.Delete(t.Context(), "a"),
			}
			_, err := f.Read(t.Context(), "b", 10)

			for i, err := range append(errs, err) {
				if !errors.Is(err, test.errs[i]) {
					t.Errorf("call %d: got %v, want %v", i, err, test.errs[i])
				}
			}

			for _, err := range f.List(t.Context(), "") {
				if f.Crashed() != errors.Is(err, storetest.ErrCrashed) {
					t.Errorf("list: %v", err)
				}
			}

			if _, err := durable.Sweep(t.Context(), f, time.Time{}); f.Crashed() != (err != nil) {
				t.Errorf("sweep: %v", err)
			}

			var held []string

			for o, err := range s.List(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}

				held = append(held, o.Key)
			}

			if diff := cmp.Diff(test.holds, held); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultyCounts(t *testing.T) {
	t.Parallel()

	f := storetest.NewFaulty(open(t), nil)

	if err := errors.Join(f.Create(t.Context(), "a", []byte("12345")), f.Replace(t.Context(), "b", nil)); err != nil {
		t.Fatal(err)
	}

	_, _ = f.Read(t.Context(), "a", 10)

	for _, err := range f.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
	}

	want := []storetest.Call{
		{Op: "create", Key: "a", Bytes: 5},
		{Op: "replace", Key: "b"},
		{Op: "read", Key: "a", Bytes: 5},
		{Op: "list", Objects: 2},
	}
	if diff := cmp.Diff(want, f.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}

	if f.Mutating() != 2 {
		t.Errorf("%d mutating calls", f.Mutating())
	}
}
