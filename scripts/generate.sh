#!/bin/sh
# Formats examples/ and renders docs/ from templates/, examples/ and the provider's own schema, and docs/cli/ from the
# flags of the command, whose table in README.md it renews.
# Run by `make generate`, under scripts/with-terraform.sh.
set -eu
cd "$(dirname -- "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

"$TERRAFORM" fmt -recursive examples/

# tfplugindocs could build the provider and ask for its schema itself, but only through Terraform. Handing it the schema
# works with OpenTofu as well, and needs no second build of the provider in a temporary place.
go build -o "$work/bin/terraform-provider-audit$(go env GOEXE)" .
cat >"$work/terraform.rc" <<EOF
disable_checkpoint = true
provider_installation {
  dev_overrides {
    "auditlogs/audit" = "$work/bin"
  }
  direct {}
}
EOF
cat >"$work/main.tf" <<EOF
terraform {
  required_providers {
    audit = {
      source = "auditlogs/audit"
    }
  }
}
EOF
TF_CLI_CONFIG_FILE="$work/terraform.rc" "$TERRAFORM" -chdir="$work" providers schema -json >"$work/found.json"

# tfplugindocs knows a provider only by this address, whoever publishes it.
sed 's#"registry\.[a-z.]*/auditlogs/audit":#"registry.terraform.io/hashicorp/audit":#' "$work/found.json" >"$work/schema.json"

# tfplugindocs leaves directories alone that it does not know, and refuses them when it validates.
rm -rf docs/cli

go tool -modfile=tools/go.mod tfplugindocs generate --provider-name audit --providers-schema "$work/schema.json"
if ! go tool -modfile=tools/go.mod tfplugindocs validate --provider-name audit --providers-schema "$work/schema.json" >"$work/validate.txt" 2>&1; then
	cat "$work/validate.txt"
	exit 1
fi

# The Registry serves the index as …/latest/docs, where a link to guides/gates.md leads to …/latest/guides/gates.md. What
# would be right there is wrong in the repository, so that only a whole address works in both.
at=https://github.com/auditlogs/terraform-provider-audit/blob/main/docs
sed -E "s#\]\(((guides|data-sources|resources|ephemeral-resources|functions|cli)/)#](${at}/\1#g" docs/index.md >"$work/index.md"
cp "$work/index.md" docs/index.md

UPDATE_GOLDEN=1 go test -count=1 -run '^(TestPages|TestReadme)$' ./cmd/auditlog >/dev/null
