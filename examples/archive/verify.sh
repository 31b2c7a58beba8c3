#!/bin/sh
# Verifies a copy of an archive with sha256sum and jq alone: none of our code.
# Usage: verify.sh DIRECTORY [HEAD], HEAD being NUMBER:SHA256 as remembered elsewhere.
set -eu
cd "$1"
head=${2-}

fail() {
	echo "NOT OK: $*" >&2
	exit 1
}
hash() { sha256sum "$1" | cut -d ' ' -f 1; }

previous=''
n=0
for manifest in manifests/*.json; do
	n=$((n + 1))
	[ "$manifest" = "$(printf 'manifests/%08d.json' "$n")" ] || fail "manifest $n is missing"
	[ "$(jq -r .sequence "$manifest")" -eq "$n" ] || fail "$manifest is in the wrong place"
	[ "$(jq -r .previous "$manifest")" = "$previous" ] || fail "$manifest does not follow the one before it"
	segment=$(jq -r .segment.key "$manifest")
	[ -f "$segment" ] || fail "$segment is missing"
	[ "$(hash "$segment")" = "$(jq -r .segment.sha256 "$manifest")" ] || fail "$segment was altered"
	previous=$(hash "$manifest")
	[ "${head%%:*}" != "$n" ] || [ "${head#*:}" = "$previous" ] || fail "$manifest is not the one remembered"
done

# The checkpoint: a name, the last manifest's number, and its hash in base64.
[ "$(sed -n 2p checkpoint)" -eq "$n" ] || fail "the checkpoint does not name manifest $n"
[ "$(sed -n 3p checkpoint | base64 -d | od -An -v -tx1 | tr -d ' \n')" = "$previous" ] || fail "the checkpoint names another manifest"
[ -z "$head" ] || [ "${head%%:*}" -le "$n" ] || fail "the archive ends before segment ${head%%:*}"

# Every segment is named by a manifest.
[ "$(find entries -type f | wc -l)" -eq "$n" ] || fail "there are files that no manifest names"
echo "OK: $n segments, $(jq -s 'map(.segment.entry_count) | add' manifests/*.json) entries, head $n:$previous"
