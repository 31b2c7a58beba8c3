#!/bin/sh
# Runs every Go benchmark and compares with the run before. BENCH chooses benchmarks, BENCHCOUNT repeats them.
set -eu
cd "$(dirname -- "$0")/.."

: "${BENCH:=.}" "${BENCHCOUNT:=1}"

mkdir -p .cache/microbench
go test -run '^$' -bench "$BENCH" -benchmem -count "$BENCHCOUNT" ./... >.cache/microbench/running.txt || {
	cat .cache/microbench/running.txt
	exit 1
}
[ ! -f .cache/microbench/latest.txt ] || mv .cache/microbench/latest.txt .cache/microbench/previous.txt
mv .cache/microbench/running.txt .cache/microbench/latest.txt

cat .cache/microbench/latest.txt
if [ -f .cache/microbench/previous.txt ]; then
	echo
	go tool -modfile=tools/go.mod benchstat .cache/microbench/previous.txt .cache/microbench/latest.txt
fi
