package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/varve-db/varve/archiver/target"
)

// Stat describes an object by a HEAD. The SHA-256 is the one that the server checked as the
// object came; it is zero for objects that were put without one, such as another tool's upload
// in parts.
func (t *Target) Stat(ctx context.Context, name string) (target.Info, error) {
	if err := t.checkName("stat", name); err != nil {
		return target.Info{}, err
	}
	info, failed := t.head(ctx, name)
	if failed == nil {
		return info, nil
	}
	if failed.status != http.StatusNotFound {
		return info, failed
	}
	// The answer to a HEAD has no body: a missing object looks like a missing bucket
	// and, with some servers, like an unknown user. A GET tells them apart.
	r, err := t.Open(ctx, name, 0, 1)
	if err != nil {
		return info, err
	}
	r.Close()
	if info, failed = t.head(ctx, name); failed != nil { // the object was put between the two
		return info, failed
	}
	return info, nil
}

// head describes an object by one HEAD.
func (t *Target) head(ctx context.Context, name string) (target.Info, *requestError) {
	out, err := t.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:       &t.bucket,
		Key:          aws.String(t.prefix + name),
		ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return target.Info{}, t.fail(ctx, "stat", name, err)
	}
	info := target.Info{Name: name, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)}
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(out.ChecksumSHA256))
	if err == nil && len(sum) == len(info.SHA256) && out.ChecksumType != types.ChecksumTypeComposite {
		info.SHA256 = [32]byte(sum)
	}
	return info, nil
}

// Sum is Stat, and reads the object where the server does not have its SHA-256.
func (t *Target) Sum(ctx context.Context, name string) (target.Info, error) {
	info, err := t.Stat(ctx, name)
	if err != nil || info.SHA256 != [32]byte{} {
		return info, err
	}
	r, err := t.Open(ctx, name, 0, -1)
	if err != nil {
		return target.Info{}, err
	}
	defer r.Close()
	h := sha256.New()
	if info.Size, err = io.Copy(h, r); err != nil {
		return target.Info{}, err
	}
	h.Sum(info.SHA256[:0])
	return info, nil
}

// Open returns a range of an object, as it comes from the server. What it reads is not
// verified.
func (t *Target) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := t.checkName("open", name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("open %s: negative offset %d", t.locate(name), off)
	}
	if n == 0 {
		_, err := t.Stat(ctx, name)
		return http.NoBody, err
	}
	in := &s3.GetObjectInput{Bucket: &t.bucket, Key: aws.String(t.prefix + name)}
	switch {
	case n > 0 && n <= math.MaxInt64-off:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	case n > 0 || off > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", off))
	}
	out, err := t.client.GetObject(ctx, in)
	if err != nil {
		failed := t.fail(ctx, "open", name, err)
		if failed.status == http.StatusRequestedRangeNotSatisfiable {
			return http.NoBody, nil
		}
		return nil, failed
	}
	if in.Range != nil && !strings.HasPrefix(aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-", off)) {
		out.Body.Close()
		return nil, fmt.Errorf("open %s: the server answers another range than %s: %q", t.locate(name), *in.Range, aws.ToString(out.ContentRange))
	}
	return &content{out.Body, ctx, t, name}, nil
}

// content is the body of an answer, with errors that say where they are from.
type content struct {
	io.ReadCloser
	ctx  context.Context
	t    *Target
	name string
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = c.t.fail(c.ctx, "read", c.name, err)
	}
	return n, err
}

// List yields objects in order of name, by pages of up to 1000. Their SHA-256 is not
// known. See [target.Target].
func (t *Target) List(ctx context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	return func(yield func(target.Info, error) bool) {
		for info, err := range t.list(ctx, prefix, after) {
			if err == nil && strings.HasPrefix(info.Name, probePrefix) {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// list is List with the objects of probes under way.
func (t *Target) list(ctx context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	return func(yield func(target.Info, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &t.bucket, Prefix: aws.String(t.prefix + prefix)}
		if after != "" {
			in.StartAfter = aws.String(t.prefix + after)
		}
		for last, begun := after, after; ; {
			out, err := t.client.ListObjectsV2(ctx, in)
			if err != nil {
				yield(target.Info{}, t.fail(ctx, "list", prefix, err))
				return
			}
			for _, o := range out.Contents {
				info, ok, err := t.listed(o, prefix, last)
				if err != nil {
					yield(info, err)
					return
				}
				if !ok {
					continue
				}
				last = info.Name
				if !yield(info, nil) {
					return
				}
			}
			in.ContinuationToken = out.NextContinuationToken
			switch {
			case aws.ToBool(out.IsTruncated) && in.ContinuationToken == nil:
				yield(target.Info{}, fmt.Errorf("list %s: the server says that there is more, and not how to get it", t.locate(prefix)))
				return
			case aws.ToBool(out.IsTruncated):
			case last == begun || in.StartAfter == nil:
				return
			default:
				// A list that began in the middle has ended only if nothing follows its last
				// name: MinIO counts what it skips as listed, and ends too early.
				begun, in.StartAfter, in.ContinuationToken = last, aws.String(t.prefix+last), nil
			}
		}
	}
}

// Folders returns the parts of names between a prefix and the next slash, in order. See
// [target.Foldered].
func (t *Target) Folders(ctx context.Context, prefix string) (names []string, err error) {
	for out, err := range t.shallow(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		names = append(names, t.below(out.CommonPrefixes, prefix)...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Top yields what is in the bucket, or below the prefix, up to the first slash of each name:
// objects of other tools too, whatever their names, but none of a probe. See
// [target.Topped].
func (t *Target) Top(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for out, err := range t.shallow(ctx, "") {
			if err != nil {
				yield("", err)
				return
			}
			names := t.below(out.CommonPrefixes, "")
			for _, o := range out.Contents {
				name := strings.TrimPrefix(aws.ToString(o.Key), t.prefix)
				if name != "" && !strings.HasPrefix(name, probePrefix) { // "": stands for the prefix, as some tools make it
					names = append(names, name)
				}
			}
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

// below returns the folders of a page without their slash and without the prefix.
func (t *Target) below(folders []types.CommonPrefix, prefix string) (names []string) {
	for _, p := range folders {
		name, ok := strings.CutPrefix(aws.ToString(p.Prefix), t.prefix+prefix)
		if name = strings.TrimSuffix(name, "/"); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

// shallow lists by pages what is below a prefix, up to the next slash. The error is the last
// thing yielded.
func (t *Target) shallow(ctx context.Context, prefix string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &t.bucket, Prefix: aws.String(t.prefix + prefix), Delimiter: aws.String("/")}
		for {
			out, err := t.client.ListObjectsV2(ctx, in)
			if err != nil {
				yield(nil, t.fail(ctx, "list", prefix, err))
				return
			}
			in.ContinuationToken = out.NextContinuationToken
			if !yield(out, nil) || !aws.ToBool(out.IsTruncated) {
				return
			}
			if in.ContinuationToken == nil {
				yield(nil, fmt.Errorf("list %s: the server says that there is more, and not how to get it", t.locate(prefix)))
				return
			}
		}
	}
}

// listed describes an object of a list, if it is one of the target's.
func (t *Target) listed(o types.Object, prefix, last string) (target.Info, bool, error) {
	name, ok := strings.CutPrefix(aws.ToString(o.Key), t.prefix)
	if ok && (name == "" || strings.HasSuffix(name, "/")) {
		return target.Info{}, false, nil // made by other tools to stand for a folder
	}
	if !ok || !strings.HasPrefix(name, prefix) || name <= last {
		return target.Info{}, false, fmt.Errorf("list %s: %w: it lists %q after %q", t.locate(prefix), errOrder, aws.ToString(o.Key), t.prefix+last)
	}
	modified := aws.ToTime(o.LastModified).Truncate(time.Second) // as a HEAD has it
	return target.Info{Name: name, Size: aws.ToInt64(o.Size), Modified: modified}, true, nil
}

// errOrder says that a list cannot be relied on: if names come out of order, others may be
// missing.
var errOrder = errors.New("the server does not list in order of name")

// Delete removes an object. In a bucket that keeps versions, they stay.
func (t *Target) Delete(ctx context.Context, name string) error {
	if err := t.checkName("delete", name); err != nil {
		return err
	}
	_, err := t.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: aws.String(t.prefix + name)})
	if err != nil {
		failed := t.fail(ctx, "delete", name, err)
		if failed.code == "NoSuchKey" {
			return nil
		}
		return failed
	}
	return nil
}
