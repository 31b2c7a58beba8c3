#!/bin/sh
# Runs every fuzz target for FUZZTIME (default 30s), one after the other: go test accepts only one at a time.
set -eu
cd "$(dirname -- "$0")/.."

: "${FUZZTIME:=30s}"

ran=0
for file in $(find . -name '*_test.go' -not -path './.cache/*' -not -path './tools/*' | sort); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "== $target in $(dirname "$file") for $FUZZTIME"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$(dirname "$file")"
		ran=$((ran + 1))
	done
done

if [ "$ran" -eq 0 ]; then
	echo "No fuzz target found."
	exit 1
fi
echo "$ran fuzz targets, no failure."
