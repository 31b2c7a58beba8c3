// SPDX-License-Identifier: MPL-2.0

package versitygwtest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// kinds are the kinds of buckets that archives may be in.
var kinds = map[string]func(t *testing.T) (bucket string){
	"plain": newPlainBucket, "with versions": newBucketWithVersions, "with locks": newBucketWithLocks,
}

func newPlainBucket(t *testing.T) string {
	t.Helper()

	return newBucket(t, nil)
}

func newBucketWithVersions(t *testing.T) string {
	t.Helper()

	bucket := newBucket(t, nil)

	_, err := newClient().PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}

	return bucket
}

func newBucketWithLocks(t *testing.T) string {
	t.Helper()

	return newBucket(t, func(in *s3.CreateBucketInput) { in.ObjectLockEnabledForBucket = aws.Bool(true) })
}

// TestStore: the server keeps all that a store promises, whatever the kind of bucket.
func TestStore(t *testing.T) {
	t.Parallel()

	for kind, newBucket := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()

			storetest.Run(t, func(t *testing.T) durable.Store {
				t.Helper()

				bucket := newBucket(t)
				if kind == "plain" {
					return open(t, bucket, nil)
				}

				return &purged{Store: open(t, bucket, nil), bucket: bucket}
			})
		})
	}
}

// purged is a store in a bucket with versions that keeps none of what was deleted. The
// server takes the marker of a deleted object for an object when it is asked to create one
// only if there is none. S3 does not:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
type purged struct {
	durable.Store

	bucket string
}

func (p *purged) Delete(ctx context.Context, key string) error {
	if err := p.Store.Delete(ctx, key); err != nil {
		return err
	}

	c := newClient()

	found, err := c.ListObjectVersions(ctx,
		&s3.ListObjectVersionsInput{Bucket: aws.String(p.bucket), Prefix: aws.String("audit/" + key)})
	if err != nil {
		return err
	}

	for _, v := range found.DeleteMarkers {
		if *v.Key == "audit/"+key {
			_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(p.bucket), Key: v.Key, VersionId: v.VersionId})
		}
	}

	for _, v := range found.Versions {
		if err == nil && *v.Key == "audit/"+key {
			_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(p.bucket), Key: v.Key, VersionId: v.VersionId})
		}
	}

	return err
}

// TestMarkersCountAsObjects is about the server, so that we notice when purged is no
// longer needed. Archives create nothing that they have deleted.
func TestMarkersCountAsObjects(t *testing.T) {
	t.Parallel()

	s := open(t, newBucketWithVersions(t), nil)

	if err := errors.Join(s.Create(t.Context(), "a", []byte("1")), s.Delete(t.Context(), "a")); err != nil {
		t.Fatal(err)
	}

	if _, err := s.Read(t.Context(), "a", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read: %v", err)
	}

	if err := s.Create(t.Context(), "a", []byte("2")); !errors.Is(err, durable.ErrExists) {
		t.Errorf("the server has learned what S3 does: %v", err)
	}
}

// TestArchivesAreLocked: an archive protects what it writes where the bucket can, and is
// not begun where it cannot.
func TestArchivesAreLocked(t *testing.T) {
	t.Parallel()

	lock := &durable.ObjectLock{Mode: durable.Governance, Days: 30, Now: time.Now}
	run := func(bucket string) (durable.Store, error) {
		store, err := durable.OpenStore(t.Context(), destination(bucket),
			durable.StoreOptions{LookupEnv: environment, ObjectLock: lock})
		if err != nil {
			t.Fatal(err)
		}

		a, err := archive.Open(t.Context(), archive.Options{
			Store: store, Lock: lock, Service: steady{}, Format: format.NDJSON, Start: time.Now().AddDate(0, 0, -1),
			Clock: time.Now, Tool: "test",
		})
		if err == nil {
			_, err = a.Append(t.Context())
		}

		return store, err
	}

	store, err := run(newBucketWithLocks(t))
	if err != nil {
		t.Fatal(err)
	}

	for _, key := range []string{"README.txt", "checkpoints/00000000", "checkpoints/00000001"} {
		if _, p, err := durable.ReadProtected(t.Context(), store, key, 1<<20); err != nil || p.Mode != durable.Governance ||
			p.Until.Before(time.Now().AddDate(0, 0, 29)) {
			t.Errorf("%s: %+v, %v", key, p, err)
		}
	}

	if _, err := run(newPlainBucket(t)); !errors.Is(err, durable.ErrNoObjectLock) {
		t.Errorf("a bucket without locks: %v", err)
	}
}

// TestLocks: an object with a retention shows it, and its version cannot be deleted before
// the time. A second one is not made where none may be there.
func TestLocks(t *testing.T) {
	t.Parallel()

	c, bucket, key := newClient(), aws.String(newBucketWithLocks(t)), aws.String("audit/a")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)

	for _, mode := range []types.ObjectLockMode{types.ObjectLockModeGovernance, types.ObjectLockModeCompliance} {
		key := aws.String(*key + string(mode))
		put := func(text string, condition *string) (*s3.PutObjectOutput, error) {
			return c.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: bucket, Key: key, Body: strings.NewReader(text), IfNoneMatch: condition,
				ObjectLockMode: mode, ObjectLockRetainUntilDate: &until,
			})
		}

		first, err := put("first", aws.String("*"))
		if err != nil {
			t.Fatal(err)
		}

		var refused smithy.APIError
		if _, err := put("second", aws.String("*")); !errors.As(err, &refused) ||
			refused.ErrorCode() != "PreconditionFailed" {
			t.Errorf("%s, created again: %v", mode, err)
		}

		got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
		if err != nil {
			t.Fatal(err)
		}

		text, err := io.ReadAll(got.Body)
		if err != nil || string(text) != "first" {
			t.Errorf("%s: %s, %v", mode, text, err)
		}

		// S3 says it here, too. This server says it only when asked for no more than that.
		if got.ObjectLockMode != "" || got.ObjectLockRetainUntilDate != nil {
			t.Errorf("%s: the server has learned to show locks: %s until %v", mode, got.ObjectLockMode,
				got.ObjectLockRetainUntilDate)
		}

		head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key})
		if err != nil || head.ObjectLockMode != mode || !aws.ToTime(head.ObjectLockRetainUntilDate).Equal(until) {
			t.Errorf("%s, head: %+v, %v", mode, head, err)
		}

		_, err = c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: first.VersionId})
		if !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" {
			t.Errorf("%s, deleted: %v", mode, err)
		}

		// Without the condition there is a newer version, and the first stays.
		second, err := put("second", nil)
		if err != nil {
			t.Fatal(err)
		}

		old, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key, VersionId: first.VersionId})
		if err != nil {
			t.Fatal(err)
		}

		if text, err := io.ReadAll(old.Body); err != nil || string(text) != "first" || *second.VersionId == *first.VersionId {
			t.Errorf("%s, the first version: %s, %v", mode, text, err)
		}
	}

	// A bucket without locks refuses what it could not keep.
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(newBucket(t, nil)), Key: key, Body: strings.NewReader("a"),
		ObjectLockMode: types.ObjectLockModeCompliance, ObjectLockRetainUntilDate: &until,
	})
	if refused := smithy.APIError(nil); !errors.As(err, &refused) || refused.ErrorCode() != "InvalidRequest" {
		t.Errorf("without locks: %v", err)
	}
}
