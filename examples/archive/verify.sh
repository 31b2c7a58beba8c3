#!/bin/sh
# Verifies a copy of an archive with sha256sum and jq alone: none of our code. It does not
# check the Merkle root and the signature of the checkpoint, for which there are tools.
# Usage: verify.sh DIRECTORY [HEAD], HEAD being NUMBER:SHA256 as remembered elsewhere.
set -eu
LC_ALL=C
export LC_ALL
head=${2-}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$1"

fail() {
	echo "NOT OK: $*" >&2
	exit 1
}
# check KEY SHA256 WHAT makes sure that a file is there and has that hash.
check() {
	[ -f "$1" ] && [ ! -L "$1" ] || fail "$1 is missing"
	[ "$(sha256sum <"$1" | cut -d ' ' -f 1)" = "$2" ] || fail "$1 is not what $3 says"
	printf '%s\n' "$1" >>"$work/named"
}

[ -f checkpoint ] || fail "there is no checkpoint"
size=$(sed -n 2p checkpoint)
cmp -s checkpoint "$(printf 'checkpoints/%08d' "$size")" || fail "the checkpoint is not a copy of that of its size"
find manifests -name '*.json' 2>"$work/errors" | sort >"$work/manifests"
[ "$(grep -c '' "$work/manifests")" -eq "$size" ] || fail "the checkpoint is of $size manifests, and there are $(grep -c '' "$work/manifests")"

printf '%s\n' checkpoint checkpoints/00000000 >"$work/named"
previous=''
n=0
while read -r manifest; do
	n=$((n + 1))
	sha256=$(sha256sum <"$manifest" | cut -d ' ' -f 1)
	begin=$(printf %.16s "$sha256")
	[ "$manifest" = "$(printf 'manifests/%08d-%s.json' "$n" "$begin")" ] || fail "$manifest is not manifest $n, or was altered"
	jq -r '"\(.sequence) \(.previous)", ((.segment, .supplement, (.files // [])[]) | select(.) | .sha256 + " " + .key)' "$manifest" >"$work/says"
	{
		read -r number before
		[ "$number" = "$n" ] || fail "$manifest is in the wrong place"
		[ "$before" = "$previous" ] || fail "$manifest does not follow the one before it"
		while read -r hash key; do check "$key" "$hash" "manifest $n"; done
	} <"$work/says"
	printf '%s\n' "$manifest" "$(printf 'checkpoints/%08d' "$n")" >>"$work/named"
	previous=$sha256
	[ "${head%%:*}" != "$n" ] || [ "${head#*:}" = "$previous" ] || fail "$manifest is not the one remembered"
done <"$work/manifests"
[ -z "$head" ] || [ "${head%%:*}" -le "$n" ] || fail "the archive ends before manifest ${head%%:*}"

# There is nothing else but the tiles, which follow from the manifests, and no link.
[ -z "$(find . ! -type d ! -type f)" ] || fail "there are links, or what is no file: $(find . ! -type d ! -type f)"
tiles='^tile/([0-9]+|entries)/(x[0-9]{3}/)*[0-9]{3}([.]p/[0-9]+)?$'
find . -type f | sed 's,^[.]/,,' | grep -vE "$tiles" | sort >"$work/there"
[ "$n" -gt 0 ] || grep -xE 'README.txt|[.]gitattributes' "$work/there" >>"$work/named" || true
other=$(sort -u "$work/named" | comm -3 - "$work/there" | tr -d '\t')
[ -z "$other" ] || fail "the manifests lead to other files than are there: $other"
counts='"\(map(select(.segment)) | length) segments, \(map(.segment.entry_count // 0) | add // 0) entries"'
echo "OK: $(xargs cat <"$work/manifests" | jq -rs "$counts"), head $n:$previous"
