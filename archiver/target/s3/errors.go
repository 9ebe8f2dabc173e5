package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/varve-db/varve/archiver/target"
)

// whoYouAre is the next step for users without the right credentials.
const whoYouAre = "credentials are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN), or from the profile that ?profile=… or AWS_PROFILE names"

// requestError is a request that failed: what the server said, in one line, and
// what to do next.
type requestError struct {
	what   string // as in "put s3://bucket/name"
	status int    // 0: there was no answer
	code   string // as S3 has it; "" if there is none
	cause  string
	next   string
	kind   error // a sentinel of package target, or nil
	err    error // what the SDK returned
}

func (e *requestError) Error() string {
	s := e.what + ": "
	if e.status != 0 {
		s += fmt.Sprintf("the server answers %d: ", e.status)
	}
	s += e.cause
	if e.kind != nil && e.kind != target.ErrNotExist { // its text is about a file
		s += ": " + e.kind.Error()
	}
	if e.next != "" {
		s += "; " + e.next
	}
	return s
}

func (e *requestError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.kind, e.err}
}

// unknown reports whether the request may have been carried out all the same, or was refused
// because an object is there.
func (e *requestError) unknown() bool {
	if e.kind != nil {
		return false
	}
	switch e.status {
	case http.StatusServiceUnavailable:
		return false // "slow down": it was not begun
	case 0, http.StatusConflict, http.StatusRequestTimeout:
		return true
	}
	return e.status >= 500
}

// fail makes the error for a request about an object.
func (t *Target) fail(ctx context.Context, op, name string, err error) *requestError {
	e := &requestError{what: op + " " + t.locate(name), err: err}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		e.status = answer.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.code = api.ErrorCode()
		e.cause = strings.TrimRight(e.code+": "+api.ErrorMessage(), ".: ")
	} else {
		e.cause = innermost(err).Error()
	}
	if cause := context.Cause(ctx); cause != nil {
		e.err = errors.Join(ctx.Err(), cause, err)
		if e.status == 0 {
			e.cause = cause.Error()
			return e
		}
	}
	t.classify(e, answer)
	return e
}

// classify finds the kind of error and the next step.
func (t *Target) classify(e *requestError, answer *awshttp.ResponseError) {
	var noCredentials *credentialsError
	if region := bucketRegion(answer); region != "" && region != t.region && e.status >= 300 {
		e.next = fmt.Sprintf("the bucket is in another region than %s: add ?region=%s to the URL", t.region, region)
		return
	}
	switch {
	case errors.As(e.err, &noCredentials):
		e.kind, e.next, e.cause = target.ErrDenied, whoYouAre, noCredentials.Error()
	case errors.Is(e.err, http.ErrSchemeMismatch):
		e.next = "the server speaks http: write the endpoint with http://"
	case isCertificate(e.err):
		e.next = "AWS_CA_BUNDLE names a file with the certificates of other authorities to trust"
	case isDial(e.err):
		e.next = "see that the server runs and can be reached, and that the URL says where it is"
	case e.code == "NoSuchBucket":
		e.kind, e.next = target.ErrNotExist, fmt.Sprintf("bring back the bucket %s, or correct the URL", t.bucket)
	case fullCodes[e.code] || e.status == http.StatusInsufficientStorage:
		e.kind, e.next = target.ErrFull, "make room there, or raise the quota; what is archived stays as it is"
	case e.status == http.StatusPreconditionFailed:
		e.kind = target.ErrExists
	case e.code == "NoSuchKey" || e.code == "NotFound":
		e.kind = target.ErrNotExist
	case e.code == "RequestTimeTooSkewed":
		e.kind, e.next = target.ErrDenied, "the clocks of this machine and of the server differ too much: set them right"
	case e.code == "AuthorizationHeaderMalformed" || e.code == "PermanentRedirect":
		e.next = fmt.Sprintf("the bucket is in another region than %s, or the server wants another: add ?region=… to the URL", t.region)
	case secretCodes[e.code]:
		e.kind, e.next = target.ErrDenied, whoYouAre
	case e.status == http.StatusForbidden || e.status == http.StatusUnauthorized:
		e.kind, e.next = target.ErrDenied, "it may take s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket (without the last, what is missing looks forbidden); "+whoYouAre
	case e.status == http.StatusBadRequest && t.plain && !knownCode(e.code):
		e.next = "the server may want https: write the endpoint with https://"
	}
}

// fullCodes are the codes of servers without room. Amazon's always have room.
var fullCodes = map[string]bool{
	"QuotaExceeded": true, "InsufficientStorage": true, "InsufficientCapacity": true, "XMinioStorageFull": true,
	"XMinioAdminBucketQuotaExceeded": true, "TotalBytesExceeded": true, "StorageQuotaExceeded": true,
}

// secretCodes are the codes for credentials that the server does not know.
var secretCodes = map[string]bool{
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "ExpiredToken": true, "InvalidToken": true,
	"XAdminUserNotFound": true, "TokenRefreshRequired": true, "InvalidSecurity": true, "MissingSecurityHeader": true,
}

// knownCode reports whether an answer was in the form of S3.
func knownCode(code string) bool {
	return code != "" && code != "UnknownError" && code != "BadRequest" && code != "400 Bad Request"
}

// bucketRegion returns the region that an answer says the bucket is in.
func bucketRegion(answer *awshttp.ResponseError) string {
	if answer == nil || answer.Response == nil {
		return ""
	}
	return answer.Response.Header.Get("X-Amz-Bucket-Region")
}

// isCertificate reports whether the server's certificate was not accepted.
func isCertificate(err error) bool {
	var bad *tls.CertificateVerificationError
	return errors.As(err, &bad)
}

// isDial reports whether the server was not even reached.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// innermost strips the layers of the SDK, which say only what requestError says.
func innermost(err error) error {
	if sent := (*url.Error)(nil); errors.As(err, &sent) {
		return sent.Err
	}
	if op := (*smithy.OperationError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// checkName refuses names that no target takes, and that servers may change.
func (t *Target) checkName(op, name string) error {
	if name == "." || !fs.ValidPath(name) {
		return fmt.Errorf("%s %s: %q is no name of an object", op, t.url, name)
	}
	return nil
}

// locate returns the URL of an object, for messages.
func (t *Target) locate(name string) string {
	return "s3://" + t.bucket + "/" + t.prefix + name
}

// credentials gives the errors of credential providers a type.
type credentials struct {
	aws.CredentialsProvider
}

func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &credentialsError{err}
	}
	return found, err
}

// credentialsError says that there are no credentials.
type credentialsError struct {
	err error
}

func (e *credentialsError) Error() string { return "no credentials: " + e.err.Error() }

func (e *credentialsError) Unwrap() error { return e.err }
