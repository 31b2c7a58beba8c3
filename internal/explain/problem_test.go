// SPDX-License-Identifier: MPL-2.0

package explain

import "testing"

func TestSentences(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		"read s3://evidence/a: it is gone": "Read s3://evidence/a: it is gone.",
		"s3://evidence ignores it":         "s3://evidence ignores it.",
		"manifests/00000001.json is gone":  "manifests/00000001.json is gone.",
		"max_entries is too small.":        "max_entries is too small.",
		"über":                             "Über.",
		"the archive's end...":             "The archive's end.",
		"":                                 "The reason is unknown.",
		"...":                              "The reason is unknown.",
	} {
		if got := Sentence(in).In(Terraform); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func severity(p Problem) string {
	if p.Warning {
		return "Warning"
	}

	return "Error"
}
