#!/bin/sh
# Fails when docs/ or examples/ are not what `make generate` makes of this tree, or when SECURITY.md names a test that
# there is not. Run after it, by `make docs-check`.
set -eu
cd "$(dirname -- "$0")/.."

changed=$(git diff --name-only -- docs examples README.md)
# Not --exclude-standard for docs: a page that is ignored is a page that is not published.
untracked=$(git ls-files --others -- docs && git ls-files --others --exclude-standard -- examples)

if [ -n "$changed$untracked" ]; then
	git --no-pager diff --stat -- docs examples
	git --no-pager diff -- docs examples | head -n 200
	echo
	echo "docs/ or examples/ are not what \`make generate\` makes of this tree:"
	[ -z "$changed" ] || printf '%s\n' "$changed" | sed 's/^/  changed    /'
	[ -z "$untracked" ] || printf '%s\n' "$untracked" | sed 's/^/  not added  /'
	echo "Run \`make generate\` and add the result."
	exit 1
fi

if [ -z "$(git ls-files -- docs)" ]; then
	echo "docs/ is empty: \`make generate\` wrote no page."
	exit 1
fi

for test in $(grep -o '`Test[A-Za-z0-9_]*`' SECURITY.md | tr -d '`' | sort -u); do
	git grep -q "^func $test(" -- '*_test.go' || {
		echo "SECURITY.md names $test, which is no test."
		exit 1
	}
done
