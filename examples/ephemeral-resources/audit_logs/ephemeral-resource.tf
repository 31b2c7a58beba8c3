terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

provider "audit" {
  upcloud = {}
}

# Fails a plan when something was deleted, and leaves nothing of the log behind.
ephemeral "audit_logs" "deletions" {
  service    = "upcloud"
  last       = "25h"
  operations = ["delete"]
  where      = "!(entry.actor in ['ci-deploy', 'terraform-ci'])"

  lifecycle {
    postcondition {
      condition     = self.total_count == 0 && self.completeness.conclusive
      error_message = "Something was deleted by an actor who may not, or the log does not show everything."
    }
  }
}
