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

data "audit_logs" "all" {
  service         = "upcloud"
  last            = var.last
  include_entries = false
}
