// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

func TestPathsAreWhatTheyName(t *testing.T) {
	t.Chdir(t.TempDir())

	if err := os.MkdirAll("real/deep", 0o700); err != nil {
		t.Fatal(err)
	}

	here, err := filepath.Abs("out/x")
	if err != nil {
		t.Fatal(err)
	}

	same := [][]string{
		{"out/x", "./out/x", "out//x", "out/../out/x", "out/./x", "real/../out/x", here},
		{"x", "./x", "out/../x"},
		{"real/deep/x", "real/deep/../deep/x"},
		{"real/deep/no/x", "real/deep/no/such/../x"},
		{"out/X"},
		{"out/x.csv"},
		{"out/xx"},
	}

	if err := os.Symlink("real", "link"); err == nil {
		same[2] = append(same[2], "link/deep/x")
		same[3] = append(same[3], "link/deep/no/x")
		// The last name is a file's: what is a link there is refused, not followed.
		if err := os.Symlink("real/deep/x", "x.link"); err != nil {
			t.Fatal(err)
		}

		same = append(same, []string{"x.link"})
	}

	if other, err := os.Stat(strings.ToUpper("real")); err == nil && other.IsDir() {
		t.Skip("the file system does not tell upper from lower case")
	}

	if err := os.Symlink("real", "REAL"); err == nil {
		same = append(same, []string{"real/A", "REAL/A"}, []string{"real/a", "REAL/a"})
	}

	for i, paths := range same {
		for _, path := range paths {
			for j, others := range same {
				for _, other := range others {
					if got := durable.Key(path) == durable.Key(other); got != (i == j) {
						t.Errorf("%s and %s: same is %v", path, other, got)
					}
				}
			}
		}
	}
}

func TestPathsOnThisMachine(t *testing.T) {
	t.Parallel()

	for path, fine := range map[string]bool{
		"x": true, "./~/x": true, "a~/b": true, "~x/..": false, "a/~/x": true, "/var/x": true, "../x": true, `C:\x`: true,
		"c:/x": true, "s3": true,
		"a:b": true, "./s3:/x": true, "out/$HOME": true, "ä b/x": true,
		"": false, "~": false, "~/x": false, "~root/x": false, `~\x`: false, "$HOME/x": false, "${HOME}/x": false,
		`%APPDATA%\x`: false,
		"s3://b/x":    false, "S3://b/x": false, "s3:/b": false, "s3:b": false, "file:///x": false, "File:x": false,
		"https://a/x": false,
		"gs://b/x":    false, "abfss:/b": false, " x": false, "x\n": false, "x\x00": false, "\u00a0x": false,
	} {
		if err := durable.CheckPath(path); (err == nil) != fine {
			t.Errorf("%q: got %v", path, err)
		}
	}
}

func TestSamePlace(t *testing.T) {
	t.Chdir(t.TempDir())

	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"arch", "./arch", true},
		{"arch", "arch/", true},
		{"arch", "x/../arch", true},
		{"arch", "arch/x", false},
		{"s3://bucket/a", "S3://bucket/a/", true},
		{
			"s3://bucket/a?endpoint=https://e.example.com",
			"s3://bucket/a?path_style=true&endpoint=https%3A%2F%2Fe.example.com/", true,
		},
		{"s3://bucket/a", "s3://bucket/b", false},
		{"s3://bucket/a", "bucket/a", false},
		{"s3://bucket/a?region=de", "s3://bucket/a", false},
		{"~", "s3://", false},
	} {
		if got := durable.SamePlace(c.a, c.b); got != c.same {
			t.Errorf("%s and %s: same is %v", c.a, c.b, got)
		}
	}
}
