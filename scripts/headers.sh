#!/bin/sh
# Puts the licence line on every Go file that lacks it. Not `golangci-lint --fix`, which takes a package comment for a
# wrong header and replaces it.
set -eu
cd "$(dirname -- "$0")/.."

header='// SPDX-License-Identifier: MPL-2.0'

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
find . -name '*.go' -not -path './.cache/*' -not -path '*/testdata/*' | sort | while read -r file; do
	case $(head -n 1 "$file") in
	"$header" | '// Code generated '*) continue ;;
	esac
	{ printf '%s\n\n' "$header" && cat "$file"; } >"$fresh"
	cat "$fresh" >"$file"
	printf '%s\n' "$file"
done
