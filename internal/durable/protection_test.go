// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
)

func thisInstant() time.Time {
	return time.Date(2028, 2, 28, 23, 30, 15, 987_000_000, time.FixedZone("", -3600))
}

func lockFor(mode string, days int) *durable.ObjectLock {
	return &durable.ObjectLock{Mode: mode, Days: days, Now: thisInstant}
}

// What is created is protected; what is replaced is not.
func TestObjectLockRequests(t *testing.T) {
	t.Parallel()

	destination, server := storetest.NewS3(t)
	o := server.Options()
	o.ObjectLock = lockFor("compliance", 2)

	s, err := durable.OpenStore(t.Context(), destination, o)
	if err != nil {
		t.Fatal(err)
	}

	if err := errors.Join(s.Create(t.Context(), "a", []byte("text")),
		s.Replace(t.Context(), "b", []byte("text"))); err != nil {
		t.Fatal(err)
	}

	want := []map[string]string{
		{
			"X-Amz-Object-Lock-Mode": "COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2028-03-02T00:30:15Z",
			"X-Amz-Object-Lock-Legal-Hold": "", "If-None-Match": "*",
		},
		{
			"X-Amz-Object-Lock-Mode": "", "X-Amz-Object-Lock-Retain-Until-Date": "", "X-Amz-Object-Lock-Legal-Hold": "",
			"If-None-Match": "",
		},
	}

	var got []map[string]string

	for _, r := range server.Requests() {
		headers := map[string]string{}
		for name := range want[0] {
			headers[name] = r.Header.Get(name)
		}

		got = append(got, headers)

		// S3 refuses a lock without one.
		if r.Header.Get("Content-MD5") == "" {
			t.Errorf("%s has no checksum", r.Key)
		}
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func refusal(status int, code, message string) answer {
	return answer{
		status: status, header: map[string]string{"Content-Type": "application/xml"},
		body: "<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>",
	}
}

func TestObjectLockRefused(t *testing.T) {
	t.Parallel()

	const (
		at     = "create s3://evidence/audit/a: "
		noLock = at + "the bucket has no object lock; enable it for the bucket first ("
		badReq = "InvalidRequest, 400 Bad Request, request " + ownRequestID + ")"
		noImpl = "NotImplemented, 501 Not Implemented, request " + ownRequestID + ")"
	)

	for name, test := range map[string]struct {
		answer answer
		lock   *durable.ObjectLock
		want   error
		text   string
	}{
		"Amazon": {
			refusal(400, "InvalidRequest", "Bucket is missing Object Lock Configuration"),
			lockFor("governance", 1), durable.ErrNoObjectLock, noLock + badReq,
		},
		"MinIO": {
			refusal(400, "InvalidRequest", "Bucket is missing ObjectLockConfiguration"), lockFor("governance", 1),
			durable.ErrNoObjectLock, noLock + badReq,
		},
		"Ceph": {
			refusal(400, "InvalidRequest", ""), lockFor("governance", 1), durable.ErrNoObjectLock,
			noLock + badReq,
		},
		"Cloudflare": {refusal(501, "NotImplemented",
			"Header 'x-amz-object-lock-mode' with value 'COMPLIANCE' not implemented"), lockFor("compliance", 1), durable.ErrNoObjectLock, noLock + noImpl},
		"other": {
			refusal(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"),
			lockFor("governance", 1), nil, at + "the service refused the request (" + badReq,
		},
		"not asked for": {refusal(400, "InvalidRequest", ""), nil, nil, at + "the service refused the request (" + badReq},
		"no conditions": {
			refusal(501, "NotImplemented",
				"A header you provided implies functionality that is not implemented"), lockFor("governance", 1),
			durable.ErrNotConditional, at + "the service does not refuse to create what exists already (" + noImpl,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, _ := serve(t, durable.StoreOptions{ObjectLock: test.lock}, test.answer)
			err := s.Create(t.Context(), "a", nil)

			mustSay(t, err, test.want, test.text)

			if lock := errors.Is(err, durable.ErrNoObjectLock); lock != (test.want == durable.ErrNoObjectLock) { //nolint:errorlint // Two values of a table.
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestObjectLockOptions(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		destination string
		lock        *durable.ObjectLock
		want        durable.ObjectLockError
	}{
		"directory": {
			t.TempDir(), lockFor("governance", 1),
			durable.ObjectLockError{Part: "", Problem: "only a bucket has object lock, and a directory has not"},
		},
		"mode": {
			"s3://evidence", lockFor("COMPLIANCE", 1),
			durable.ObjectLockError{Part: "mode", Problem: `the mode of an object lock is "governance" or "compliance"`},
		},
		"no days": {
			"s3://evidence", lockFor("governance", 0),
			durable.ObjectLockError{Part: "days", Problem: "an object lock is for 1 to 36500 days"},
		},
		"too long": {
			"s3://evidence", lockFor("governance", 36501),
			durable.ObjectLockError{Part: "days", Problem: "an object lock is for 1 to 36500 days"},
		},
	} {
		_, err := durable.OpenStore(t.Context(), test.destination, durable.StoreOptions{ObjectLock: test.lock})

		var got *durable.ObjectLockError
		if !errors.As(err, &got) || *got != test.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What protects an object is told in the answer that holds it, or not at all.
func TestReadProtectedFromBucket(t *testing.T) {
	t.Parallel()

	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

	for name, test := range map[string]struct {
		header map[string]string
		want   durable.Protection
	}{
		"none, or not permitted to know": {nil, durable.Protection{}},
		"governance": {
			map[string]string{
				"x-amz-object-lock-mode":              "GOVERNANCE",
				"x-amz-object-lock-retain-until-date": "2030-01-02T03:04:05Z",
			},
			durable.Protection{Mode: durable.Governance, Until: until},
		},
		"compliance": {
			map[string]string{
				"x-amz-object-lock-mode":              "COMPLIANCE",
				"x-amz-object-lock-retain-until-date": "2030-01-02T03:04:05.000Z", "x-amz-object-lock-legal-hold": "OFF",
			},
			durable.Protection{Mode: durable.Compliance, Until: until},
		},
		"legal hold":   {map[string]string{"x-amz-object-lock-legal-hold": "ON"}, durable.Protection{LegalHold: true}},
		"unknown mode": {map[string]string{"x-amz-object-lock-mode": "whatever"}, durable.Protection{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, requests := serve(t, durable.StoreOptions{}, answer{body: "text", header: test.header})

			data, got, err := durable.ReadProtected(t.Context(), s, "a", 10)
			if string(data) != "text" || err != nil || requests.Load() != 1 {
				t.Errorf("got %q, %v after %d requests", data, err, requests.Load())
			}

			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("protection (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadProtectedFromDirectory(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	s := storetest.NewFaulty(openDirectory(t, root, nil), nil)

	if err := errors.Join(s.Create(t.Context(), "created", []byte("text")),
		s.Replace(t.Context(), "replaced", []byte("text")), os.Chmod(filepath.Join(root, "created"), 0o444)); err != nil {
		t.Fatal(err)
	}

	for key, want := range map[string]string{"created": durable.ReadOnly, "replaced": ""} {
		data, got, err := durable.ReadProtected(t.Context(), s, key, 10)
		if string(data) != "text" || got != (durable.Protection{Mode: want}) || err != nil {
			t.Errorf("%s: got %q, %+v, %v", key, data, got, err)
		}
	}
}

// plain is a store that tells nothing of protection.
type plain struct{ durable.Store }

func TestReadProtectedFromOther(t *testing.T) {
	t.Parallel()

	s := plain{openDirectory(t, t.TempDir(), nil)}
	if err := s.Create(t.Context(), "a", []byte("text")); err != nil {
		t.Fatal(err)
	}

	data, got, err := durable.ReadProtected(t.Context(), s, "a", 10)
	if string(data) != "text" || got != (durable.Protection{}) || err != nil {
		t.Errorf("got %q, %+v, %v", data, got, err)
	}
}

// A bucket that keeps versions answers a deletion of what is protected with a marker.
func TestObjectLockDelete(t *testing.T) {
	t.Parallel()

	destination, server := storetest.NewS3(t)
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)

		w.Header().Set("x-amz-delete-marker", "true")
		w.WriteHeader(http.StatusNoContent)

		return true
	})

	if err := server.Open(t, destination).Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}
