#!/bin/sh
# Runs a command with Terraform or OpenTofu at hand and nothing of the person's own set-up in its environment:
#
#   scripts/with-terraform.sh env TF_ACC=1 go test -run TestAccAuditLogs ./internal/provider
#
# Looked for in this order: $TERRAFORM (a name or a path), terraform on PATH, tofu on PATH, .cache/bin, a download into
# .cache/bin. The command gets TERRAFORM and TF_ACC_TERRAFORM_PATH, both the absolute path found.
set -eu

# The oldest version we support, so that a clone never passes on something an older user lacks.
: "${TERRAFORM_VERSION:=1.11.4}"

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cached=$root/.cache/bin/terraform
wanted=${TERRAFORM:-}

say() {
	printf '%s\n' "$*" >&2
}

# Credentials and settings of a real account or of another project would change what a test sees, or let it reach a
# real cloud. What plugin-testing offers for debugging stays.
for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
	case $name in
	TF_ACC_LOG | TF_ACC_LOG_PATH | TF_ACC_TEMP_DIR | TF_ACC_PERSIST_WORKING_DIR) ;;
	TF_* | UPCLOUD_* | CLOUDSCALE_* | PODSTACK_* | AUDIT_*) unset "$name" ;;
	esac
done
export TF_CLI_CONFIG_FILE="$root/scripts/terraform.rc"
export CHECKPOINT_DISABLE=1

# flavour prints "terraform" or "tofu", and nothing for a file that does not run (a version manager's empty shim).
flavour() {
	case $("$1" version 2>/dev/null | head -n 1) in
	Terraform*) echo terraform ;;
	OpenTofu*) echo tofu ;;
	esac
}

# absolute prints the absolute path of a command, and nothing when there is no such command.
absolute() {
	found=$(command -v "$1" 2>/dev/null) || return 0
	case $found in
	/* | [A-Za-z]:*) printf '%s\n' "$found" ;;
	*) printf '%s/%s\n' "$(pwd)" "$found" ;;
	esac
}

download() {
	say "No Terraform or OpenTofu on PATH: fetching Terraform $TERRAFORM_VERSION into .cache/bin (checksum and signature are checked)."
	mkdir -p "$root/.cache/bin"
	fresh=$(mktemp -d "$root/.cache/bin/fetch.XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	if ! (cd "$root" && go tool -modfile=tools/go.mod hc-install install -version "$TERRAFORM_VERSION" -path "$fresh" terraform >&2); then
		say "Terraform could not be fetched. Put terraform or tofu on PATH, or set TERRAFORM to its path."
		exit 1
	fi
	mv -f "$fresh/terraform" "$cached"
	rm -rf "$fresh"
	trap - EXIT
}

path=
kind=
if [ -n "$wanted" ]; then
	path=$(absolute "$wanted")
	[ -z "$path" ] || kind=$(flavour "$path")
	if [ -z "$kind" ]; then
		say "TERRAFORM=$wanted is neither Terraform nor OpenTofu, or does not run."
		exit 1
	fi
else
	for candidate in terraform tofu "$cached"; do
		path=$(absolute "$candidate")
		[ -n "$path" ] || continue
		kind=$(flavour "$path")
		[ -z "$kind" ] || break
	done
	if [ -z "$kind" ]; then
		download
		path=$cached
		kind=$(flavour "$path")
	fi
	if [ -z "$kind" ]; then
		say "$path does not run."
		exit 1
	fi
fi

export TERRAFORM="$path"
export TF_ACC_TERRAFORM_PATH="$path"
if [ "$kind" = tofu ]; then
	# Without these, plugin-testing hands OpenTofu a provider address that it refuses.
	export TF_ACC_PROVIDER_NAMESPACE=hashicorp
	export TF_ACC_PROVIDER_HOST=registry.opentofu.org
fi

exec "$@"
