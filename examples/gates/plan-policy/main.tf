# Reads, and decides nothing: policy.jq decides over the plan, apart from the configuration, so that one policy can judge
# many root modules. gate.sh runs both.

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

# Of deletions alone, so that its counts name who did it and to what.
data "audit_logs" "deletions" {
  service         = "upcloud"
  last            = var.last
  operations      = ["delete"]
  include_entries = false
}
