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

    # Terraform copies this text into the state. Who and what is there anyhow, in counts_by_actor and
    # counts_by_resource_type.
    error_message = join(" ", concat(
      ["${data.audit_logs.deletions.total_count} deletions between ${data.audit_logs.deletions.window_start} and ${data.audit_logs.deletions.window_end}, in a log that ${data.audit_logs.deletions.completeness.conclusive ? "shows" : "does not show"} everything."],
      [for who, n in data.audit_logs.deletions.counts_by_actor : "${n} by ${who}."],
      [for type, n in data.audit_logs.deletions.counts_by_resource_type : "${n} of type ${type}."],
    ))
  }
}
