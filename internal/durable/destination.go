// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Destination is where a store is: a directory or a part of a bucket. Two of the
// same value are the same place.
type Destination struct {
	// Directory is a path, "" for a bucket.
	Directory string

	// Bucket is the bucket's name, "" for a directory.
	Bucket string
	// Prefix is what its objects' keys begin with, without slashes around it.
	Prefix string
	// Endpoint is the root of the service, "" for Amazon's or what the AWS
	// environment says.
	Endpoint string
	// Region is "" when the AWS environment or profile says it.
	Region string
	// PathStyle puts the bucket into the path instead of the host name.
	PathStyle bool
	// pathStyleGiven says that PathStyle was written and is no default.
	pathStyleGiven bool
}

// DestinationError says what is wrong with a destination. Its text completes the
// sentence "it is …" and repeats no part that could be a secret.
type DestinationError struct {
	// Part is what is at fault: "" for the whole, or "bucket", "prefix",
	// "credentials", "settings", "endpoint", "region", "path_style".
	Part    string
	Problem string
}

func (e *DestinationError) Error() string { return e.Problem }

const s3Scheme = "s3"

var (
	// bucketName is Amazon's rule for buckets; other services follow it.
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	// regionName allows for upper case, as in OpenStack's "RegionOne".
	regionName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

// ParseDestination reads a directory path or
// "s3://bucket/prefix?endpoint=https://…&region=…&path_style=true". It looks at the
// text and at nothing else, so it is for plan time. Its errors are
// *DestinationError.
func ParseDestination(destination string) (Destination, error) {
	if strings.HasPrefix(strings.ToLower(destination), s3Scheme+"://") {
		return parseBucket(destination)
	}

	if destination != "" && addressLike.MatchString(destination) {
		return Destination{}, &DestinationError{"", "neither a directory nor an address such as \"s3://bucket/prefix\""}
	}

	if err := CheckPath(destination); err != nil {
		return Destination{}, err
	}

	return Destination{Directory: filepath.Clean(destination)}, nil
}

// SamePlace says whether two destinations are the same place, however they are
// spelled.
func SamePlace(a, b string) bool {
	if a == b {
		return true
	}

	d, err := ParseDestination(a)
	o, errOther := ParseDestination(b)

	switch {
	case err != nil || errOther != nil:
		return false
	case d.S3() || o.S3():
		d.pathStyleGiven, o.pathStyleGiven = false, false

		return d == o
	default:
		return Key(d.Directory) == Key(o.Directory)
	}
}

func parseBucket(text string) (Destination, error) {
	// What url.Parse says repeats the text, password included.
	u, err := url.Parse(text)
	if err != nil {
		return Destination{}, &DestinationError{"", "not a readable address: look for \"%\" and spaces"}
	}

	if u.User != nil {
		return Destination{}, &DestinationError{
			"credentials", "an address with a user name or password in it; credentials come from the AWS environment or profile",
		}
	}

	if u.Fragment != "" || strings.HasSuffix(text, "#") {
		return Destination{}, &DestinationError{"", "an address with a \"#\" in it; write it as \"%23\""}
	}

	d := Destination{Bucket: u.Host, Prefix: strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/")}

	_, addrErr := netip.ParseAddr(d.Bucket)

	switch {
	case d.Bucket == "":
		return Destination{}, &DestinationError{"bucket", "an address without a bucket"}
	case strings.Contains(d.Bucket, ":"):
		return Destination{}, &DestinationError{"bucket", "an address with a port; it belongs to the endpoint"}
	case !bucketName.MatchString(d.Bucket), strings.Contains(d.Bucket, ".."), addrErr == nil:
		return Destination{}, &DestinationError{
			"bucket", "an address whose bucket cannot exist: names have 3 to 63 lower-case letters, digits, dots and hyphens",
		}
	}

	if problem := checkPrefix(d.Prefix); problem != "" {
		return Destination{}, &DestinationError{"prefix", "an address with a prefix that " + problem}
	}

	if err := readSettings(&d, u.RawQuery); err != nil {
		return Destination{}, err
	}

	return d, nil
}

func readSettings(d *Destination, query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return &DestinationError{"settings", "an address whose settings cannot be read: look for \"%\" and \";\""}
	}

	// In a fixed order, so that the same text has the same error.
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name][0]

		switch {
		case len(values[name]) > 1:
			return &DestinationError{"settings", "an address that gives a setting twice"}
		case name == "endpoint":
			if err := checkEndpoint(value); err != nil {
				return err
			}

			d.Endpoint = strings.TrimRight(value, "/")
		case name == "region" && regionName.MatchString(value):
			d.Region = value
		case name == "region":
			return &DestinationError{name, "an address whose region is not letters, digits and hyphens"}
		case name == "path_style" && (value == "true" || value == "false"):
			d.PathStyle, d.pathStyleGiven = value == "true", true
		case name == "path_style":
			return &DestinationError{name, "an address whose path_style is neither true nor false"}
		default:
			return &DestinationError{
				"settings", "an address with an unknown setting; there are endpoint, path_style, region",
			}
		}
	}

	if !d.pathStyleGiven {
		d.PathStyle = d.Endpoint != ""
	}

	return nil
}

func checkEndpoint(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return &DestinationError{"endpoint", "an address whose endpoint is not a URL such as \"https://objects.example.com\""}
	}

	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return &DestinationError{"endpoint", "an address whose endpoint has more than scheme, host and path"}
	}

	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return &DestinationError{
			"endpoint", "an address whose endpoint is plain http to another machine, which would send the log in the clear",
		}
	}

	return nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)

	return host == "localhost" || (err == nil && a.IsLoopback())
}

// S3 says whether it is a bucket.
func (d Destination) S3() bool { return d.Bucket != "" }

// String writes the destination so that ParseDestination reads it back.
func (d Destination) String() string {
	if !d.S3() {
		return d.Directory
	}

	u := url.URL{Scheme: s3Scheme, Host: d.Bucket}
	if d.Prefix != "" {
		u.Path = "/" + d.Prefix
	}

	var settings []string

	if d.Endpoint != "" {
		// A reader shall recognise the endpoint: only what would end the value is
		// escaped.
		settings = append(settings, "endpoint="+
			strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B", ";", "%3B", "#", "%23", " ", "%20").Replace(d.Endpoint))
	}

	if d.Region != "" {
		settings = append(settings, "region="+d.Region)
	}

	if d.pathStyleGiven {
		settings = append(settings, "path_style="+strconv.FormatBool(d.PathStyle))
	}

	u.RawQuery = strings.Join(settings, "&")

	return u.String()
}
