#!/bin/sh
# The verdict is the exit code: 0 when the policy finds nothing, anything else when it does, or when there is no plan.
set -eu

plan=$(mktemp)
trap 'rm -f "$plan" "$plan.json"' EXIT

# A pipe would hide that there is no plan: jq would see nothing, and find nothing.
"${TERRAFORM:-terraform}" plan -input=false -lock=false -no-color -out="$plan" >&2
"${TERRAFORM:-terraform}" show -json "$plan" >"$plan.json"
jq --raw-output --from-file policy.jq "$plan.json"
