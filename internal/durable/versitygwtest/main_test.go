// SPDX-License-Identifier: MPL-2.0

// Package versitygwtest holds stores and archives against Versity S3 Gateway, a server
// for object storage that shares no code with us and keeps objects as files.
package versitygwtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

const (
	accessKey = "AKIDVERSITYGWTEST"
	secretKey = "versitygwtest-secret-key"
	region    = "test-1"
)

// endpoint is where the server listens. A process can have one only.
var endpoint string

// envEndpoint is set in the processes that are killed: they use the server of the test.
const envEndpoint = "VERSITYGWTEST_ENDPOINT"

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		code = 1
	}

	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if endpoint = os.Getenv(envEndpoint); endpoint != "" {
		return m.Run(), nil
	}

	root, err := os.MkdirTemp("", "versitygw-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(root)

	storage, err := newStorage(root)
	if err != nil {
		return 1, err
	}

	// Nobody tells which port the server took, so it is told one that was free.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1, err
	}

	address := free.Addr().String()
	endpoint = "http://" + address

	if err := free.Close(); err != nil {
		return 1, err
	}

	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)

	go func() {
		stopped <- embedgw.RunVersityGW(ctx, storage, &embedgw.Config{
			RootUserAccess: accessKey, RootUserSecret: secretKey, Region: region, Ports: []string{address},
			MaxConnections: 20_000, MaxRequests: 2000, MultipartMaxParts: 10_000, Quiet: true, KeepAlive: true,
			HealthPath: "/health",
		})
	}()

	if err := ready(stopped); err != nil {
		stop()

		return 1, err
	}

	defer stop() // It would wait for connections that are kept alive.

	return m.Run(), nil
}

// newStorage keeps objects in files below a directory, and what belongs to them in their
// extended attributes or, where there are none, in files beside them.
func newStorage(root string) (*posix.Posix, error) {
	directory := func(name string) string { return filepath.Join(root, name) }
	for _, name := range []string{"buckets", "versions", "attributes"} {
		if err := os.Mkdir(directory(name), 0o700); err != nil {
			return nil, err
		}
	}

	o := posix.PosixOpts{VersioningDir: directory("versions"), Concurrency: 1000, CopyObjectThreshold: 5 << 30}

	var attributes meta.MetadataStorer = meta.XattrMeta{}
	if err := (meta.XattrMeta{}).Test(root); err != nil {
		fmt.Println("No extended attributes in", root+": they are kept in files.")

		if attributes, err = meta.NewSideCar(directory("attributes")); err != nil {
			return nil, err
		}

		o.SideCarDir = directory("attributes")
	}

	return posix.New(directory("buckets"), attributes, o)
}

// ready waits until the server answers.
func ready(stopped <-chan error) error {
	for range 1000 {
		select {
		case err := <-stopped:
			return errors.Join(errors.New("the server stopped"), err)
		case <-time.After(10 * time.Millisecond):
		}

		answer, err := http.Get(endpoint + "/health")
		if err != nil {
			continue
		}

		if err := answer.Body.Close(); err != nil || answer.StatusCode == http.StatusOK {
			return err
		}
	}

	return errors.New("the server does not answer")
}

// newClient speaks to the server without any of our code.
func newClient() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint), Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

var buckets atomic.Int64

// newBucket makes a bucket and returns its name.
func newBucket(t *testing.T, change func(*s3.CreateBucketInput)) string {
	t.Helper()

	name := fmt.Sprintf("evidence-%d", buckets.Add(1))

	in := &s3.CreateBucketInput{Bucket: aws.String(name)}
	if change != nil {
		change(in)
	}

	if _, err := newClient().CreateBucket(t.Context(), in); err != nil {
		t.Fatal(err)
	}

	return name
}

func destination(bucket string) string {
	return "s3://" + bucket + "/audit?endpoint=" + endpoint + "&region=" + region
}

func environment(name string) (string, bool) {
	v, ok := map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey}[name]

	return v, ok
}

// open returns the store in a bucket.
func open(t *testing.T, bucket string, transport http.RoundTripper) durable.Store {
	t.Helper()

	s, err := durable.OpenStore(t.Context(), destination(bucket), durable.StoreOptions{
		LookupEnv: environment, Transport: transport, RetryWaitMax: 10 * time.Millisecond, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}

	return s
}
