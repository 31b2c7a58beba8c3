// SPDX-License-Identifier: MPL-2.0

//nolint:wrapcheck // bucketStore.fail says what the SDK's errors amount to.
package durable

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // S3 defines Content-MD5; it guards against accidents, not against forgers.
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	smithytime "github.com/aws/smithy-go/time"

	"github.com/auditlogs/terraform-provider-audit/internal/retries"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// bucketStore keeps objects in a bucket of Amazon S3 or of a service that speaks
// its protocol.
//
// An object is always one request: not every server honours "If-None-Match" on an
// upload in parts, and a cancelled one would leave parts that cost money. The
// request carries the MD5 and, in its signature, the SHA-256 of the bytes, so a
// server refuses an object that was cut or changed on its way. The SDK's own
// checksums are off: they travel in a form that older servers cannot read.
//
// A captive portal or a wrong endpoint answers "200 OK" to anything. Answers
// that lack what S3 always says are errors.
type bucketStore struct {
	client  *s3.Client
	retryer aws.Retryer
	retries int
	at      Destination
	prefix  string // "" or ending in a slash
	lock    *ObjectLock
}

func newBucketStore(ctx context.Context, d Destination, o StoreOptions) (Store, error) {
	screen.Proxies()

	cfg, err := o.awsConfig(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}

	if cfg.Region == "" {
		return nil, &DestinationError{
			"region", "an address without a region, and neither AWS_REGION nor the AWS profile gives one; add \"region=…\"",
		}
	}

	client := s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.HTTPClient = o.httpClient(cfg)
		so.Retryer = aws.NopRetryer{} // try repeats requests
		so.RetryMaxAttempts = 0       // else AWS_MAX_ATTEMPTS wins over the retryer
		so.Logger = logging.Nop{}
		so.ClientLogMode = 0
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		so.DisableLogOutputChecksumValidationSkipped = true

		if d.Endpoint != "" {
			so.BaseEndpoint = aws.String(d.Endpoint)
		}

		so.UsePathStyle = d.PathStyle || (!d.pathStyleGiven && so.BaseEndpoint != nil)
	})

	// The environment may have given it.
	if endpoint := aws.ToString(client.Options().BaseEndpoint); endpoint != "" {
		if err := checkEndpoint(endpoint); err != nil {
			return nil, err
		}
	}

	s := &bucketStore{client: client, retryer: o.retryer(), retries: o.MaxRetries, at: d, lock: o.ObjectLock}
	if d.Prefix != "" {
		s.prefix = d.Prefix + "/"
	}

	return s, nil
}

// awsConfig follows the usual chain of environment, profile and machine role.
func (o StoreOptions) awsConfig(ctx context.Context, d Destination) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}), func(load *config.LoadOptions) error {
		o.load(load)

		load.Region = cmp.Or(d.Region, load.Region)

		return nil
	})
	if err != nil {
		return aws.Config{}, err
	}

	if cfg.Credentials != nil {
		cfg.Credentials = &namedCredentials{cfg.Credentials}
	}

	return cfg, nil
}

// load takes over what LookupEnv knows. For the rest the SDK reads the process's
// environment.
func (o StoreOptions) load(load *config.LoadOptions) {
	first := func(names ...string) string {
		for _, name := range names {
			if o.LookupEnv == nil {
				break
			}

			if v, ok := o.LookupEnv(name); ok && v != "" {
				return v
			}
		}

		return ""
	}

	load.Region = first("AWS_REGION", "AWS_DEFAULT_REGION")
	load.SharedConfigProfile = first("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	load.BaseEndpoint = first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")

	if file := first("AWS_CONFIG_FILE"); file != "" {
		load.SharedConfigFiles = []string{file}
	}

	if file := first("AWS_SHARED_CREDENTIALS_FILE"); file != "" {
		load.SharedCredentialsFiles = []string{file}
	}

	if id, secret := first("AWS_ACCESS_KEY_ID"), first("AWS_SECRET_ACCESS_KEY"); id != "" && secret != "" {
		load.Credentials = credentials.NewStaticCredentialsProvider(id, secret, first("AWS_SESSION_TOKEN"))
	}
}

// CredentialsError says that no credentials could be found.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string { return "no AWS credentials: " + e.Err.Error() }

// Unwrap returns the AWS SDK's error.
func (e *CredentialsError) Unwrap() error { return e.Err }

// namedCredentials gives the lack of credentials a type.
type namedCredentials struct{ aws.CredentialsProvider }

func (c *namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	v, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = &CredentialsError{err}
	}

	// They may come from a profile or a machine's role, too.
	screen.Secret(v.SecretAccessKey, v.SessionToken)

	return v, err
}

// httpClient never follows a redirect: a signed request is for one host.
func (o StoreOptions) httpClient(cfg aws.Config) *http.Client {
	transport := o.Transport
	if transport == nil {
		// The configuration's has the certificates of AWS_CA_BUNDLE.
		buildable, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
		if !ok {
			buildable = awshttp.NewBuildableClient()
		}

		t := buildable.GetTransport()
		t.DialContext = buildable.GetDialer().DialContext
		transport = t
	}

	return &http.Client{
		Transport:     bounded{transport},
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// longestAnswer bounds answers that are no object: a page of a listing has a thousand keys, of which each byte can take
// six.
const longestAnswer = 16 << 20

// bounded ends answers that never end. The SDK holds all of them in memory but for objects, whose length bucketStore
// looks at before it reads them.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}

	isObject := r.Method == http.MethodGet && answer.StatusCode == http.StatusOK && !r.URL.Query().Has("list-type")
	if !isObject {
		answer.Body = http.MaxBytesReader(nil, answer.Body, longestAnswer)
	}

	return answer, nil
}

// retryer says what is worth repeating, and when.
func (o StoreOptions) retryer() aws.Retryer {
	standard := retry.NewStandard(func(so *retry.StandardOptions) {
		so.Backoff = retry.NewExponentialJitterBackoff(o.RetryWaitMax)
	})

	// S3 asks to repeat an upload that met another one under way.
	return retry.AddWithErrorCodes(standard, codeConflict, codeAborted)
}

func (s *bucketStore) String() string { return s.at.String() }

// enter makes sure that there is something to do, and returns the object's name in
// the bucket.
func (s *bucketStore) enter(ctx context.Context, op, key string) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}

	if len(s.prefix)+len(key) > longestKey {
		return "", &keyError{key, "is too long together with the prefix"}
	}

	if err := ctx.Err(); err != nil {
		return "", s.ended(op, s.prefix+key, 0, nil, err)
	}

	return s.prefix + key, nil
}

// try makes a request until it succeeds, as often as it is worth while. It counts the
// waits in between. The error is an *S3Error.
func (s *bucketStore) try(ctx context.Context, op, name string, request func() error) error {
	var (
		last   *S3Error
		unsure bool
	)

	for n := 1; ; n++ {
		err := request()

		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, errCut):
			return s.ended(op, name, n, last, err)
		}

		last = s.fail(op, name, n, err)
		last.unsure = unsure

		// The SDK knows nothing of bodies that broke after the answer had begun.
		cut := errors.Is(err, errCut) && ctx.Err() == nil
		if n > s.retries || !cut && !s.retryer.IsErrorRetryable(err) {
			return last
		}

		delay, err := s.retryer.RetryDelay(n, err)
		if err != nil {
			return last
		}

		if err := smithytime.SleepWithContext(ctx, delay); err != nil {
			return s.ended(op, name, n, last, err)
		}

		retries.Waited(ctx, delay, last.reason())

		unsure = unsure || last.Status < http.StatusBadRequest || last.Status >= http.StatusInternalServerError
	}
}

func (s *bucketStore) Create(ctx context.Context, key string, data []byte) error {
	err := s.put(ctx, "create", key, data)

	failed, ok := errors.AsType[*S3Error](err)
	if !ok {
		return err
	}

	switch {
	case failed.Status == http.StatusPreconditionFailed:
		failed.Err = ErrExists
	case failed.Status == http.StatusConflict && (failed.Code == codeConflict || failed.Code == codeAborted):
		// The other one may have failed in its turn, and then the next try is for
		// the caller to decide on.
		_, err := s.head(ctx, failed.Key)

		switch {
		case err == nil:
			failed.Err = ErrExists
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}

	case failed.Status == http.StatusNotImplemented && !errors.Is(failed, ErrNoObjectLock):
		failed.Err = ErrNotConditional
	}

	if failed.unsure && errors.Is(failed, ErrExists) {
		// Who made it, a try of ours whose answer got lost?
		ours, err := s.holds(ctx, failed.Key, data)
		if ours || err != nil {
			return err
		}
	}

	return failed
}

func (s *bucketStore) Replace(ctx context.Context, key string, data []byte) error {
	return s.put(ctx, "replace", key, data)
}

func (s *bucketStore) put(ctx context.Context, op, key string, data []byte) error {
	name, err := s.enter(ctx, op, key)
	if err != nil {
		return err
	}

	sum := md5.Sum(data) //nolint:gosec // See the import.

	in := &s3.PutObjectInput{
		Bucket:        &s.at.Bucket,
		Key:           &name,
		ContentLength: aws.Int64(int64(len(data))),
		ContentMD5:    aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}

	if op == "create" {
		in.IfNoneMatch = aws.String("*")
		s.lock.protect(in)
	}

	return s.try(ctx, op, name, func() error {
		in.Body = bytes.NewReader(data)

		out, err := s.client.PutObject(ctx, in)
		if err == nil && aws.ToString(out.ETag) == "" {
			err = errNotS3
		}

		return err
	})
}

// holds says whether an object has exactly these bytes.
func (s *bucketStore) holds(ctx context.Context, name string, data []byte) (bool, error) {
	there, _, err := s.read(ctx, name, int64(len(data)))
	if errors.Is(err, ErrTooLarge) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}

	return err == nil && bytes.Equal(there, data), err
}

// head asks for what is known of an object.
func (s *bucketStore) head(ctx context.Context, name string) (p Protection, err error) {
	err = s.try(ctx, "look for", name, func() error {
		out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.at.Bucket, Key: &name})
		if err == nil {
			p = protection(out.ObjectLockMode, out.ObjectLockRetainUntilDate, out.ObjectLockLegalHoldStatus)
		}

		return err
	})

	return p, err
}

func (s *bucketStore) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	data, _, err := s.ReadProtected(ctx, key, limit)

	return data, err
}

// ReadProtected is what the function of that name asks for.
func (s *bucketStore) ReadProtected(ctx context.Context, key string, limit int64) ([]byte, Protection, error) {
	name, err := s.enter(ctx, "read", key)
	if err != nil {
		return nil, Protection{}, err
	}

	data, p, err := s.read(ctx, name, limit)
	if err != nil || p.Mode != "" || s.lock == nil {
		return data, p, err
	}

	// Some servers tell it only when nothing else is asked for.
	p, err = s.head(ctx, name)

	return data, p, err
}

func (s *bucketStore) read(ctx context.Context, name string, limit int64) (data []byte, p Protection, err error) {
	err = s.try(ctx, "read", name, func() error {
		out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.at.Bucket, Key: &name})
		if err != nil {
			return err
		}

		defer func() { _ = out.Body.Close() }()

		switch {
		// Without a length, an answer that was cut can look whole.
		case out.ContentLength == nil:
			return errNotS3
		case *out.ContentLength > limit:
			return ErrTooLarge
		}

		data, p = make([]byte, *out.ContentLength),
			protection(out.ObjectLockMode, out.ObjectLockRetainUntilDate, out.ObjectLockLegalHoldStatus)
		if _, err := io.ReadFull(out.Body, data); err != nil {
			return fmt.Errorf("%w: %w", errCut, err)
		}

		return nil
	})
	if err != nil {
		return nil, Protection{}, err
	}

	return data, p, nil
}

var (
	errCut       = errors.New("the answer was cut")
	errNotS3     = errors.New("the answer is not that of an S3 service")
	errUnordered = errors.New("the listing is not in the order of keys")
)

func (s *bucketStore) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		var (
			last  string
			token *string
		)

		for {
			page, err := s.page(ctx, prefix, token)
			if err != nil {
				yield(Object{}, err)

				return
			}

			for _, o := range page.Contents {
				name := aws.ToString(o.Key)

				if !strings.HasPrefix(name, s.prefix+prefix) || name <= last {
					yield(Object{}, s.fail("list", s.prefix+prefix, 0, errUnordered))

					return
				}

				last = name

				object, ok := s.object(name, aws.ToInt64(o.Size))
				if ok && !yield(object, nil) {
					return
				}
			}

			if !*page.IsTruncated {
				return
			}

			token = page.NextContinuationToken
		}
	}
}

// object returns what a name in the bucket is in the store, if anything.
func (s *bucketStore) object(name string, size int64) (Object, bool) {
	key := strings.TrimPrefix(name, s.prefix)

	// Consoles make an empty object where they show a directory; the one for the
	// prefix itself is the store's root.
	if key == "" && size == 0 {
		return Object{}, false
	}

	return objectUnder(key, size), true
}

// page returns a part of the listing that is what it claims to be. Any XML, such
// as a proxy's page of its own, reads as an empty listing otherwise.
func (s *bucketStore) page(
	ctx context.Context, prefix string, token *string,
) (page *s3.ListObjectsV2Output, err error) {
	name := s.prefix + prefix

	if err := ctx.Err(); err != nil {
		return nil, s.ended("list", name, 0, nil, err)
	}

	err = s.try(ctx, "list", name, func() (err error) {
		page, err = s.client.ListObjectsV2(ctx,
			&s3.ListObjectsV2Input{Bucket: &s.at.Bucket, Prefix: &name, ContinuationToken: token})
		if err != nil {
			return err
		}

		next := aws.ToString(page.NextContinuationToken)

		switch {
		case page.Name == nil, page.IsTruncated == nil,
			page.KeyCount != nil && int(*page.KeyCount) != len(page.Contents),
			*page.IsTruncated && (next == "" || next == aws.ToString(token)):
			return errNotS3
		default:
			return nil
		}
	})

	return page, err
}

// Delete does not remove what is protected, nor fail: a bucket with object lock keeps
// every version of an object, and marks the latest one as deleted. The name can be
// created again then.
func (s *bucketStore) Delete(ctx context.Context, key string) error {
	name, err := s.enter(ctx, "delete", key)
	if err != nil {
		return err
	}

	err = s.try(ctx, "delete", name, func() error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.at.Bucket, Key: &name})

		return err
	})
	if failed, ok := errors.AsType[*S3Error](err); ok && failed.Code == codeNoSuchKey {
		return nil
	}

	return err
}
