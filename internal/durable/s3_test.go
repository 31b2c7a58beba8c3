// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
	"github.com/auditlogs/terraform-provider-audit/internal/retries"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// answer is what a service says to one request.
type answer struct {
	status int
	code   string // makes a body
	header map[string]string
	body   string
	// hang takes longer than the client waits, cut ends the connection after the
	// body.
	hang, cut bool
}

const ownRequestID = "4442587FB7D0A2F9"

func (a answer) write(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)

	if a.hang {
		<-r.Context().Done()

		return
	}

	w.Header().Set("x-amz-request-id", ownRequestID)

	for name, value := range a.header {
		w.Header().Set(name, value)
	}

	body := a.body
	if a.code != "" {
		w.Header().Set("Content-Type", "application/xml")

		// What a service writes here is for nobody's eyes: some repeat what was signed.
		body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + a.code + `</Code><Message>` + storetest.SecretKey +
			` in clear</Message><Resource>/x</Resource><RequestId>` + ownRequestID + `</RequestId></Error>`
	}

	if a.status != 0 {
		w.WriteHeader(a.status)
	}

	_, _ = w.Write([]byte(body))

	if a.cut {
		if body != "" {
			_ = http.NewResponseController(w).Flush()
		}

		panic(http.ErrAbortHandler)
	}
}

// serve gives the answers in turn, the last one for ever.
func serve(t *testing.T, o durable.StoreOptions, answers ...answer) (s durable.Store, requests *atomic.Int64) {
	t.Helper()

	requests = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[min(int(requests.Add(1)), len(answers))-1].write(w, r)
	}))
	t.Cleanup(server.Close)

	var keys *storetest.S3

	o.LookupEnv = keys.LookupEnv
	o.RetryWaitMax = time.Millisecond

	if o.MaxRetries == 0 {
		o.MaxRetries = 2
	}

	s, err := durable.OpenStore(t.Context(), "s3://evidence/audit?region=test-1&endpoint="+server.URL, o)
	if err != nil {
		t.Fatal(err)
	}

	return s, requests
}

// mustSay checks an error's kind and whole text.
func mustSay(t *testing.T, err, want error, text string) {
	t.Helper()

	if want != nil && !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}

	if fmt.Sprint(err) != text {
		t.Errorf("\n got %v\nwant %s", err, text)
	}

	var typed *durable.S3Error
	if err != nil && !errors.As(err, &typed) {
		t.Errorf("%T", err)
	}

	if strings.Contains(fmt.Sprintf("%+v", err), storetest.SecretKey) {
		t.Error("the error repeats a secret")
	}
}

var (
	ok       = answer{header: map[string]string{"ETag": `"x"`}}
	exists   = answer{status: 412, code: "PreconditionFailed"}
	conflict = answer{status: 409, code: "ConditionalRequestConflict"}
	slowDown = answer{status: 503, code: "SlowDown"}
	broken   = answer{status: 500, code: "InternalError"}
	noAnswer = answer{cut: true, header: map[string]string{"Content-Length": "100"}}
	notFound = answer{status: 404}
	portal   = answer{
		status: 200, body: "<html><body>Log in</body></html>",
		header: map[string]string{"Content-Type": "text/html"},
	}
	otherText = answer{body: "theirs"}
	ownText   = answer{body: "ours"}
	longText  = answer{body: "ours and more"}
)

func TestBucketStoreCreateAnswers(t *testing.T) {
	t.Parallel()

	const at = "create s3://evidence/audit/claim: "

	for name, test := range map[string]struct {
		answers  []answer
		want     error
		text     string
		requests int64
	}{
		"made":                  {[]answer{ok}, nil, "<nil>", 1},
		"exists":                {[]answer{exists, ownText}, durable.ErrExists, at + "the object exists already (PreconditionFailed, 412 Precondition Failed, request " + ownRequestID + ")", 1},
		"overloaded, then made": {[]answer{slowDown, ok}, nil, "<nil>", 2},
		"overloaded for ever":   {[]answer{slowDown}, nil, at + "the service is overloaded (SlowDown, 503 Service Unavailable, request " + ownRequestID + ", 3 attempts)", 3},
		"failed for ever":       {[]answer{broken}, nil, at + "the service failed (InternalError, 500 Internal Server Error, request " + ownRequestID + ", 3 attempts)", 3},
		"answer lost, ours":     {[]answer{noAnswer, exists, ownText}, nil, "<nil>", 3},
		"failed, ours":          {[]answer{broken, exists, ownText}, nil, "<nil>", 3},
		"answer lost, theirs": {
			[]answer{noAnswer, exists, otherText},
			durable.ErrExists,
			at + "the object exists already (PreconditionFailed, 412 Precondition Failed, request " + ownRequestID + ", 2 attempts)", 3,
		},
		"answer lost, longer": {
			[]answer{noAnswer, exists, longText},
			durable.ErrExists,
			at + "the object exists already (PreconditionFailed, 412 Precondition Failed, request " + ownRequestID + ", 2 attempts)", 3,
		},
		"answer lost, gone since": {
			[]answer{noAnswer, exists, {status: 404, code: "NoSuchKey"}},
			durable.ErrExists,
			at + "the object exists already (PreconditionFailed, 412 Precondition Failed, request " + ownRequestID + ", 2 attempts)", 3,
		},
		"answer lost, cannot look": {
			[]answer{noAnswer, exists, {status: 403, code: "AccessDenied"}},
			fs.ErrPermission,
			"read s3://evidence/audit/claim: access is denied, or there is no such object and listing is denied (AccessDenied, 403 Forbidden, request " + ownRequestID + ")", 3,
		},
		"conflict, then made": {[]answer{conflict, ok}, nil, "<nil>", 2},
		"conflict, then exists": {
			[]answer{conflict, exists, ownText},
			durable.ErrExists,
			at + "the object exists already (PreconditionFailed, 412 Precondition Failed, request " + ownRequestID + ", 2 attempts)", 2,
		},
		"conflict for ever, there": {[]answer{conflict, conflict, conflict, {status: 200}}, durable.ErrExists, at +
			"the object exists already (ConditionalRequestConflict, 409 Conflict, request " + ownRequestID + ", 3 attempts)", 4},
		"conflict for ever, absent": {
			[]answer{conflict, conflict, conflict, notFound},
			nil,
			at + "somebody else is writing the same object (ConditionalRequestConflict, 409 Conflict, request " + ownRequestID + ", 3 attempts)", 4,
		},
		"no conditions": {
			[]answer{{status: 501, code: "NotImplemented"}},
			durable.ErrNotConditional,
			at + "the service does not refuse to create what exists already (NotImplemented, 501 Not Implemented, request " + ownRequestID + ")", 1,
		},
		"no answer for ever": {[]answer{noAnswer}, io.EOF, at + "no answer: EOF (3 attempts)", 3},
		"portal":             {[]answer{portal}, nil, at + "the answer is not that of an S3 service", 1},
		"cut on its way":     {[]answer{{status: 400, code: "BadDigest"}}, nil, at + "the object was cut or changed on its way (BadDigest, 400 Bad Request, request " + ownRequestID + ")", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, requests := serve(t, durable.StoreOptions{}, test.answers...)
			err := s.Create(t.Context(), "claim", []byte("ours"))

			mustSay(t, err, test.want, test.text)

			if requests.Load() != test.requests {
				t.Errorf("%d requests, want %d", requests.Load(), test.requests)
			}
		})
	}
}

func TestBucketStoreErrors(t *testing.T) {
	t.Parallel()

	const (
		at  = "read s3://evidence/audit/a: "
		end = ", request " + ownRequestID + ")"
	)

	for name, test := range map[string]struct {
		answer answer
		want   error
		text   string
	}{
		"no such key": {
			answer{status: 404, code: "NoSuchKey"},
			fs.ErrNotExist,
			at + "there is no such object (NoSuchKey, 404 Not Found" + end,
		},
		"no such bucket": {
			answer{status: 404, code: "NoSuchBucket"},
			fs.ErrNotExist,
			at + "there is no such bucket (NoSuchBucket, 404 Not Found" + end,
		},
		"denied":       {answer{status: 403, code: "AccessDenied"}, fs.ErrPermission, at + "access is denied, or there is no such object and listing is denied (AccessDenied, 403 Forbidden" + end},
		"unknown key":  {answer{status: 403, code: "InvalidAccessKeyId"}, fs.ErrPermission, at + "the service does not know the access key (InvalidAccessKeyId, 403 Forbidden" + end},
		"wrong secret": {answer{status: 403, code: "SignatureDoesNotMatch"}, fs.ErrPermission, at + "the secret key does not belong to the access key (SignatureDoesNotMatch, 403 Forbidden" + end},
		"expired": {
			answer{status: 400, code: "ExpiredToken"},
			fs.ErrPermission,
			at + "the session token has expired (ExpiredToken, 400 Bad Request" + end,
		},
		"unauthorized": {
			answer{status: 401, code: "Whatever"},
			fs.ErrPermission,
			at + "the service refused the request (Whatever, 401 Unauthorized" + end,
		},
		"cold": {answer{status: 403, code: "InvalidObjectState"}, nil, at + "the object is in cold storage and has to be restored first (InvalidObjectState, 403 Forbidden" + end},
		"wrong region": {answer{
			status: 301, code: "PermanentRedirect",
			header: map[string]string{"x-amz-bucket-region": "eu-west-1"},
		}, nil, at + "the bucket is in region eu-west-1 (PermanentRedirect, 301 Moved Permanently" + end},
		"wrong signature": {answer{
			status: 400, code: "AuthorizationHeaderMalformed",
			header: map[string]string{"x-amz-bucket-region": "eu-west-1"},
		}, nil, at + "the bucket is in region eu-west-1 (AuthorizationHeaderMalformed, 400 Bad Request" + end},
		"redirect": {answer{
			status: 307, code: "TemporaryRedirect",
			header: map[string]string{"Location": "http://127.0.0.1:1/"},
		}, nil, at + "the service is elsewhere; check the endpoint and the region (TemporaryRedirect, 307 Temporary Redirect" + end},
		"hostile region": {answer{
			status: 301, code: "PermanentRedirect",
			header: map[string]string{"x-amz-bucket-region": "a b\tc"},
		}, nil, at + "the service is elsewhere; check the endpoint and the region (PermanentRedirect, 301 Moved Permanently" + end},
		"hostile code": {
			answer{status: 400, code: "Line one two " + storetest.SecretKey},
			nil,
			at + "the service refused the request (400 Bad Request" + end,
		},
		"overloaded": {slowDown, nil, at + "the service is overloaded (SlowDown, 503 Service Unavailable, request " + ownRequestID + ", 3 attempts)"},
		"failed":     {broken, nil, at + "the service failed (InternalError, 500 Internal Server Error, request " + ownRequestID + ", 3 attempts)"},
		"cut": {
			answer{body: "ab", cut: true, header: map[string]string{"Content-Length": "9"}},
			io.ErrUnexpectedEOF, at + "the answer was cut: unexpected EOF (3 attempts)",
		},
		"too large": {answer{body: "more than ten bytes"}, durable.ErrTooLarge, at + "the object is too large"},
		"no length": {answer{
			body:   strings.Repeat("x", 10_000),
			header: map[string]string{"Transfer-Encoding": "chunked"},
		}, nil, at + "the answer is not that of an S3 service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, _ := serve(t, durable.StoreOptions{}, test.answer)
			_, err := s.Read(t.Context(), "a", 10)
			mustSay(t, err, test.want, test.text)
		})
	}
}

// An error that is not S3's own says nothing about objects: a wrong endpoint must
// not make an archive look as if it had yet to be begun.
func TestBucketStoreForeignNotFound(t *testing.T) {
	t.Parallel()

	for name, a := range map[string]answer{
		"page": {status: 404, body: "<html><body>Not Found</body></html>"}, "text": {status: 404, body: "404 page not found"},
		"nothing": {status: 404}, "code": {status: 404, code: "NotFound"},
	} {
		s, _ := serve(t, durable.StoreOptions{}, a)

		_, err := s.Read(t.Context(), "a", 10)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("read, %s: got %v", name, err)
		}

		for _, err := range s.List(t.Context(), "") {
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("list, %s: got %v", name, err)
			}
		}

		if err := s.Delete(t.Context(), "a"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("delete, %s: got %v", name, err)
		}
	}
}

func TestBucketStoreReadRepeatsWhatWasCut(t *testing.T) {
	t.Parallel()

	cut := answer{body: "ab", cut: true, header: map[string]string{"Content-Length": "4"}}
	s, requests := serve(t, durable.StoreOptions{MaxRetries: 3}, cut, slowDown, cut, answer{body: "abcd"})

	got, err := s.Read(t.Context(), "a", 10)
	if string(got) != "abcd" || err != nil || requests.Load() != 4 {
		t.Errorf("got %q, %v after %d requests", got, err, requests.Load())
	}
}

// A machine whose clock is wrong signs by that of the service.
func TestBucketStoreFollowsTheClockOfTheService(t *testing.T) {
	t.Parallel()

	var signed []time.Time

	const ahead = 3 * time.Hour

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
		}

		signed = append(signed, at)

		a := ok
		if len(signed) == 1 {
			a = answer{
				status: 403, code: "RequestTimeTooSkewed",
				header: map[string]string{"Date": at.Add(ahead).Format(http.TimeFormat)},
			}
		}

		a.write(w, r)
	}))
	t.Cleanup(server.Close)

	var keys *storetest.S3

	s, err := durable.OpenStore(t.Context(), "s3://evidence/audit?region=test-1&endpoint="+server.URL,
		durable.StoreOptions{LookupEnv: keys.LookupEnv, RetryWaitMax: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}

	if err := s.Replace(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}

	if by := signed[len(signed)-1].Sub(signed[0]); len(signed) != 2 || by < ahead-time.Minute {
		t.Errorf("%d requests, the last signed for %v later", len(signed), by)
	}
}

// TestBucketStoreNoObjectWhereNoneWasAskedFor: an endpoint that has the bucket in its
// path takes a listing for an object of the bucket's name.
func TestBucketStoreNoObjectWhereNoneWasAskedFor(t *testing.T) {
	t.Parallel()

	const text = "the address does not answer as a bucket; check the endpoint, which is the root of the service without the bucket (NoSuchKey, 404 Not Found, request " + ownRequestID + ")"

	s, _ := serve(t, durable.StoreOptions{}, answer{status: 404, code: "NoSuchKey"})

	failures := map[string]error{
		"create s3://evidence/audit/a: ":  s.Create(t.Context(), "a", nil),
		"replace s3://evidence/audit/a: ": s.Replace(t.Context(), "a", nil),
	}

	for _, err := range s.List(t.Context(), "") {
		failures["list s3://evidence/audit/: "] = err
	}

	for at, err := range failures {
		mustSay(t, err, nil, at+text)

		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is taken for a missing object", err)
		}
	}
}

// inMemory answers without a connection, so that a test can have a clock of its own.
type inMemory func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f inMemory) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestBucketStoreTellsWhatADeadlineWaitedFor: and counts how long it has waited.
func TestBucketStoreTellsWhatADeadlineWaitedFor(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		status  int
		hang    bool
		timeout time.Duration
		text    string
	}{
		"slow down":                   {503, false, time.Minute, "the time ran out while it was to be tried again; before, the service is overloaded (SlowDown, 503 Service Unavailable, "},
		"no answer":                   {0, true, time.Minute, "the time ran out before an answer had come"},
		"attempts that take too long": {0, true, 7 * time.Second, "the time ran out while it was to be tried again; before, no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				var keys *storetest.S3

				s, err := durable.OpenStore(t.Context(), "s3://evidence/audit?region=test-1&endpoint=http://127.0.0.1:1",
					durable.StoreOptions{
						LookupEnv: keys.LookupEnv, MaxRetries: 50, RetryWaitMax: 3 * time.Second, Timeout: test.timeout,
						Transport: inMemory(func(r *http.Request) (*http.Response, error) {
							if test.hang {
								<-r.Context().Done()

								return nil, r.Context().Err()
							}

							body := "<Error><Code>SlowDown</Code></Error>"

							return &http.Response{
								StatusCode: test.status, Header: http.Header{"Content-Type": {"application/xml"}},
								Body: io.NopCloser(strings.NewReader(body)), Request: r,
							}, nil
						}),
					})
				if err != nil {
					t.Fatal(err)
				}

				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()

				ctx, tally := retries.Watch(ctx)

				_, err = s.Read(ctx, "a", 10)

				failed := (*durable.S3Error)(nil)
				if !errors.As(err, &failed) || !failed.Ended || !errors.Is(err, context.DeadlineExceeded) ||
					!strings.Contains(err.Error(), test.text) {
					t.Fatalf("\n got %v\nwant %s", err, test.text)
				}

				if w := tally.Waits(); test.status != 0 &&
					(w.Count != failed.Attempts-1 || w.Total <= 0 || w.Reason != "503 Service Unavailable") {
					t.Errorf("%d attempts, and %+v", failed.Attempts, w)
				}
			})
		})
	}
}

func TestBucketStoreTimeout(t *testing.T) {
	t.Parallel()

	hang := answer{hang: true}
	s, requests := serve(t, durable.StoreOptions{Timeout: time.Second}, hang)

	err := s.Create(t.Context(), "a", nil)
	mustSay(t, err, context.DeadlineExceeded, "create s3://evidence/audit/a: no answer in time (3 attempts)")

	if requests.Load() != 3 {
		t.Errorf("%d requests", requests.Load())
	}

	s, requests = serve(t, durable.StoreOptions{MaxRetries: -1}, hang)

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()

	mustSay(t, s.Delete(ctx, "a"), context.DeadlineExceeded, "delete s3://evidence/audit/a: the time ran out before an answer had come")

	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestBucketStoreNobodyListens(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()

	_, keys := storetest.NewS3(t)

	s, err := durable.OpenStore(t.Context(), "s3://evidence?region=test-1&endpoint="+url, keys.Options())
	if err != nil {
		t.Fatal(err)
	}

	err = s.Replace(t.Context(), "a", nil)
	if want := "replace s3://evidence/a: no answer: dial tcp " + strings.TrimPrefix(url, "http://"); err == nil ||
		!strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// A listing that is not whole must never pass for one.
func TestBucketStoreListings(t *testing.T) {
	t.Parallel()

	page := func(inner string) answer {
		return answer{
			header: map[string]string{"Content-Type": "application/xml"},
			body:   `<ListBucketResult><Name>evidence</Name><Prefix>audit/</Prefix>` + inner + `</ListBucketResult>`,
		}
	}
	object := func(key string) string { return "<Contents><Key>" + key + "</Key><Size>3</Size></Contents>" }

	const (
		last  = "<IsTruncated>false</IsTruncated>"
		more  = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
		notS3 = "list s3://evidence/audit/: the answer is not that of an S3 service"
		order = "list s3://evidence/audit/: the listing is not in the order of keys"
	)

	for name, test := range map[string]struct {
		answers []answer
		want    []durable.Object
		text    string
	}{
		"empty":     {[]answer{page(last + "<KeyCount>0</KeyCount>")}, nil, ""},
		"no counts": {[]answer{page(last + object("audit/a"))}, []durable.Object{{Key: "a", Size: 3}}, ""},
		"two pages": {
			[]answer{page(more + object("audit/a")), page(last + object("audit/b"))},
			[]durable.Object{{Key: "a", Size: 3}, {Key: "b", Size: 3}},
			"",
		},
		"foreign": {
			[]answer{page(last + "<Contents><Key>audit/</Key><Size>0</Size></Contents>" +
				object("audit/..") + object("audit/.audit-part-ABCDEFGHIJKLMNOP") +
				object("audit/a//b") + object("audit/directory/") + object("audit/x/.audit-part-ABCDEFGHIJKLMNOP"))},
			[]durable.Object{
				{Key: "..", Irregular: true},
				{Key: ".audit-part-ABCDEFGHIJKLMNOP", Size: 3, Temporary: true},
				{Key: "a//b", Irregular: true},
				{Key: "directory/", Irregular: true},
				{Key: "x/.audit-part-ABCDEFGHIJKLMNOP", Irregular: true},
			},
			"",
		},
		"portal":    {[]answer{portal}, nil, notS3},
		"other XML": {[]answer{{body: "<welcome/>"}}, nil, notS3},
		"nothing":   {[]answer{{}}, nil, notS3},
		"cut XML":   {[]answer{{body: "<ListBucketResult><Name>evidence</Name><IsTruncated>false</IsTruncated><Contents><Key>aud"}}, nil, notS3 + " (200 OK, request " + ownRequestID + ")"},
		"no name": {
			[]answer{{body: "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"}},
			nil,
			notS3,
		},
		"no end":      {[]answer{page(object("audit/a"))}, nil, notS3},
		"wrong count": {[]answer{page(last + "<KeyCount>2</KeyCount>" + object("audit/a"))}, nil, notS3},
		"no token":    {[]answer{page("<IsTruncated>true</IsTruncated>" + object("audit/a"))}, nil, notS3},
		"same token": {
			[]answer{page(more + object("audit/a")), page(more + object("audit/b"))},
			[]durable.Object{{Key: "a", Size: 3}},
			notS3,
		},
		"repeated key": {
			[]answer{page(more + object("audit/a")), page(last + object("audit/a"))},
			[]durable.Object{{Key: "a", Size: 3}},
			order,
		},
		"out of order": {
			[]answer{page(last + object("audit/b") + object("audit/a"))},
			[]durable.Object{{Key: "b", Size: 3}},
			order,
		},
		"beside the prefix": {[]answer{page(last + object("other/a"))}, nil, order},
		"second page denied": {
			[]answer{page(more + object("audit/a")), {status: 403, code: "AccessDenied"}},
			[]durable.Object{{Key: "a", Size: 3}},
			"list s3://evidence/audit/: access is denied (AccessDenied, 403 Forbidden, request " + ownRequestID + ")",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, _ := serve(t, durable.StoreOptions{MaxRetries: -1}, test.answers...)

			var (
				got  []durable.Object
				last error
			)

			for o, err := range s.List(t.Context(), "") {
				if last != nil {
					t.Fatal("something comes after the error")
				}

				if last = err; err == nil {
					got = append(got, o)
				}
			}

			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}

			if test.text != "" || last != nil {
				mustSay(t, last, nil, test.text)
			}
		})
	}
}

// What the requests look like: one part, the condition, both sums, no other form
// of checksum, the bucket in the path.
func TestBucketStoreRequests(t *testing.T) {
	t.Parallel()

	destination, server := storetest.NewS3(t)
	s := server.Open(t, destination)
	data := bytes.Repeat([]byte("0123456789"), 1<<20)

	if err := errors.Join(s.Create(t.Context(), "a", data), s.Replace(t.Context(), "a", data)); err != nil {
		t.Fatal(err)
	}

	requests := server.Requests()
	if len(requests) != 2 {
		t.Fatalf("%d requests", len(requests))
	}

	var (
		md = md5.Sum(data)
		sh = sha256.Sum256(data)
	)

	for i, r := range requests {
		got := map[string]string{"request": r.Method + " " + r.Key, "bytes": strconv.FormatInt(r.Bytes, 10)}
		for _, name := range []string{
			"Content-MD5", "X-Amz-Content-Sha256", "If-None-Match", "Content-Encoding",
			"X-Amz-Trailer", "X-Amz-Sdk-Checksum-Algorithm",
		} {
			got[name] = r.Header.Get(name)
		}

		want := map[string]string{
			"request": "PUT audit/a", "bytes": strconv.Itoa(len(data)), "Content-MD5": base64.StdEncoding.EncodeToString(md[:]),
			"X-Amz-Content-Sha256": hex.EncodeToString(sh[:]), "If-None-Match": "*",
			"Content-Encoding": "", "X-Amz-Trailer": "", "X-Amz-Sdk-Checksum-Algorithm": "",
		}
		if i == 1 {
			want["If-None-Match"] = ""
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request %d (-want +got):\n%s", i, diff)
		}
	}
}

// A server compares the object with its sum.
func TestBucketStoreCutUpload(t *testing.T) {
	t.Parallel()

	destination, server := storetest.NewS3(t)
	server.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("X"), io.LimitReader(r.Body, 3)))

		return false
	})

	s := server.Open(t, destination)

	err := s.Create(t.Context(), "a", []byte("text"))
	if err == nil || !strings.HasPrefix(err.Error(), "create s3://evidence/audit/a: the object was cut or changed on its way (BadDigest, 400 Bad Request, request ") {
		t.Errorf("got %v", err)
	}

	server.Intercept(nil)
	wantObjects(t, s)
}

// The answer is lost after the object was made.
func TestBucketStoreLostAnswer(t *testing.T) {
	t.Parallel()

	destination, server := storetest.NewS3(t)
	s := server.Open(t, destination)

	var n atomic.Int64

	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && r.Method == http.MethodPut && n.Add(1) == 1 {
			_ = response.Body.Close()

			return nil, io.ErrUnexpectedEOF
		}

		return response, err
	})

	o := server.Options()
	o.Transport = transport

	flaky, err := durable.OpenStore(t.Context(), destination, o)
	if err != nil {
		t.Fatal(err)
	}

	if err := flaky.Create(t.Context(), "a", []byte("ours")); err != nil {
		t.Errorf("the first: %v", err)
	}

	if err := s.Create(t.Context(), "b", []byte("theirs")); err != nil {
		t.Fatal(err)
	}

	n.Store(0)

	if err := flaky.Create(t.Context(), "b", []byte("ours")); !errors.Is(err, durable.ErrExists) {
		t.Errorf("another's: %v", err)
	}

	if err := flaky.Create(t.Context(), "a", []byte("ours")); !errors.Is(err, durable.ErrExists) {
		t.Errorf("a second one of ours: %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestInsist(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		change func(w http.ResponseWriter, r *http.Request) bool
		want   error
	}{
		"condition ignored": {func(_ http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("If-None-Match")

			return false
		}, durable.ErrNotConditional},
		"condition refused": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("If-None-Match") != "" {
				answer{status: 501, code: "NotImplemented"}.write(w, r)
			}

			return r.Header.Get("If-None-Match") != ""
		}, durable.ErrNotConditional},
		"denied": {func(w http.ResponseWriter, r *http.Request) bool {
			answer{status: 403, code: "AccessDenied"}.write(w, r)

			return true
		}, fs.ErrPermission},
		"honoured": {func(http.ResponseWriter, *http.Request) bool { return false }, nil},
	} {
		destination, server := storetest.NewS3(t)
		s := server.Open(t, destination)

		if err := s.Replace(t.Context(), "a/b", []byte("text")); err != nil {
			t.Fatal(err)
		}

		server.Intercept(c.change)

		if err := durable.Insist(t.Context(), s, "a/b", []byte("text")); !errors.Is(err, c.want) || c.want == nil &&
			err != nil {
			t.Errorf("%s: %v", name, err)
		}

		server.Intercept(func(http.ResponseWriter, *http.Request) bool { return false })

		if got, err := s.Read(t.Context(), "a/b", 100); err != nil || string(got) != "text" {
			t.Errorf("%s: the object is %q, %v", name, got, err)
		}
	}
}

//nolint:paralleltest // It sets the process's environment.
func TestOpenStoreEnvironment(t *testing.T) {
	destination, server := storetest.NewS3(t)
	bare, _, _ := strings.Cut(destination, "&region=")

	forget := func(t *testing.T) {
		t.Helper()

		for _, v := range os.Environ() {
			if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
				t.Setenv(name, "")
			}
		}

		none := filepath.Join(t.TempDir(), "none")
		t.Setenv("AWS_CONFIG_FILE", none)
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	}

	use := func(t *testing.T, destination string, o durable.StoreOptions) error {
		t.Helper()

		s, err := durable.OpenStore(t.Context(), destination, o)
		if err != nil {
			return err
		}

		return s.Replace(t.Context(), "a", []byte("text"))
	}

	t.Run("process", func(t *testing.T) {
		forget(t)
		t.Setenv("AWS_REGION", "test-1")

		for name, value := range server.Environment() {
			t.Setenv(name, value)
		}

		if err := use(t, bare, durable.StoreOptions{}); err != nil {
			t.Error(err)
		}
	})

	t.Run("endpoint", func(t *testing.T) {
		forget(t)
		// A name, since an address has the bucket in the path anyway.
		t.Setenv("AWS_ENDPOINT_URL_S3", strings.Replace(server.URL, "127.0.0.1", "localhost", 1))

		if err := use(t, "s3://evidence/a?region=test-1", server.Options()); err != nil {
			t.Error(err)
		}

		t.Setenv("AWS_ENDPOINT_URL_S3", "http://objects.example.com")

		var typed *durable.DestinationError
		if err := use(t, "s3://evidence/a?region=test-1", server.Options()); !errors.As(err, &typed) ||
			typed.Part != "endpoint" {
			t.Errorf("in the clear: %v", err)
		}
	})

	t.Run("profile", func(t *testing.T) {
		forget(t)

		path := filepath.Join(t.TempDir(), "credentials")
		env := server.Environment()
		text := fmt.Sprintf("[audit]\nregion = test-1\naws_access_key_id = %s\naws_secret_access_key = %s\n",
			env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])

		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		env = map[string]string{"AWS_PROFILE": "audit", "AWS_SHARED_CREDENTIALS_FILE": path}
		lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }

		if err := use(t, bare, durable.StoreOptions{LookupEnv: lookup}); err != nil {
			t.Error(err)
		}

		env["AWS_PROFILE"] = "missing"

		if err := use(t, bare, durable.StoreOptions{LookupEnv: lookup}); err == nil ||
			!strings.HasPrefix(err.Error(), "read the AWS configuration: ") {
			t.Errorf("missing profile: %v", err)
		}
	})

	t.Run("no region", func(t *testing.T) {
		forget(t)

		var typed *durable.DestinationError

		err := use(t, bare, server.Options())
		if !errors.As(err, &typed) || typed.Part != "region" {
			t.Errorf("got %v", err)
		}
	})

	t.Run("no credentials", func(t *testing.T) {
		forget(t)

		before := len(server.Requests())
		err := use(t, destination, durable.StoreOptions{})

		var typed *durable.CredentialsError
		if !errors.As(err, &typed) || !strings.HasPrefix(err.Error(), "replace s3://evidence/audit/a: no AWS credentials: ") {
			t.Errorf("got %v", err)
		}

		if len(server.Requests()) != before {
			t.Error("a request was sent")
		}
	})
}

func TestProxyPasswordIsHeldForBuckets(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://puser:BucketProxyPw9@127.0.0.1:1")

	var keys *storetest.S3

	s, err := durable.OpenStore(t.Context(), "s3://evidence/audit?region=test-1&endpoint=http://127.0.0.1:1",
		durable.StoreOptions{
			LookupEnv: keys.LookupEnv, RetryWaitMax: time.Millisecond,
			Transport: inMemory(func(*http.Request) (*http.Response, error) {
				return nil,
					errors.New("no puser:BucketProxyPw9")
			}),
		})
	if err != nil {
		t.Fatal(err)
	}

	err = s.Create(t.Context(), "a", []byte("ours"))
	if err == nil || !strings.Contains(screen.Text(err.Error()), "no (secret)") {
		t.Errorf("%v", err)
	}
}

// TestEndlessAnswersEnd has a server go on for ever with a page of a listing, a key in it, or an error. It neither
// fills the memory nor takes until the time runs out.
func TestEndlessAnswersEnd(t *testing.T) {
	t.Parallel()

	const (
		page = `<ListBucketResult><Name>evidence</Name><IsTruncated>false</IsTruncated><Contents><Key>audit/`
		key  = `a</Key></Contents><Contents><Key>audit/`
	)

	for name, begin := range map[string]struct {
		status      int
		first, rest string
	}{
		"a page":   {http.StatusOK, page, strings.Repeat(key, 1<<10)},
		"a key":    {http.StatusOK, page, strings.Repeat("a", 1<<16)},
		"an error": {http.StatusForbidden, "<Error><Code>AccessDenied</Code><Message>", strings.Repeat("a", 1<<16)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var sent atomic.Int64

			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(begin.status)

				_, err := io.WriteString(w, begin.first)
				for err == nil && sent.Load() < 1<<30 {
					var n int
					n, err = io.WriteString(w, begin.rest)
					sent.Add(int64(n))
				}
			}))
			t.Cleanup(server.Close)

			var keys *storetest.S3

			s, err := durable.OpenStore(t.Context(), "s3://evidence/audit?region=test-1&endpoint="+server.URL,
				durable.StoreOptions{LookupEnv: keys.LookupEnv, MaxRetries: -1})
			if err != nil {
				t.Fatal(err)
			}

			for _, err := range s.List(t.Context(), "") {
				if err == nil {
					t.Error("it was read as if it had ended")
				}
			}

			if most := int64(64 << 20); sent.Load() > most {
				t.Errorf("%d bytes were taken", sent.Load())
			}
		})
	}
}
