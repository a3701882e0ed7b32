package gateway

import (
	"regexp"
	"strings"
)

const s3Scheme = "s3://"

// CampaignsS3 says how the bucket of an s3:// URL is reached. Credentials come from the AWS SDK's chain: environment, files, role.
type CampaignsS3 struct {
	// Region is the bucket's. It has no default: a request to another region's endpoint is refused.
	Region string `yaml:"region"`
	// Endpoint replaces AWS's own: a VPC endpoint, or another server that speaks S3.
	Endpoint string `yaml:"endpoint"`
	// PathStyle puts the bucket's name into the path instead of the host name, as other servers need it.
	PathStyle bool `yaml:"path_style"`
}

// bucketName is also what is safe in a host name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var bucketName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]|\.[a-z0-9]){1,61}[a-z0-9]$`)

const maxKeyBytes = 1024

// S3Object is the object that URL names; false if it is not an s3:// URL. The key stands in the URL as it is, without an escape.
func (c *Campaigns) S3Object() (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(c.URL, s3Scheme)
	if !ok {
		return "", "", false
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, true
}

// campaignsS3 does not quote the URL, as its place may hold a secret if it was meant to be another.
func (p *parser) campaignsS3(c *Campaigns) {
	bucket, key, ok := c.S3Object()
	if !ok {
		p.check(c.S3 == nil, "campaigns.s3", "is for a campaigns.url of the form s3://bucket/key only")
		return
	}
	p.check(bucketName.MatchString(bucket) && len(bucket) <= 63 && key != "" && len(key) <= maxKeyBytes, "campaigns.url",
		"is not s3://bucket/key")
	p.check(c.CAFile == "", "campaigns.ca_file", "is not for S3: the AWS SDK reads AWS_CA_BUNDLE")
	if c.S3 == nil {
		p.add("campaigns.s3.region", "is missing")
		return
	}
	p.check(c.S3.Region != "", "campaigns.s3.region", "is missing")
	p.check(c.S3.Region == "" || region.MatchString(c.S3.Region), "campaigns.s3.region",
		"%s is not a region such as eu-west-1", p.quote("campaigns.s3.region", c.S3.Region))
	p.endpoint("campaigns.s3.endpoint", c.S3.Endpoint)
}
