# Reads, and decides nothing: the assertions are in tests/gate.tftest.hcl, one for each thing that must not happen, and
# `terraform test` reports each by its name.

terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

# The credentials come from the environment: UPCLOUD_TOKEN.
provider "audit" {
  upcloud = {}
}

# One look-up for each assertion, so that its counts name who did it and to what.
data "audit_logs" "deletions" {
  service         = "upcloud"
  last            = var.last
  operations      = ["delete"]
  include_entries = false
}

data "audit_logs" "grants" {
  service         = "upcloud"
  last            = var.last
  operations      = ["grant"]
  include_entries = false
}

data "audit_logs" "all" {
  service         = "upcloud"
  last            = var.last
  include_entries = false
}
