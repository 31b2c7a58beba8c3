// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// What Protection.Mode can be. ObjectLock.Mode is one of the first two, which only
// buckets have.
const (
	// Governance keeps everybody from deleting or replacing an object but those with a
	// permission of its own.
	Governance = "governance"
	// Compliance keeps everybody from it, the owner of the account included.
	Compliance = "compliance"
	// ReadOnly is a file that nobody may write to. Whoever may write to its directory
	// can still delete it.
	ReadOnly = "read-only"
)

// ObjectLock asks a bucket to keep every object that Create makes as it is for a time.
// What Replace makes is not protected: it is there to be replaced.
//
// The bucket must have object lock enabled, or else Create returns ErrNoObjectLock, and
// who writes needs s3:PutObjectRetention. A service that does not know object lock at
// all may ignore the wish in silence: only ReadProtected tells what came of it.
type ObjectLock struct {
	// Mode is Governance or Compliance.
	Mode string
	// Days is how long an object is kept, from 1 to 36500.
	Days int
	// Now is the clock that the days are counted from.
	Now func() time.Time
}

// ErrNoObjectLock means that objects in a bucket cannot be protected.
var ErrNoObjectLock = errors.New("has no object lock; enable it for the bucket first")

// ObjectLockError says why there can be no such object lock.
type ObjectLockError struct {
	// Part is what is at fault: "mode", "days", or "" where the destination is a
	// directory.
	Part    string
	Problem string
}

func (e *ObjectLockError) Error() string { return e.Problem }

// longestLock is S3's limit in days, 100 years
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html).
const longestLock = 36500

// Check says what is wrong with it for a destination: the error is an *ObjectLockError.
func (l *ObjectLock) Check(d Destination) error {
	switch {
	case l == nil:
		return nil
	case !d.S3():
		return &ObjectLockError{"", "only a bucket has object lock, and a directory has not"}
	case l.Mode != Governance && l.Mode != Compliance:
		return &ObjectLockError{"mode", fmt.Sprintf("the mode of an object lock is %q or %q", Governance, Compliance)}
	case l.Days < 1 || l.Days > longestLock:
		return &ObjectLockError{"days", fmt.Sprintf("an object lock is for 1 to %d days", longestLock)}
	default:
		return nil
	}
}

// protect makes a request ask for the lock. S3 wants a checksum with it, which every
// request of ours has.
func (l *ObjectLock) protect(in *s3.PutObjectInput) {
	if l != nil {
		in.ObjectLockMode = types.ObjectLockMode(strings.ToUpper(l.Mode))
		in.ObjectLockRetainUntilDate = aws.Time(l.Now().UTC().Truncate(time.Second).AddDate(0, 0, l.Days))
	}
}

// isNoObjectLock recognises how services refuse a lock that the bucket cannot have.
// Amazon says "Bucket is missing Object Lock Configuration", MinIO "Bucket is missing
// ObjectLockConfiguration", and Cloudflare names the header that is not implemented. The
// code alone stands for many things. Ceph is assumed to say nothing beside the code.
func isNoObjectLock(err smithy.APIError) bool {
	text := strings.ToLower(strings.ReplaceAll(err.ErrorMessage(), " ", ""))

	switch err.ErrorCode() {
	case "InvalidRequest":
		return text == "" || strings.Contains(text, "missingobjectlock")
	case "NotImplemented":
		return strings.Contains(text, "object-lock")
	default:
		return false
	}
}

// Protection is what keeps an object from being changed or deleted, as far as the reader
// may know: S3 tells it only to who has s3:GetObjectRetention and
// s3:GetObjectLegalHold, and says nothing to others.
type Protection struct {
	// Mode is Governance, Compliance, ReadOnly, or "" for none.
	Mode string
	// Until is when the mode ends, which may be in the past. It is zero where it has no
	// end.
	Until time.Time
	// LegalHold says that the object is kept until somebody lifts the hold.
	LegalHold bool
}

// ReadProtected is Store.Read that also tells, from the same answer, what protects the
// object. A bucket that was asked for object lock is asked once more where the answer
// says nothing, and nothing is known to protect the objects of stores that are not of
// this package.
func ReadProtected(ctx context.Context, s Store, key string, limit int64) ([]byte, Protection, error) {
	reader, ok := s.(interface {
		ReadProtected(ctx context.Context, key string, limit int64) ([]byte, Protection, error)
	})
	if ok {
		return reader.ReadProtected(ctx, key, limit)
	}

	data, err := s.Read(ctx, key, limit)

	return data, Protection{}, err
}

func protection(lock types.ObjectLockMode, until *time.Time, hold types.ObjectLockLegalHoldStatus) Protection {
	p := Protection{LegalHold: hold == types.ObjectLockLegalHoldStatusOn}

	switch mode := strings.ToLower(string(lock)); mode {
	case Governance, Compliance:
		p.Mode, p.Until = mode, aws.ToTime(until).UTC()
	}

	return p
}
