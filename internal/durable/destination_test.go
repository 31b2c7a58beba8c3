// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

func TestParseDestination(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]durable.Destination{
		"evidence":              {Directory: "evidence"},
		"./evidence/":           {Directory: "evidence"},
		"/var/lib/audit":        {Directory: filepath.FromSlash("/var/lib/audit")},
		"../a b/ä":              {Directory: filepath.FromSlash("../a b/ä")},
		"s3":                    {Directory: "s3"},
		"s3/a":                  {Directory: filepath.FromSlash("s3/a")},
		"s3://evidence":         {Bucket: "evidence"},
		"s3://evidence/":        {Bucket: "evidence"},
		"S3://evidence/a/b/":    {Bucket: "evidence", Prefix: "a/b"},
		"s3://my.bucket/a%20b":  {Bucket: "my.bucket", Prefix: "a b"},
		"s3://evidence/a%3Fb/ä": {Bucket: "evidence", Prefix: "a?b/ä"},
		"s3://evidence/a?region=eu-west-1": {
			Bucket: "evidence", Prefix: "a", Region: "eu-west-1",
		},
		"s3://evidence/a?endpoint=https://objects.example.com/": {
			Bucket: "evidence", Prefix: "a", Endpoint: "https://objects.example.com", PathStyle: true,
		},
		"s3://evidence?endpoint=https%3A%2F%2Fobjects.example.com&region=RegionOne&path_style=false": {
			Bucket: "evidence", Endpoint: "https://objects.example.com", Region: "RegionOne",
		},
		"s3://evidence?path_style=true": {Bucket: "evidence", PathStyle: true},
		"s3://evidence?endpoint=http://127.0.0.1:9000": {
			Bucket: "evidence", Endpoint: "http://127.0.0.1:9000",
			PathStyle: true,
		},
		"s3://evidence?endpoint=http://[::1]:9000": {
			Bucket: "evidence", Endpoint: "http://[::1]:9000",
			PathStyle: true,
		},
		"s3://evidence?endpoint=http://localhost": {
			Bucket: "evidence", Endpoint: "http://localhost",
			PathStyle: true,
		},
		"s3://evidence?endpoint=https://example.com/storage/v1%2Bs3": {
			Bucket:   "evidence",
			Endpoint: "https://example.com/storage/v1+s3", PathStyle: true,
		},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()

			got, err := durable.ParseDestination(text)
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(durable.Destination{})); diff != "" {
				t.Errorf("destination (-want +got):\n%s", diff)
			}

			again, err := durable.ParseDestination(got.String())
			if err != nil || again != got {
				t.Errorf("%s: reads back as %#v, %v", got, again, err)
			}
		})
	}
}

func TestParseDestinationErrors(t *testing.T) {
	t.Parallel()

	const (
		address  = "neither a directory nor an address such as \"s3://bucket/prefix\""
		shell    = "a path that a shell would replace a part of, and here is no shell; write pathexpand(\"~/…\") or an absolute path, or \"./\" in front if the name is meant"
		spaces   = "a path with white space around it"
		bucket   = "an address whose bucket cannot exist: names have 3 to 63 lower-case letters, digits, dots and hyphens"
		url      = "an address whose endpoint is not a URL such as \"https://objects.example.com\""
		more     = "an address whose endpoint has more than scheme, host and path"
		region   = "an address whose region is not letters, digits and hyphens"
		settings = "an address with an unknown setting; there are endpoint, path_style, region"
		creds    = "an address with a user name or password in it; credentials come from the AWS environment or profile"
		inClear  = "an address whose endpoint is plain http to another machine, which would send the log in the clear"
	)

	for text, want := range map[string]string{
		"":                                     "empty",
		"a\x00b":                               "text with a zero byte",
		"gs://bucket/a":                        address,
		"file:///var/lib":                      address,
		"s3:/evidence":                         address,
		"FILE:/var/lib":                        address,
		"gs:/evidence":                         address,
		"~/evidence":                           shell,
		"~":                                    shell,
		"~root/evidence":                       shell,
		"$HOME/evidence":                       shell,
		"${HOME}/evidence":                     shell,
		"%USERPROFILE%/evidence":               shell,
		" evidence":                            spaces,
		"evidence\n":                           spaces,
		"https://hunter2:x@example.com":        address,
		"s3:bucket":                            address,
		"s3:/bucket":                           address,
		"s3://":                                "an address without a bucket",
		"s3:///prefix":                         "an address without a bucket",
		"s3://?region=a":                       "an address without a bucket",
		"s3://bucket:9000/a":                   "an address with a port; it belongs to the endpoint",
		"s3://ab":                              bucket,
		"s3://Evidence":                        bucket,
		"s3://evi_dence":                       bucket,
		"s3://-evidence":                       bucket,
		"s3://evi..dence":                      bucket,
		"s3://192.168.0.1":                     bucket,
		"s3://" + strings.Repeat("a", 64):      bucket,
		"s3://key:hunter2@bucket/a":            creds,
		"s3://key@bucket/a":                    creds,
		"s3://bucket/a#b":                      "an address with a \"#\" in it; write it as \"%23\"",
		"s3://bucket/a#":                       "an address with a \"#\" in it; write it as \"%23\"",
		"s3://bucket/hunter2%":                 "not a readable address: look for \"%\" and spaces",
		"s3://bucket//a":                       "an address with a prefix that has an empty part",
		"s3://bucket/a//b":                     "an address with a prefix that has an empty part",
		"s3://bucket/a/../b":                   "an address with a prefix that leads elsewhere",
		"s3://bucket/./b":                      "an address with a prefix that leads elsewhere",
		"s3://bucket/%0A":                      "an address with a prefix that has a character that not every store can keep",
		"s3://bucket/%ff":                      "an address with a prefix that has a character that not every store can keep",
		"s3://b-1/" + strings.Repeat("a", 513): "an address with a prefix that is too long",
		"s3://bucket?regoin=a":                 settings,
		"s3://bucket?Region=a":                 settings,
		"s3://bucket?secret_key=hunter2":       settings,
		"s3://bucket?region=a&region=a":        "an address that gives a setting twice",
		"s3://bucket?region=a;b=c":             "an address whose settings cannot be read: look for \"%\" and \";\"",
		"s3://bucket?region=":                  region,
		"s3://bucket?region=eu_west":           region,
		"s3://bucket?region=eu.west/../":       region,
		"s3://bucket?region=-a":                region,
		"s3://bucket?region=eu%20west":         region,
		"s3://bucket?path_style=":              "an address whose path_style is neither true nor false",
		"s3://bucket?path_style=yes":           "an address whose path_style is neither true nor false",
		"s3://bucket?endpoint=":                url,
		"s3://bucket?endpoint=example.com":     url,
		"s3://bucket?endpoint=ftp://a":         url,
		"s3://bucket?endpoint=https://":        url,
		"s3://bucket?endpoint=https://:1":      url,
		"s3://bucket?endpoint=https://a b/":    url,
		"s3://bucket?endpoint=https://u:hunter2@example.com": more,
		"s3://bucket?endpoint=https://example.com?a=b":       more,
		"s3://bucket?endpoint=https://example.com?":          more,
		"s3://bucket?endpoint=https://example.com%23a":       more,
		"s3://bucket?endpoint=http://example.com":            inClear,
		"s3://bucket?endpoint=http://10.0.0.1:9000":          inClear,
		"s3://bucket?endpoint=http://localhost.example.com":  inClear,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()

			_, err := durable.ParseDestination(text)

			if _, ok := errors.AsType[*durable.DestinationError](err); !ok {
				t.Fatalf("got %v", err)
			}

			if err.Error() != want {
				t.Errorf("\n got %q\nwant %q", err, want)
			}

			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error repeats a secret")
			}

			if _, openErr := durable.OpenStore(t.Context(), text, durable.StoreOptions{}); openErr == nil ||
				openErr.Error() != want {
				t.Errorf("OpenStore: %v", openErr)
			}
		})
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, text := range []string{
		"a/b", "s3://bucket/a%20b?endpoint=https://a.example/b%2Bc&region=x&path_style=false", "s3://b-1/%25?endpoint=http://[::1]:1",
	} {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		d, err := durable.ParseDestination(text)
		if err != nil {
			return
		}

		again, err := durable.ParseDestination(d.String())
		if err != nil || again != d {
			t.Errorf("%q: %q reads back as %#v, %v", text, d, again, err)
		}
	})
}
