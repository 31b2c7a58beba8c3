// SPDX-License-Identifier: MPL-2.0

package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuildOf(t *testing.T) {
	t.Parallel()
	goVersion := strings.TrimPrefix(runtime.Version(), "go")
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want build
	}{
		"from a checkout": {
			debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0a1b"},
				{Key: "vcs.time", Value: "2026-11-25T10:00:00Z"},
				{Key: "vcs.modified", Value: "false"},
			}},
			build{"dev", "0a1b", "2026-11-25T10:00:00Z", goVersion},
		},
		"with changes": {
			debug.BuildInfo{Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0a1b"}, {Key: "vcs.modified", Value: "true"},
			}},
			build{"dev", "0a1b, with changes", notRecorded, goVersion},
		},
		"by go install": {
			debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}},
			build{"1.2.3", notRecorded, notRecorded, goVersion},
		},
		"nothing known": {debug.BuildInfo{}, build{"dev", notRecorded, notRecorded, goVersion}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := buildOf(&test.info); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
