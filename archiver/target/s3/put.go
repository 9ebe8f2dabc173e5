package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"github.com/varve-db/varve/archiver/target"
)

// maxPut is the most that S3 takes in one PUT. Segments are far smaller.
const maxPut = 5 << 30

// Put stores size bytes of r under name, if there is nothing by that name. It
// reads r once, and never after it returned. See [target.Target].
func (t *Target) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	if err := t.checkName("put", name); err != nil {
		return err
	}
	if size < 0 || size > maxPut {
		return fmt.Errorf("put %s: %d bytes; S3 takes up to %d", t.locate(name), size, int64(maxPut))
	}
	body := &source{r: io.NewSectionReader(r, 0, size)}
	_, err := t.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:         &t.bucket,
		Key:            aws.String(t.prefix + name),
		Body:           body,
		ContentLength:  &size,
		IfNoneMatch:    aws.String("*"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}, withPayloadHash(sum))
	unread := body.stop()
	if err == nil {
		return nil
	}
	if unread != nil {
		return fmt.Errorf("put %s: read what is to be sent: %w", t.locate(name), unread)
	}
	failed := t.fail(ctx, "put", name, err)
	if !failed.unknown() {
		return failed
	}
	// A client that still sends may see a refusal as a broken connection. So Put looks what is
	// there: it may be another object, or this very upload.
	if _, err := t.Stat(ctx, name); err == nil {
		return fmt.Errorf("%w: %w", failed, target.ErrExists)
	}
	return failed
}

// withPayloadHash lets the request be signed with the hash that is known. The SDK
// would read the whole object for it first, over http, or sign none, over https.
func withPayloadHash(sum [32]byte) func(*s3.Options) {
	set := middleware.InitializeMiddlewareFunc("varvePayloadHash",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum[:])), in)
		})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(set, middleware.Before)
		})
	}
}

// errStopped ends the reading of an upload that is over.
var errStopped = errors.New("the upload is over")

// source is the body of a PUT. The HTTP client may go on reading when the request has
// failed already; stop ends that, so that the caller may close what it gave.
type source struct {
	mu  sync.Mutex // guards all below
	r   *io.SectionReader
	err error // why the caller's reader failed
	end bool
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end {
		return 0, errStopped
	}
	n, err := s.r.Read(p)
	if at, _ := s.r.Seek(0, io.SeekCurrent); err == io.EOF && at < s.r.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) Seek(offset int64, whence int) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Seek(offset, whence)
}

// stop waits for a read under way and lets no other begin. It returns the error of
// the caller's reader, if that is what ended the upload.
func (s *source) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = true
	return s.err
}
