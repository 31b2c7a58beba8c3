#!/bin/sh
# The tour: look, follow, check, keep, gate, archive, report. Run by `make demo`, under scripts/with-terraform.sh.
#
# It uses examples/ as they are, against fakes of the clouds on this machine. Everything happens in a temporary directory
# that is removed, or in KEEP, which must not be there yet; nothing is written into the checkout. At most 150 lines are
# printed. Exits 0 only when every step did what it should.
set -eu
cd "$(dirname -- "$0")/.."

: "${TERRAFORM:?is the path of terraform or tofu; run this by \`make demo\`}"

if [ -n "${KEEP:-}" ]; then
	mkdir -- "$KEEP" || exit 1
	work=$(cd -- "$KEEP" && pwd)
else
	work=$(mktemp -d)
fi
mock=
clean_up() {
	if [ -n "$mock" ]; then
		kill "$mock" 2>/dev/null || :
		wait "$mock" 2>/dev/null || :
	fi
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	printf '\nThe tour stopped: %s\n' "$*" >&2
	exit 1
}

heading() { printf '\n%s\n%s\n' "$1" "$(printf '%s' "$1" | sed 's/./-/g')"; }

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

# shown does the same and shows it, at most so many lines: shown LINES 'what to print' EXPECTED_CODE command [argument…]
shown() {
	most=$1
	printf '  $ %s\n' "$2"
	shift 2
	attempt "$@"
	# A filter of its own says in $only which lines are worth their room.
	tidy <"$work/log" | eval "${only:-cat}" | awk -v most="$most" '
		NR <= most { print }
		END { if (NR > most) printf "  … %d more lines\n", NR - most }'
	only=
	[ "$code" -eq 0 ] || printf '  (exit code %s)\n' "$code"
}
only=

# tidy indents, and drops Terraform's lines about progress, carriage returns of CSV, and blank lines.
tidy() {
	tr -d '\r' | awk '
		/: (Reading|Refreshing state|Still reading|Creating)\.\.\./ || /: Read complete after/ { next }
		/^[ \t│╷╵]*$/ { next }
		{ print "  " $0 }'
}

# contains stops the tour unless the last command printed the text.
contains() { grep -F -q -e "$1" "$work/log" || fail "its output lacks: $1"; }

# value prints a string of the mock's line of JSON.
value() { printf '%s\n' "$announced" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# --- What the tour needs: the provider where `terraform init` finds it, and clouds to talk to. ---

printf 'A tour against fakes of UpCloud and cloudscale on this machine: no account, no network. Building …\n'

version=$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
[ -n "$version" ] || fail "CHANGELOG.md names no version."
platform=$(go env GOOS)_$(go env GOARCH)
exe=$(go env GOEXE)

go build -ldflags "-X main.version=$version-dev" -o "$work/bin/" . ./cmd/auditlog
export PATH="$work/bin:$PATH"

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

# The mock says on its first line where it listens; reading a pipe waits for that line, or for its end. Something happens
# in its clouds every second.
mkfifo "$work/announcement"
auditlog mock --now now --entries 2000 --seed 7 --every 1s >"$work/announcement" 2>"$work/mock.txt" &
mock=$!
read -r announced <"$work/announcement" || fail "the mock did not start: $(cat "$work/mock.txt")"

# The commands and the examples take these from the environment, as they would for an account.
UPCLOUD_TOKEN=$(value token)
CLOUDSCALE_API_TOKEN=$UPCLOUD_TOKEN
UPCLOUD_DEBUG_API_BASE_URL=$(value upcloud)
CLOUDSCALE_API_URL=$(value cloudscale)
export UPCLOUD_TOKEN CLOUDSCALE_API_TOKEN UPCLOUD_DEBUG_API_BASE_URL CLOUDSCALE_API_URL

cp -R examples/demo examples/gates/counts examples/gates/ephemeral examples/gates/findings examples/archive examples/archive-lookup examples/podstack "$work/"
TF_VAR_until=$(date -u +%Y-%m-%dT%H:%M:%SZ)
export TF_VAR_until
tf=$(basename -- "$TERRAFORM" "$exe")

# --- The tour. ---

place=$work

heading '1. Look: who deleted something in the last twelve hours?'
shown 7 'auditlog query --service upcloud --last 12h --operations delete' 0 \
	auditlog query --service upcloud --last 12h --operations delete --format table
contains 'Complete: as many came as the service counts.'

heading '2. Follow: what happens from now on, an entry a line'
shown 3 'auditlog tail --service cloudscale --interval 1s --settle-delay 0s | head -n 3 | cut -c 1-116' 0 \
	sh -c 'auditlog tail --service cloudscale --interval 1s --settle-delay 0s 2>/dev/null | head -n 3 | cut -c 1-116'
[ "$(grep -c '"service":"cloudscale"' "$work/log")" -eq 3 ] || fail 'not three entries arrived.'

heading '3. Check: what do the rules find? For cron and CI: 0 clean, 1 found, 2 could not tell'
shown 9 'auditlog check --service upcloud --last 24h' 1 auditlog check --service upcloud --last 24h

heading '4. Keep, with Terraform: exports with manifests (examples/demo)'
place=$work/demo
attempt 0 "$TERRAFORM" init
attempt 0 "$TERRAFORM" plan -out=week.tfplan
contains 'Plan: 3 to add, 0 to change, 0 to destroy.'
only="grep -E 'Creation complete|Apply complete|\"(entries|proof)\"'"
shown 9 "$tf init && $tf plan -out=week.tfplan && $tf apply week.tfplan" 0 "$TERRAFORM" apply week.tfplan
contains 'Apply complete! Resources: 3 added, 0 changed, 0 destroyed.'
if grep -q '"entries" = 0$' "$work/log"; then fail "a look-up found nothing."; fi
actors=$(cd "$place" && "$TERRAFORM" output -json deleting_actors)
attempt 0 "$TERRAFORM" plan -detailed-exitcode
contains 'No changes.'
printf '  Planned again, nothing is to do. An auditor needs none of our code:\n'
place=$work/demo/evidence
lines=$(wc -l <"$place/upcloud.ndjson" | tr -d ' ')
grep -q "\"entry_count\": $lines,\$" "$place/upcloud.ndjson.manifest.json" ||
	fail "the manifest does not count the $lines entries of upcloud.ndjson."
check=sha256sum
command -v sha256sum >/dev/null 2>&1 || check='shasum -a 256'
shown 6 "cd evidence && $check -c *.sha256" 0 sh -c "$check -c *.sha256"
[ "$(grep -c ': OK$' "$work/log")" -eq 6 ] || fail "not all six files were checked."
shown 3 'head -n 3 upcloud-deletions.csv' 0 head -n 3 upcloud-deletions.csv

heading '5. Gate, with Terraform: fail when something was deleted that should not have been (examples/gates)'
place=$work/counts
attempt 0 "$TERRAFORM" init
only='sed "1,/Error:/{/Error:/!d;}"'
shown 12 "$tf plan -var last=7d" 1 "$TERRAFORM" plan -var last=7d
contains 'Unexpected deletions between'
attempt 0 "$TERRAFORM" plan -var last=7d -var "allowed_actors=$actors"
printf '  Once each of them is known to be meant, -var allowed_actors=… lets the same gate pass.\n'
for gate in findings ephemeral; do
	place=$work/$gate
	attempt 0 "$TERRAFORM" init
	attempt 1 "$TERRAFORM" plan -var last=7d
done
contains 'Something was deleted by an actor who is not in allowed_actors, or the log'

heading '6. Archive: append what is new, signed, and see when somebody changes it (examples/archive)'
place=$work/archive
attempt 0 "$TERRAFORM" init
attempt 0 auditlog keygen example.com/audit
AUDIT_SIGNING_KEY=$(sed -n 's/^AUDIT_SIGNING_KEY=//p' "$work/log")
export AUDIT_SIGNING_KEY
attempt 0 "$TERRAFORM" plan -out=archive.tfplan
only="grep 'Apply complete'"
shown 2 'export $(auditlog keygen example.com/audit | head -n 1)
  $ '"$tf"' init && '"$tf"' plan -out=archive.tfplan && '"$tf"' apply archive.tfplan' 0 "$TERRAFORM" apply archive.tfplan
contains 'Apply complete! Resources: 1 added, 0 changed, 0 destroyed.'
head=$(cd "$place" && "$TERRAFORM" output -raw head)
key=$(cd "$place" && "$TERRAFORM" output -raw public_key)
verify='auditlog verify archive --public-key "$('"$tf"' output -raw public_key)" --head "$('"$tf"' output -raw head)"'
only="grep -E '^  (Entries|From|Covered|Signed|Verdict)'"
shown 6 "$verify" 0 auditlog verify archive --public-key "$key" --head "$head"
contains 'Signed by      example.com/audit'
contains 'Verdict        OK'
since=$(sed -n 's/^From  *//p' "$work/log")
until=$(sed -n 's/^Covered until  *//p' "$work/log")
[ -n "$since" ] && [ -n "$until" ] || fail 'the verifier does not say what the archive covers.'
printf '  Years later, without an account, the log is read back from it:\n'
shown 4 "env -u UPCLOUD_TOKEN auditlog query --service archive --destination archive --count-by operation …" 0 \
	env -u UPCLOUD_TOKEN -u CLOUDSCALE_API_TOKEN auditlog query --service archive --destination archive --public-keys "$key" \
	--start "$since" --end "$until" --count-by operation --format table
contains 'delete'
place=$work/archive-lookup
attempt 0 "$TERRAFORM" init
attempt 0 env -u UPCLOUD_TOKEN -u CLOUDSCALE_API_TOKEN "$TERRAFORM" plan -var destination=../archive/archive \
	-var "public_key=$key" -var "start=$since" -var "end=$until"
contains 'deletions = {'
place=$work/archive

printf '  Somebody flips one byte of a segment:\n'
cp -R "$place/archive" "$place/altered"
set -- "$place"/altered/entries/*/*/00000003-*
byte=$(od -An -tu1 -j 99 -N 1 "$1" | tr -d ' ')
# shellcheck disable=SC2059 # The format is the byte.
printf "\\$(printf %03o $((255 - byte)))" | dd of="$1" bs=1 seek=99 conv=notrunc 2>/dev/null
only="grep -E '^  (ALTERED|Verdict)' | cut -c 1-116"
shown 4 "auditlog verify altered …" 1 auditlog verify altered --public-key "$key" --head "$head"
contains 'ALTERED        entries/cloud=upcloud/date='
contains 'Verdict        NOT OK'

heading '7. PodStack has no API: the same over the CSV files that its console exports (examples/podstack)'
place=$work/podstack
attempt 0 "$TERRAFORM" init
attempt 1 env -u UPCLOUD_TOKEN -u CLOUDSCALE_API_TOKEN "$TERRAFORM" plan
contains '1 by joe@example.com'
only="grep -E '^  (ACTOR|[^ ]+@)'"
shown 5 "auditlog query --service podstack --podstack-exports 'exports/*.csv' --count-by actor,operation …" 0 \
	auditlog query --service podstack --podstack-exports 'exports/*.csv' --podstack-retention 36500d \
	--start 2026-06-01T00:00:00Z --end 2026-07-01T00:00:00Z --count-by actor,operation --format table

heading '8. Report: one page for an auditor, which needs no network and no program but a browser'
place=$work
shown 3 'auditlog report --service upcloud --last 7d -o report.html' 0 \
	auditlog report --service upcloud --last 7d -o report.html
grep -q '</html>' "$work/report.html" || fail 'the report is no whole page.'

printf '\nEverything was as it should be.\n'
if [ -n "${KEEP:-}" ]; then
	printf 'Its files are in %s: open report.html there.\n' "$KEEP"
else
	printf 'To keep its files, and look at the report, type: make demo KEEP=/tmp/tour\n'
fi
printf 'For your own account: make build, export UPCLOUD_TOKEN=… or CLOUDSCALE_API_TOKEN=…, then\n'
printf '  bin/auditlog doctor\n  bin/auditlog query --last 7d\n'
