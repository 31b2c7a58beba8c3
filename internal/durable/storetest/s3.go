// SPDX-License-Identifier: MPL-2.0

package storetest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

const (
	accessKey = "AKIDSTORETEST"
	// SecretKey is the fake credential; it must never be seen in an error.
	SecretKey = "storetest-secret-key"

	bucket = "evidence"
	region = "test-1"
)

// S3 is object storage that ends with the test. It serves the bucket "evidence",
// knows one access key and never checks signatures.
type S3 struct {
	// URL is the endpoint.
	URL string
	// Bucket is the one that exists.
	Bucket string

	mu        sync.Mutex
	requests  []Request
	intercept func(http.ResponseWriter, *http.Request) bool
}

// Request is one that the service got.
type Request struct {
	Method string
	// Key is the object's name in the bucket, "" for a listing.
	Key    string
	Header http.Header
	// Bytes is the length of the body sent.
	Bytes int64
}

// NewS3 starts object storage and returns the address of a store in it, and what
// serves it: the environment and the options that make the store usable.
func NewS3(tb testing.TB) (destination string, s *S3) {
	tb.Helper()

	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		tb.Fatal(err)
	}

	s = &S3{Bucket: bucket}
	fake := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+bucket), "/")

		s.mu.Lock()
		s.requests = append(s.requests, Request{r.Method, key, r.Header.Clone(), max(r.ContentLength, 0)})
		intercept := s.intercept
		s.mu.Unlock()

		switch {
		case intercept != nil && intercept(w, r):
		case !strings.Contains(r.Header.Get("Authorization"), "Credential="+accessKey+"/"):
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code></Error>"))
		default:
			fake.ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(server.Close)

	s.URL = server.URL

	destination = s.Destination("audit")

	return destination, s
}

// Destination is the address of another store in the same bucket.
func (s *S3) Destination(prefix string) string {
	return "s3://" + bucket + "/" + prefix + "?endpoint=" + s.URL + "&region=" + region
}

// Environment is what gives access.
func (*S3) Environment() map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": SecretKey}
}

// LookupEnv looks into Environment.
func (s *S3) LookupEnv(name string) (string, bool) {
	v, ok := s.Environment()[name]

	return v, ok
}

// Options give access and retry without much waiting.
func (s *S3) Options() durable.StoreOptions {
	return durable.StoreOptions{LookupEnv: s.LookupEnv, RetryWaitMax: time.Millisecond, Timeout: time.Minute}
}

// Open returns the store at a destination of this service.
func (s *S3) Open(tb testing.TB, destination string) durable.Store {
	tb.Helper()

	store, err := durable.OpenStore(tb.Context(), destination, s.Options())
	if err != nil {
		tb.Fatal(err)
	}

	return store
}

// Intercept is asked about every request from now on; when it returns true it has
// answered. Nil ends it.
func (s *S3) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.intercept = f
}

// Requests returns those received so far.
func (s *S3) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()

	return append([]Request(nil), s.requests...)
}
