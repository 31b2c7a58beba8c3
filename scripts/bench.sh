#!/bin/sh
# Measures how fast logs are read, against what people use else, and fails where a limit is not reached:
#
#   make bench                     everything, a quarter of an hour
#   make bench BENCH=cloudscale    only the rows whose names hold this text
#   make bench QUICK=1             a tenth of the entries and one pair, to try it
#   make bench PROFILE=1           also a CPU profile for each row, in bench/results
#   make bench PAIRS=9             more pairs than five
#
# bench/README.md says how to read the table. Started by with-terraform.sh, which finds Terraform.
set -eu
cd "$(dirname -- "$0")/.."

has_aiohttp() {
	"$1" -c 'import aiohttp' >/dev/null 2>&1
}

# Python with aiohttp: what is on PATH, the system's, or one of our own in .cache.
find_python() {
	own=.cache/bench/venv/bin/python
	for candidate in "$own" python3 /usr/bin/python3; do
		if has_aiohttp "$candidate"; then
			command -v "$candidate"
			return
		fi
	done
	python3 -m venv .cache/bench/venv >/dev/null 2>&1 &&
		"$own" -m pip install --quiet --retries 0 --timeout 10 aiohttp >/dev/null 2>&1 &&
		has_aiohttp "$own" && echo "$own" || true
}

python=$(find_python)
[ -n "$python" ] || echo "No Python with aiohttp, and none can be installed (Debian: apt-get install python3-aiohttp): the rows that compare with it are left out." >&2

mkdir -p .cache/bench
go build -o .cache/bench/ ./bench ./bench/provider ./cmd/auditlog
exec .cache/bench/bench -provider "$PWD/.cache/bench/provider" -auditlog "$PWD/.cache/bench/auditlog" -python "$python" -terraform "${TERRAFORM:-}" -only "${BENCH:-}" -pairs "${PAIRS:-5}" \
	${QUICK:+-quick} ${PROFILE:+-profile}
