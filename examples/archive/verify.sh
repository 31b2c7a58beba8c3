#!/bin/sh
# Verifies a copy of an archive with sha256sum and jq alone: none of our code. It does not
# check the Merkle root and the signature of the checkpoint, for which there are tools.
# Usage: verify.sh DIRECTORY [HEAD], HEAD being NUMBER:SHA256 as remembered elsewhere.
# Exit: 0 OK, 1 not OK, 2 not checked.
set -eu && export LC_ALL=C
usage() { echo "NOT CHECKED: usage: verify.sh DIRECTORY [NUMBER:SHA256], and not: $*" >&2 && exit 2; }
{ [ $# -eq 1 ] || [ $# -eq 2 ]; } && [ -d "$1" ] || usage "$@"
head=${2-} compared=
[ $# -eq 1 ] || printf '%s\n' "$head" | grep -qxE '[1-9][0-9]*:[0-9a-f]{64}' || usage "$@"
work=$(mktemp -d) && trap 'rm -r "$work"' EXIT && cd "$1"
fail() { echo "NOT OK: $*" >&2 && exit 1; }
# check KEY SHA256 WHAT makes sure that a file is there and has that hash.
check() {
	[ -f "$1" ] && [ ! -L "$1" ] || fail "$1 is missing"
	[ "$(sha256sum <"$1" | cut -d ' ' -f 1)" = "$2" ] && printf '%s\n' "$1" >>"$work/named" || fail "$1 is not what $3 says"
}

# point NUMBER names a checkpoint, with more signatures below it if it is cosigned, and its time stamp, which takes openssl.
point() {
	number=$(printf %08d "$1") && echo "checkpoints/$number" >>"$work/named"
	[ ! -f "timestamps/$number.tsr" ] || echo "timestamps/$number.tsr" >>"$work/named"
	[ -f "cosigned/$number" ] && echo "cosigned/$number" >>"$work/named" || return 0
	head -c "$(wc -c <"checkpoints/$number")" "cosigned/$number" | cmp -s - "checkpoints/$number" || fail "cosigned/$number is not checkpoints/$number with more signatures"
}

[ -f checkpoint ] || fail "there is no checkpoint"
size=$(sed -n 2p checkpoint) && newest=$(printf %08d "$size") || fail "the checkpoint has no size"
cmp -s checkpoint "checkpoints/$newest" || cmp -s checkpoint "cosigned/$newest" || fail "the checkpoint is not a copy of that of its size"
find manifests -name '*.json' 2>"$work/errors" | sort >"$work/manifests"
[ "$(grep -c '' "$work/manifests")" -eq "$size" ] || fail "the checkpoint is of $size manifests, and there are $(grep -c '' "$work/manifests")"

printf '%s\n' checkpoint >"$work/named" && point 0
previous='' n=0
while read -r manifest; do
	n=$((n + 1))
	sha256=$(sha256sum <"$manifest" | cut -d ' ' -f 1)
	begin=$(printf %.16s "$sha256")
	[ "$manifest" = "$(printf 'manifests/%08d-%s.json' "$n" "$begin")" ] || fail "$manifest is not manifest $n, or was altered"
	jq -r '"\(.sequence) \(.previous)", ((.segment, .supplement, ((.files // [])[] | select(.key | IN("README.txt", ".gitattributes")))) | select(.) | .sha256 + " " + .key)' "$manifest" >"$work/says"
	{
		read -r number before
		[ "$number" = "$n" ] || fail "$manifest is in the wrong place"
		[ "$before" = "$previous" ] || fail "$manifest does not follow the one before it"
		while read -r hash key; do check "$key" "$hash" "manifest $n"; done
	} <"$work/says"
	printf '%s\n' "$manifest" >>"$work/named" && point "$n"
	previous=$sha256
	[ "${head%%:*}" != "$n" ] || { [ "${head#*:}" = "$previous" ] && compared=yes; } || fail "$manifest is not the one remembered"
done <"$work/manifests"
[ -z "$head" ] || [ "$compared" ] || fail "the archive ends before manifest ${head%%:*}"
# There is nothing else but the tiles, which follow from the manifests, and no link.
[ -z "$(find . ! -type d ! -type f)" ] || fail "there are links, or what is no file: $(find . ! -type d ! -type f)"
tiles='^tile/([0-9]+|entries)/(x[0-9]{3}/)*[0-9]{3}([.]p/[0-9]+)?$'
find . -type f | sed 's,^[.]/,,' | grep -vE "$tiles" | sort >"$work/there"
[ "$n" -gt 0 ] || grep -xE 'README.txt|[.]gitattributes' "$work/there" >>"$work/named" || true
other=$(sort -u "$work/named" | comm -3 - "$work/there" | tr -d '\t')
[ -z "$other" ] || fail "the manifests lead to other files than are there: $other"
counts='"\(map(select(.segment)) | length) segments, \(map(.segment.entry_count // 0) | add // 0) entries"'
echo "OK: $(xargs cat <"$work/manifests" | jq -rs "$counts"), head $n:$previous"
