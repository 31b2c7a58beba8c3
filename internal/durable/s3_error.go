// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

const (
	codeAborted      = "OperationAborted"
	codeConflict     = "ConditionalRequestConflict"
	codeNoSuchBucket = "NoSuchBucket"
	codeNoSuchKey    = "NoSuchKey"
	codeNotFound     = "NotFound"
)

// S3Error is a failed request. Its text has every field and nothing that a server
// wrote but the code and the request id; no credential, header or query.
type S3Error struct {
	// Op is what we were doing: "create", "replace", "read", "look for", "list",
	// "delete".
	Op     string
	Bucket string
	// Key is the object's name in the bucket, prefix included.
	Key string
	// Code is S3's name of the error, such as "AccessDenied", Status the HTTP
	// status and RequestID what the service's support asks for. They are zero when
	// there was no answer.
	Code      string
	Status    int
	RequestID string
	// Region is where the bucket is, when that was the trouble.
	Region string
	// Attempts is how often the request was sent, 0 when it was not.
	Attempts int
	// Ended says that the operation that the request is part of came to its end: its
	// time ran out, or it was cancelled. What the last attempt had failed for is in
	// Last then, and in Code, Status and RequestID.
	Ended bool
	Last  string
	// Err is what the failure amounts to: ErrExists, ErrTooLarge,
	// ErrNotConditional, ErrNoObjectLock, fs.ErrNotExist, fs.ErrPermission, a *CredentialsError, or
	// what the network or the context says.
	Err error

	// unsure says that an attempt before the last one may have been carried out: there
	// was no answer, or one that does not rule it out.
	unsure bool
}

// Unwrap returns Err.
func (e *S3Error) Unwrap() error { return e.Err }

// Place is the address of the object, or of the bucket.
func (e *S3Error) Place() string {
	place := "s3://" + e.Bucket
	if e.Key != "" {
		place += "/" + e.Key
	}

	return place
}

func (e *S3Error) Error() string {
	facts := []string{e.Code, e.status()}

	if e.RequestID != "" {
		facts = append(facts, "request "+e.RequestID)
	}

	if e.Attempts > 1 {
		facts = append(facts, fmt.Sprintf("%d attempts", e.Attempts))
	}

	facts = slices.DeleteFunc(facts, func(fact string) bool { return fact == "" })

	text := fmt.Sprintf("%s %s: %s", e.Op, e.Place(), e.cause())
	if len(facts) > 0 {
		text += " (" + strings.Join(facts, ", ") + ")"
	}

	return text
}

func (e *S3Error) status() string {
	if e.Status == 0 {
		return ""
	}

	return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)))
}

// reason says why a request was repeated, to who asks where the time went.
func (e *S3Error) reason() string {
	switch {
	case e.Status != 0:
		return e.status()
	case errors.Is(e.Err, errCut):
		return "an answer of the object storage was cut"
	default:
		return "the object storage did not answer"
	}
}

// causes says in words what S3's codes mean
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var causes = map[string]string{
	"AuthorizationHeaderMalformed": "the request was signed for another region",
	"BadDigest":                    "the object was cut or changed on its way",
	"EntityTooLarge":               "the object is larger than the service takes",
	"ExpiredToken":                 "the session token has expired",
	"IncompleteBody":               "the object was cut or changed on its way",
	"InvalidAccessKeyId":           "the service does not know the access key",
	"InvalidObjectState":           "the object is in cold storage and has to be restored first",
	"InvalidToken":                 "the session token is not valid",
	"QuotaExceeded":                "the storage quota is used up",
	"RequestTimeTooSkewed":         "this machine's clock and the service's differ too much",
	"SignatureDoesNotMatch":        "the secret key does not belong to the access key",
	"SlowDown":                     "the service is overloaded",
	"XAmzContentSHA256Mismatch":    "the object was cut or changed on its way",
	codeAborted:                    "somebody else is writing the same object",
	codeConflict:                   "somebody else is writing the same object",
	codeNoSuchBucket:               "there is no such bucket",
	codeNoSuchKey:                  "there is no such object",
}

func (e *S3Error) cause() string {
	if !e.Ended {
		return e.failure()
	}

	text := context.Canceled.Error()
	if errors.Is(e.Err, context.DeadlineExceeded) {
		text = "the time ran out"
	}

	switch {
	case e.Last != "":
		text += " while it was to be tried again; before, " + e.Last
	case e.Attempts > 0:
		text += " before an answer had come"
	}

	return text
}

// failure says what an attempt failed for.
func (e *S3Error) failure() string {
	switch {
	case e.misplaced():
		return "the address does not answer as a bucket; check the endpoint, which is the root of the service without the bucket"
	case errors.Is(e.Err, ErrExists), errors.Is(e.Err, ErrTooLarge):
		return "the object " + e.Err.Error()
	case errors.Is(e.Err, ErrNoObjectLock):
		return "the bucket " + e.Err.Error()
	case errors.Is(e.Err, ErrNotConditional):
		return "the service " + e.Err.Error()
	case e.Status == 0, e.Status < http.StatusMultipleChoices:
		return innermost(e.Err)
	case e.Region != "":
		return "the bucket is in region " + e.Region
	case causes[e.Code] != "":
		return causes[e.Code]
	case e.Status < http.StatusBadRequest:
		return "the service is elsewhere; check the endpoint and the region"
	case e.Status == http.StatusForbidden && e.Op == "read":
		return "access is denied, or there is no such object and listing is denied"
	case e.Status == http.StatusForbidden:
		return "access is denied"
	case e.Status == http.StatusServiceUnavailable:
		return causes["SlowDown"]
	case e.Status >= http.StatusInternalServerError:
		return "the service failed"
	default:
		return "the service refused the request"
	}
}

// misplaced says that there is no such object, where none had been asked for: the
// request arrived somewhere else, such as where the endpoint names the bucket, too.
func (e *S3Error) misplaced() bool {
	return e.Code == codeNoSuchKey && slices.Contains([]string{"list", "create", "replace"}, e.Op)
}

// innermost is the cause of a failure without an answer. The layers above it name
// the URL, and the SDK's the operation, which S3Error names better.
func innermost(err error) string {
	var (
		missing *CredentialsError
		network *url.Error
		timeout net.Error
		parse   *smithy.DeserializationError
		sdk     *smithy.OperationError
	)

	switch {
	case err == nil:
		return "unknown"
	case errors.Is(err, context.Canceled):
		return context.Canceled.Error()
	case errors.As(err, &missing):
		return missing.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &network):
		return "no answer: " + network.Err.Error()
	case errors.As(err, &parse):
		return errNotS3.Error()
	case errors.As(err, &sdk):
		return sdk.Err.Error()
	default:
		return err.Error()
	}
}

var (
	// A server can put anything where a code or an id should be.
	codeText   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	idText     = regexp.MustCompile(`^[A-Za-z0-9+/=._:-]{1,128}$`)
	permission = map[string]bool{
		"AccessDenied": true, "AccountProblem": true, "AllAccessDisabled": true, "ExpiredToken": true,
		"InvalidAccessKeyId": true, "InvalidToken": true, "SignatureDoesNotMatch": true,
	}
)

// ended describes what the end of the whole operation broke off. That says nothing of the
// service, but what had failed before, if anything, does.
func (s *bucketStore) ended(op, name string, attempts int, last *S3Error, err error) *S3Error {
	e := S3Error{Op: op, Bucket: s.at.Bucket, Key: name}

	if last != nil {
		e = *last
		e.Last = last.failure()
	}

	e.Attempts, e.Ended, e.Err = attempts, true, err

	return &e
}

// fail describes what became of a request.
func (s *bucketStore) fail(op, name string, attempts int, err error) *S3Error {
	e := &S3Error{Op: op, Bucket: s.at.Bucket, Key: name, Attempts: attempts, Err: err}

	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		e.Status = answer.HTTPStatusCode()

		if idText.MatchString(answer.RequestID) {
			e.RequestID = answer.RequestID
		}

		if answer.Response != nil && answer.Response.Response != nil {
			region := answer.Response.Header.Get("x-amz-bucket-region")
			if regionName.MatchString(region) && region != s.client.Options().Region {
				e.Region = region
			}
		}
	}

	// An error that is no answer, such as one without a code in a page of HTML,
	// has a code of the SDK's making.
	var api smithy.APIError
	if errors.As(err, &api) && codeText.MatchString(api.ErrorCode()) {
		e.Code = api.ErrorCode()
	}

	switch {
	case e.misplaced():
	case op == "create" && s.lock != nil && api != nil && isNoObjectLock(api):
		e.Err = ErrNoObjectLock
	case e.Code == codeNoSuchKey, e.Code == codeNoSuchBucket, e.Code == codeNotFound && op == "look for":
		e.Err = fs.ErrNotExist
	case permission[e.Code], e.Status == http.StatusForbidden, e.Status == http.StatusUnauthorized:
		e.Err = fs.ErrPermission
	}

	return e
}
