#!/bin/sh
# Runs every benchmark and compares with the run before. BENCH chooses benchmarks, BENCHCOUNT repeats them.
set -eu
cd "$(dirname -- "$0")/.."

: "${BENCH:=.}" "${BENCHCOUNT:=1}"

mkdir -p .cache/bench
go test -run '^$' -bench "$BENCH" -benchmem -count "$BENCHCOUNT" ./... >.cache/bench/running.txt || {
	cat .cache/bench/running.txt
	exit 1
}
[ ! -f .cache/bench/latest.txt ] || mv .cache/bench/latest.txt .cache/bench/previous.txt
mv .cache/bench/running.txt .cache/bench/latest.txt

cat .cache/bench/latest.txt
if [ -f .cache/bench/previous.txt ]; then
	echo
	go tool -modfile=tools/go.mod benchstat .cache/bench/previous.txt .cache/bench/latest.txt
fi
