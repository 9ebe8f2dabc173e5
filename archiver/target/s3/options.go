package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// Options says where a target is. Only Bucket is needed, with Amazon's servers and
// a region in the environment.
type Options struct {
	// Bucket must be there already.
	Bucket string

	// Prefix is a folder in the bucket, as in "archive/main", so that several
	// targets may share one bucket. Default: the whole bucket.
	Prefix string

	// Endpoint is the server, as in https://minio.example:9000. Default:
	// AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's, or Amazon's.
	Endpoint string

	// Region of the bucket. Default: AWS_REGION, the profile's, or, where an Endpoint
	// is given, us-east-1.
	Region string

	// Profile names a section of the AWS config and credentials files, for targets
	// with credentials of their own. Default: the environment's credentials, then
	// AWS_PROFILE.
	Profile string

	// VirtualHost addresses the bucket by host name, as bucket.host, also where an Endpoint is
	// given. Default: by path with an Endpoint, by name with Amazon.
	VirtualHost bool

	// HTTPClient sends the requests. Default: one that waits as long as the
	// context of a call lets it.
	HTTPClient *http.Client
}

// Target is a bucket, or a folder in one. Its methods may be called from several
// goroutines.
type Target struct {
	client *s3.Client
	bucket string
	prefix string // "" or with a slash at its end
	url    string
	plain  bool // the endpoint is given with http://
	region string
}

// Open returns the target that o describes. It reads the AWS configuration, and sends nothing:
// Probe finds out whether the bucket is there and may be used.
func Open(ctx context.Context, o Options) (*Target, error) {
	if o.Bucket == "" {
		return nil, errors.New("an S3 target needs a bucket, as in s3://bucket/prefix")
	}
	o.Prefix = strings.Trim(o.Prefix, "/")
	if o.Prefix != "" && !cleanPrefix(o.Prefix) {
		return nil, fmt.Errorf("the prefix %q of the S3 target is no clean path: it has a part that is empty, \".\" or \"..\", or a control character", o.Prefix)
	}
	if err := checkEndpoint(o.Endpoint); err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, o.config()...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration for %s: %w; see AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE", o.url(), err)
	}
	client := s3.NewFromConfig(cfg, func(so *s3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		if so.BaseEndpoint != nil && so.Region == "" {
			so.Region = "us-east-1"
		}
		so.UsePathStyle = so.BaseEndpoint != nil && !o.VirtualHost
		so.Logger = logging.Nop{}
		so.Retryer = aws.NopRetryer{} // the archiver asks before it tries again
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		if so.Credentials != nil {
			so.Credentials = credentials{so.Credentials}
		}
	})
	settings := client.Options()
	if settings.Region == "" {
		return nil, fmt.Errorf("the region of %s is not known: add ?region=… to the URL, or set AWS_REGION", o.url())
	}
	t := &Target{client: client, bucket: o.Bucket, url: o.url(), region: settings.Region}
	t.plain = strings.HasPrefix(aws.ToString(settings.BaseEndpoint), "http://")
	if o.Prefix != "" {
		t.prefix = o.Prefix + "/"
	}
	return t, nil
}

// cleanPrefix reports whether servers keep the names of objects below a prefix as they are:
// some take "." and ".." for folders, and then find nothing where they put something.
func cleanPrefix(prefix string) bool {
	return prefix != "." && fs.ValidPath(prefix) && !strings.ContainsFunc(prefix, unicode.IsControl)
}

// OpenURL is [Open] for s3://bucket/prefix with the parameters endpoint, region, profile and
// virtual-host=true. A URL that holds credentials is refused.
func OpenURL(ctx context.Context, u *url.URL) (*Target, error) {
	if u.Scheme != "s3" || u.Opaque != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s does not name an S3 target, as in s3://bucket/prefix?endpoint=https://host", u.Redacted())
	}
	if u.User != nil {
		return nil, fmt.Errorf("the URL of s3://%s holds credentials: take them out; %s", u.Host, whoYouAre)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the parameters of s3://%s%s: %w", u.Host, u.Path, err)
	}
	o := Options{Bucket: u.Host, Prefix: u.Path}
	for name, values := range query {
		value := values[0]
		switch {
		case len(values) > 1:
			return nil, fmt.Errorf("the parameter %q of s3://%s%s is there %d times", name, u.Host, u.Path, len(values))
		case name == "endpoint":
			o.Endpoint = value
		case name == "region":
			o.Region = value
		case name == "profile":
			o.Profile = value
		case name == "virtual-host" && (value == "true" || value == "false"):
			o.VirtualHost = value == "true"
		default:
			return nil, fmt.Errorf("s3://%s%s: the parameter %q is not known, or its value is not; known are endpoint, region, profile and virtual-host=true", u.Host, u.Path, name)
		}
	}
	return Open(ctx, o)
}

// config returns the settings that o has beside the environment and the files.
func (o *Options) config() []func(*config.LoadOptions) error {
	opts := []func(*config.LoadOptions) error{config.WithAppID("varve")}
	if o.Region != "" {
		opts = append(opts, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(o.Profile))
	}
	if o.HTTPClient != nil {
		opts = append(opts, config.WithHTTPClient(o.HTTPClient))
	}
	return opts
}

// url returns the options in the form that OpenURL takes.
func (o *Options) url() string {
	var params []string
	add := func(name, value string) {
		if value != "" {
			value = strings.NewReplacer("%3A", ":", "%2F", "/").Replace(url.QueryEscape(value))
			params = append(params, name+"="+value)
		}
	}
	add("endpoint", o.Endpoint)
	add("region", o.Region)
	add("profile", o.Profile)
	if o.VirtualHost {
		add("virtual-host", "true")
	}
	u := url.URL{Scheme: "s3", Host: o.Bucket, Path: "/" + o.Prefix, RawQuery: strings.Join(params, "&")}
	if o.Prefix == "" {
		u.Path = ""
	}
	return u.String()
}

// checkEndpoint refuses what would fail later, with a message that does not say why. Its error
// repeats nothing that may hold a password.
func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	const form = "write it as in https://host or http://host:port"
	if !strings.HasPrefix(endpoint, "http://") && !strings.HasPrefix(endpoint, "https://") {
		if strings.Contains(endpoint, "@") {
			return errors.New("the endpoint of the S3 target has no scheme: " + form)
		}
		return fmt.Errorf("the endpoint %q of the S3 target has no scheme: %s", endpoint, form)
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return errors.New("the endpoint of the S3 target is no URL: " + form)
	case u.User != nil:
		return errors.New("the endpoint of the S3 target holds credentials: take them out; " + whoYouAre)
	case u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("the endpoint %q of the S3 target is not a server's: %s", endpoint, form)
	}
	return nil
}
