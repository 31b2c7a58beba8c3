# A gate that leaves nothing behind: neither rows nor counts nor names get into a plan file or a state.

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

ephemeral "audit_logs" "deletions" {
  service    = "upcloud"
  last       = var.last
  operations = ["delete"]
  where      = "!(entry.actor in ${jsonencode(var.allowed_actors)})"

  lifecycle {
    postcondition {
      condition = self.total_count == 0 && self.completeness.conclusive

      # A message that names who or how many would be withheld, since nothing of an ephemeral value may be printed.
      error_message = "Something was deleted by an actor who is not in allowed_actors, or the log does not show everything."
    }
  }
}
