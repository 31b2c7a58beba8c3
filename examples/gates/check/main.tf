# Not a gate: a warning beside other work. Runs go on, whatever it finds, also when the log cannot be read.

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

check "no_deletions" {
  data "audit_logs" "deletions" {
    service         = "upcloud"
    last            = var.last
    operations      = ["delete"]
    include_entries = false
  }

  assert {
    condition = data.audit_logs.deletions.total_count == 0 && data.audit_logs.deletions.completeness.conclusive

    # Terraform copies this text into the state. It names nobody, but counts_by_actor does, which the plan shows and the
    # state keeps, too.
    error_message = "${data.audit_logs.deletions.total_count} deletions between ${data.audit_logs.deletions.window_start} and ${data.audit_logs.deletions.window_end}, in a log that ${data.audit_logs.deletions.completeness.conclusive ? "shows" : "does not show"} everything."
  }
}
