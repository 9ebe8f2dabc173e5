package main

import (
	"context"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/varve-db/varve/archiver"
)

// actShipS3 ships a store's segments to an S3 server on this machine, beside the
// SDK's bare PutObject of the same files, as many at a time.
func actShipS3(gb float64) func(*stage) error {
	return func(s *stage) error {
		v, err := s.needS3()
		if err != nil {
			return err
		}
		b, err := s.store(gb, 0)
		if err != nil {
			return err
		}
		all, err := files(b.dir, ".seg")
		if err != nil {
			return err
		}
		size, err := sizesOf(b.dir, ".seg")
		if err != nil {
			return err
		}
		if err := s.warm(b.dir); err != nil {
			return err
		}
		bare, err := s.child(task{Work: "upload", Files: all, Other: v.URL("bare"), Writers: archiver.DefaultParallel, Env: s3Env(v)})
		if err != nil {
			return err
		}
		s.record(uploading, figures{"rate": float64(size) / bare["seconds"], "cores": bare["cores"]})
		if err := os.RemoveAll(filepath.Join(bucketOf(v), "bare")); err != nil {
			return err
		}
		state, err := s.folder("receipts")
		if err != nil {
			return err
		}
		f, err := s.child(task{Work: "ship", Dir: b.dir, Other: v.URL("archive"), State: state, Env: s3Env(v)})
		if err != nil {
			return err
		}
		s.record("varve", shipped(f, size, b))
		return os.RemoveAll(filepath.Join(bucketOf(v), "archive"))
	}
}

// runUpload puts the files into an S3 bucket, in as many goroutines as the task has
// writers. The SDK, with its defaults, computes the SHA-256 that the server checks.
func runUpload(t *task) (figures, error) {
	ctx := context.Background()
	u, err := url.Parse(t.Other)
	if err != nil {
		return nil, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.BaseEndpoint, o.UsePathStyle = aws.String(u.Query().Get("endpoint")), true
	})
	return t.eachFile(func(f *os.File, _ []byte) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &u.Host, Key: aws.String(u.Path[1:] + "/" + filepath.Base(f.Name())), Body: f,
			ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		})
		return err
	})
}
