#!/bin/sh
# The whole tour: look up, keep, plan again, gate, archive. Run by `make demo`, under scripts/with-terraform.sh.
#
# It uses examples/ as they are, against fakes of the clouds on this machine. Everything happens in a temporary
# directory that is removed; nothing is written into the checkout. Exits 0 only when every step did what it should.
set -eu
cd "$(dirname -- "$0")/.."

: "${TERRAFORM:?is the path of terraform or tofu; run this by \`make demo\`}"

work=$(mktemp -d)
mock=
clean_up() {
	if [ -n "$mock" ]; then
		kill "$mock" 2>/dev/null || :
		wait "$mock" 2>/dev/null || :
	fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	printf '\nThe tour stopped: %s\n' "$*" >&2
	exit 1
}

heading() {
	printf '\n\n%s\n%s\n' "$1" "$(printf '%s' "$1" | sed 's/./-/g')"
}

# attempt runs a command in $place with its output in $work/log, and stops the tour unless it exits as expected.
attempt() {
	expected=$1
	shift
	code=0
	(cd "$place" && "$@") >"$work/log" 2>&1 || code=$?
	if [ "$code" -ne "$expected" ]; then
		tidy <"$work/log"
		fail "this command exited with $code, not $expected: $*"
	fi
}

# shown does the same and shows it: shown 'what to print' EXPECTED_CODE command [argument…]
shown() {
	printf '\n  $ %s\n\n' "$1"
	shift
	attempt "$@"
	tidy <"$work/log"
}

# tidy indents, and drops Terraform's lines about progress, carriage returns of CSV, and blank lines at the edges.
tidy() {
	tr -d '\r' | awk '
		/: (Reading|Refreshing state|Still reading|Creating)\.\.\./ || /: Read complete after/ { next }
		/^[ \t]*$/ { blank = 1; next }
		{ if (blank && printed) print ""; blank = 0; printed = 1; print "  " $0 }'
}

# contains stops the tour unless the last command printed the text.
contains() {
	grep -F -q -e "$1" "$work/log" || fail "its output lacks: $1"
}

# value prints a string of the mock's line of JSON.
value() {
	printf '%s\n' "$announced" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# --- What the tour needs: the provider where `terraform init` finds it, and clouds to talk to. ---

version=$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
[ -n "$version" ] || fail "CHANGELOG.md names no version."
platform=$(go env GOOS)_$(go env GOARCH)
exe=$(go env GOEXE)

go build -ldflags "-X main.version=$version-dev" -o "$work/bin/" . ./cmd/auditlog

# A mirror, not dev_overrides: `terraform init` then works as it does for a user, and prints no warning.
for host in registry.terraform.io registry.opentofu.org; do
	mirrored=$work/mirror/$host/auditlogs/audit/$version/$platform
	mkdir -p "$mirrored"
	cp "$work/bin/terraform-provider-audit$exe" "$mirrored/terraform-provider-audit_v$version$exe"
done
cat >"$work/terraform.rc" <<RC
disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path = "$work/mirror"
  }
}
RC
export TF_CLI_CONFIG_FILE="$work/terraform.rc" TF_IN_AUTOMATION=1 TF_INPUT=0 NO_COLOR=1
for subcommand in init plan apply output; do
	export "TF_CLI_ARGS_$subcommand=-no-color"
done

# The mock says on its first line where it listens; reading a pipe waits for that line, or for its end.
mkfifo "$work/announcement"
"$work/bin/auditlog$exe" mock --now now --entries 2000 --seed 7 >"$work/announcement" 2>"$work/mock.txt" &
mock=$!
read -r announced <"$work/announcement" || fail "the mock did not start: $(cat "$work/mock.txt")"

# The examples take these from the environment, as they would for an account.
UPCLOUD_TOKEN=$(value token)
CLOUDSCALE_API_TOKEN=$UPCLOUD_TOKEN
UPCLOUD_DEBUG_API_BASE_URL=$(value upcloud)
CLOUDSCALE_API_URL=$(value cloudscale)
export UPCLOUD_TOKEN CLOUDSCALE_API_TOKEN UPCLOUD_DEBUG_API_BASE_URL CLOUDSCALE_API_URL

cp -R examples/demo examples/gates/counts examples/gates/ephemeral examples/gates/findings examples/archive examples/archive-lookup examples/podstack "$work/"
TF_VAR_until=$(date -u +%Y-%m-%dT%H:%M:%SZ)
export TF_VAR_until
tf=$(basename -- "$TERRAFORM" "$exe")

printf '%s, against fakes of UpCloud and cloudscale on this machine: no account, no network.\n' \
	"$("$TERRAFORM" version | head -n 1)"

# --- The tour. ---

place=$work/demo

heading '1. Look up: what happened in the last seven days? (examples/demo)'
attempt 0 "$TERRAFORM" init
attempt 0 "$TERRAFORM" plan -out=week.tfplan
contains 'Plan: 3 to add, 0 to change, 0 to destroy.'
shown "$tf init && $tf plan -out=week.tfplan && $tf apply week.tfplan" 0 "$TERRAFORM" apply week.tfplan
contains 'Apply complete! Resources: 3 added, 0 changed, 0 destroyed.'
contains 'total_matches: '
contains 'cursor_exhausted: '
if grep -q '"entries" = 0$' "$work/log"; then fail "a look-up found nothing."; fi

heading '2. Keep: the files that the same apply wrote'
place=$work/demo/evidence
shown 'cd evidence && wc -c *' 0 wc -c upcloud-deletions.csv upcloud-deletions.csv.manifest.json \
	upcloud-deletions.csv.sha256 upcloud.ndjson upcloud.ndjson.manifest.json upcloud.ndjson.sha256 \
	cloudscale.json cloudscale.json.manifest.json cloudscale.json.sha256
shown 'head -n 4 upcloud-deletions.csv' 0 head -n 4 upcloud-deletions.csv
shown 'head -n 2 upcloud.ndjson | cut -c 1-94' 0 sh -c 'head -n 2 upcloud.ndjson | cut -c 1-94'
shown 'head -n 3 cloudscale.json | cut -c 1-94' 0 sh -c 'head -n 3 cloudscale.json | cut -c 1-94'

printf '\n  What the manifest of upcloud.ndjson says about completeness:\n'
shown "sed -n '/completeness/,/}/p' upcloud.ndjson.manifest.json" 0 \
	sed -n '/completeness/,/}/p' upcloud.ndjson.manifest.json
contains '"proof": "total_matches"'
printf '\n  (Exports leave out the newest minute, which a cloud may still be filling: settle_delay.)\n'

lines=$(wc -l <"$place/upcloud.ndjson" | tr -d ' ')
grep -q "\"entry_count\": $lines,\$" "$place/upcloud.ndjson.manifest.json" ||
	fail "the manifest does not count the $lines entries of upcloud.ndjson."

printf '\n  An auditor needs none of our code:\n'
if command -v sha256sum >/dev/null 2>&1; then
	shown 'sha256sum -c *.sha256' 0 sh -c 'sha256sum -c *.sha256'
else
	shown 'shasum -a 256 -c *.sha256' 0 sh -c 'shasum -a 256 -c *.sha256'
fi
[ "$(grep -c ': OK$' "$work/log")" -eq 6 ] || fail "not all six files were checked."

heading '3. Plan again: nothing to do (0 means no changes, 2 would mean changes)'
place=$work/demo
shown "$tf plan -detailed-exitcode; echo \"exit code \$?\"" 0 "$TERRAFORM" plan -detailed-exitcode
contains 'No changes.'
printf '\n  exit code %s\n' "$code"
if grep -q 'actions that nobody knows' "$work/log"; then
	printf '\n  (The warning is meant: the fake of cloudscale records an action that no table knows, so nobody can say that it\n  was no deletion. The result is not conclusive then.)\n'
fi

heading '4. Gate: fail when something was deleted that should not have been (examples/gates/counts)'
place=$work/counts
attempt 0 "$TERRAFORM" init
shown "$tf plan -var last=7d; echo \"exit code \$?\"" 1 "$TERRAFORM" plan -var last=7d
contains 'Resource postcondition failed'
contains 'Unexpected deletions between'
printf '\n  exit code %s\n' "$code"

printf '\n  Once each of them is known to be meant, they are allowed by name, and the same gate passes:\n'
actors=$(cd "$work/demo" && "$TERRAFORM" output -json deleting_actors)
# shellcheck disable=SC2016 # Shown, not run.
shown 'actors=$('"$tf"' -chdir=../demo output -json deleting_actors)
  $ '"$tf"' plan -var last=7d -var "allowed_actors=$actors"; echo "exit code $?"' 0 \
	"$TERRAFORM" plan -var last=7d -var "allowed_actors=$actors"
contains 'expected = {'
printf '\n  exit code %s\n' "$code"

heading '5. Rules: bursts, tokens, permissions (examples/gates/findings)'
place=$work/findings
attempt 0 "$TERRAFORM" init
shown "$tf plan -var last=7d; echo \"exit code \$?\"" 1 "$TERRAFORM" plan -var last=7d
contains 'Findings between'
contains 'medium: new_api_token: '
printf '\n  exit code %s\n' "$code"

printf '\n  The same verdict where nothing of the log may be stored or shown (examples/gates/ephemeral):\n'
place=$work/ephemeral
attempt 0 "$TERRAFORM" init
shown "$tf plan -var last=7d; echo \"exit code \$?\"" 1 "$TERRAFORM" plan -var last=7d
contains 'Something was deleted by an actor who is not in allowed_actors, or the log'
printf '\n  exit code %s\n' "$code"

heading '6. Archive: append what is new, and see when somebody changes it (examples/archive)'
place=$work/archive
attempt 0 "$TERRAFORM" init
attempt 0 "$work/bin/auditlog$exe" keygen example.com/audit
AUDIT_SIGNING_KEY=$(sed -n 's/^AUDIT_SIGNING_KEY=//p' "$work/log")
export AUDIT_SIGNING_KEY
attempt 0 "$TERRAFORM" plan -out=archive.tfplan
shown 'export $(auditlog keygen example.com/audit | head -n 1)
  $ '"$tf"' init && '"$tf"' plan -out=archive.tfplan && '"$tf"' apply archive.tfplan' 0 "$TERRAFORM" apply archive.tfplan
contains 'Apply complete! Resources: 1 added, 0 changed, 0 destroyed.'
attempt 0 "$TERRAFORM" plan -detailed-exitcode
head=$(cd "$place" && "$TERRAFORM" output -raw head)
key=$(cd "$place" && "$TERRAFORM" output -raw public_key)
verify='auditlog verify archive --public-key "$('"$tf"' output -raw public_key)" --head "$('"$tf"' output -raw head)"'
shown "$verify" 0 "$work/bin/auditlog$exe" verify archive --public-key "$key" --head "$head"
contains 'Signed by      example.com/audit'
contains 'Verdict        OK'

since=$(sed -n 's/^From  *//p' "$work/log")
until=$(sed -n 's/^Covered until  *//p' "$work/log")
[ -n "$since" ] && [ -n "$until" ] || fail 'the verifier does not say what the archive covers.'

printf '\n  Years later, without an account, the log is read back from it (examples/archive-lookup). From and
  "Covered until" stand in the report above:\n'
place=$work/archive-lookup
attempt 0 "$TERRAFORM" init
# shellcheck disable=SC2016 # Shown, not run.
shown 'key=$('"$tf"' -chdir=../archive output -raw public_key)
  $ '"$tf"' plan -var destination=../archive/archive -var "public_key=$key" -var "start=$from" -var "end=$covered_until"' 0 \
	env -u UPCLOUD_TOKEN -u CLOUDSCALE_API_TOKEN "$TERRAFORM" plan -var destination=../archive/archive \
	-var "public_key=$key" -var "start=$since" -var "end=$until"
contains 'deletions = {'
place=$work/archive

printf '\n  Somebody flips one byte of a segment:\n'
set -- "$place"/archive/entries/*/*/00000003-*
byte=$(od -An -tu1 -j 99 -N 1 "$1" | tr -d ' ')
# shellcheck disable=SC2059 # The format is the byte.
printf "\\$(printf %03o $((255 - byte)))" | dd of="$1" bs=1 seek=99 conv=notrunc 2>/dev/null
shown "$verify; echo \"exit code \$?\"" 1 "$work/bin/auditlog$exe" verify archive --public-key "$key" --head "$head"
contains 'ALTERED        entries/cloud=upcloud/date='
contains 'Verdict        NOT OK'
printf '\n  exit code %s\n' "$code"

heading '7. PodStack has no API: the same gate over the CSV files that its console exports (examples/podstack)'
place=$work/podstack
attempt 0 "$TERRAFORM" init
shown "head -n 3 exports/*.csv" 0 sh -c 'head -n 3 exports/*.csv'
shown "$tf plan; echo \"exit code \$?\"" 1 env -u UPCLOUD_TOKEN -u CLOUDSCALE_API_TOKEN "$TERRAFORM" plan
contains '1 by joe@example.com'
printf '\n  exit code %s\n' "$code"

printf '\nEverything was as it should be.\n'
