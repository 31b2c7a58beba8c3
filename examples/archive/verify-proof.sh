#!/bin/sh
# Verifies what `auditlog prove` made with sha256sum, xxd, jq and openssl: none of our code. It
# prints what is proven, and the entry. Exit: 0 proven, 1 not proven, 2 not checked.
# Usage: verify-proof.sh PROOF PUBLIC_KEY [ORIGIN], the key as text or file; any archive's without ORIGIN.
set -eu && export LC_ALL=C
bad() { verdict=1 && echo "NOT OK: $*" >&2 && exit 1; }
cannot() { echo "NOT CHECKED: $*" >&2 && exit 2; }
[ $# -eq 2 ] || [ $# -eq 3 ] || cannot "usage: verify-proof.sh PROOF PUBLIC_KEY [ORIGIN]"
for tool in sha256sum xxd jq openssl; do command -v "$tool" >/dev/null || cannot "there is no $tool"; done
openssl pkeyutl -help 2>&1 | grep -q rawin || cannot "this openssl cannot verify Ed25519"
proof=$1 verdict=2
[ -f "$proof" ] && [ "$(head -c 23 "$proof" | tr -d '\0')" = 'c2sp.org/tlog-proof@v1' ] || cannot "$proof is no proof"
work=$(mktemp -d) && trap 'rm -r "$work"; exit "$verdict"' EXIT || cannot "there is no place for temporary files"
sha256() { sha256sum | cut -c 1-64; } && line() { sed -n "$1p" "$proof"; }
# unbase64 TEXT LENGTH sets $hex. openssl skips what is no base64, so it has to encode it again.
unbase64() {
	hex=$(printf %s "$1" | openssl base64 -d -A | xxd -p -c 256)
	[ ${#hex} -eq $((2 * $2)) ] && [ "$(printf %s "$hex" | xxd -r -p | openssl base64 -A)" = "$1" ]
}
# climb INDEX SIZE HASH ROOT <PATH is the algorithm of RFC 9162 §2.1.3.2.
climb() {
	for n in "$1" "$2"; do case $n in '' | *[!0-9]* | 0?* | ?????????*) return 1 ;; esac done
	[ "$1" -lt "$2" ] && fn=$1 sn=$(($2 - 1)) r=$3 || return 1
	while read -r p; do
		[ "$sn" -gt 0 ] && [ ${#p} -eq 64 ] && both=$r$p || return 1
		[ $((fn & 1)) -eq 0 ] && [ "$fn" -ne "$sn" ] || both=$p$r
		r=$(printf '01%s' "$both" | xxd -r -p | sha256)
		while [ "$fn" -eq "$sn" ] && [ $((fn & 1)) -eq 0 ] && [ "$fn" -gt 0 ]; do fn=$((fn >> 1)) sn=$((sn >> 1)); done
		fn=$((fn >> 1)) sn=$((sn >> 1))
	done
	[ "$sn" -eq 0 ] && [ "$r" = "$4" ]
}
# object FILE CONDITION: it is one value that meets the condition, and has no key twice.
object() {
	jq -c --stream 'select(length == 2)' "$1" 2>/dev/null | sort >"$work/all" && jq -cs "def hash: type == \"string\" and test(\"\\\\A[0-9a-f]{64}\\\\z\"); def number: type == \"number\";
		select(length == 1) | .[0] | select($2) | tostream | select(length == 2)" "$1" 2>/dev/null | sort | cmp -s - "$work/all" && [ -s "$work/all" ]
}
# key TEXT reads a key. A file comes second: somebody could name one like the key.
key() { key=${1#public key: } && name=${key%%+*} && id=${key#*+} && id=${id%%+*} && [ "$key" = "$name+$id+${key#*+*+}" ] && unbase64 "${key#*+*+}" 33; }
{ key "$2" || { [ -f "$2" ] && key "$(cat "$2")"; }; } && printf '302a300506032b6570032100%s' "${hex#01}" | xxd -r -p >"$work/key" || cannot "the public key cannot be read"
# Header, extra, index, path; an empty line, origin, size, root; an empty line, signatures.
[ "$(tr -d '\n\040-\176\200-\377' <"$proof" | wc -c)" -eq 0 ] && [ -z "$(tail -c 1 "$proof")" ] && at=$(grep -n '^$' "$proof" | tr -d '\n') &&
	first=${at%%:*} && [ "$at" = "$first:$((first + 4)):" ] && [ "$first" -lt 40 ] || bad "it is not laid out as a proof"
line '2s/^extra //' | tr -d '\n' >"$work/64" && openssl base64 -d -A -in "$work/64" -out "$work/extra" && openssl base64 -A -in "$work/extra" | cmp -s - "$work/64" &&
	object "$work/extra" 'keys == ["entry", "entry_index", "entry_path", "manifest", "salt"] and (.salt | hash) and (.entry_index | number) and (.entry_path // [] | all(hash))' &&
	jq -j .entry "$work/extra" >"$work/entry" && jq -j .manifest "$work/extra" >"$work/manifest" || bad "it holds no entry"
index=$(line '3s/^index //') origin=$(line $((first + 1))) size=$(line $((first + 2)))
line "4,$first" | while IFS= read -r p && [ "$p" ]; do unbase64 "$p" 32 && echo "$hex" || echo -; done >"$work/path"
unbase64 "$(line $((first + 3)))" 32 && climb "$index" "$size" "$({ printf '\0' && cat "$work/manifest"; } | sha256)" "$hex" <"$work/path" || bad "the manifest is not in the log"
object "$work/manifest" ".manifest_version == 2 and .sequence == $index + 1 and (.segment | (.entries_root | hash) and (.entry_count | number))" || bad "the manifest describes no entries"
jq -r '.segment | "\(.entry_count) \(.entries_root)"' "$work/manifest" >"$work/segment" && read -r count root <"$work/segment"
jq -r '.entry_index, .salt, (.entry_path // [])[]' "$work/extra" >"$work/path" && { read -r number && read -r salt; } <"$work/path" && sed 1,2d "$work/path" >"$work/up"
leaf=$(printf '00%s' "$salt" | xxd -r -p | cat - "$work/entry" | sha256) && tr -d '\000-\037' <"$work/entry" | cmp -s - "$work/entry" &&
	climb "$number" "$count" "$leaf" "$root" <"$work/up" || bad "the entry is not in the segment"
line "$((first + 1)),$((first + 3))" >"$work/text" && line "$((first + 5)),\$" | while IFS= read -r s; do
	case $s in "— $name "*) unbase64 "${s#"— $name "}" 68 && printf %s "${hex#"$id"}" | xxd -r -p >"$work/signature" &&
		openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/text" -sigfile "$work/signature" >/dev/null 2>&1 && echo yes >"$work/signed" ;; esac
done || true
[ -f "$work/signed" ] && [ "$origin" = "${3-$origin}" ] || bad "the checkpoint is not signed by this key, or it is of another archive: $origin"
verdict=0 && echo "OK: entry $number of manifest $((index + 1)) of $size of $origin, signed by $name:" && cat "$work/entry" && echo
