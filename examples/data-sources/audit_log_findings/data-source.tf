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

data "audit_log_findings" "day" {
  service = "upcloud"
  last    = "25h"

  builtin_rules = ["mass_deletion", "permission_change", "new_api_token", "login_from_new_address"]

  rules = {
    database_deleted_by_hand = {
      where    = "entry.operation == 'delete' && entry.resource_type == 'managed-database' && entry.origin == 'gui'"
      severity = "critical"
      message  = "A database was deleted in the control panel."
    }

    busy_address = {
      where     = "entry.operation == 'delete' && !ip_in(entry.ip_address, '10.0.0.0/8')"
      threshold = 20
      within    = "1h"
      group_by  = ["ip_address"]
    }
  }

  # What is torn down every night is no mass deletion.
  expected = [{
    rules          = ["mass_deletion"]
    actors         = ["ci-deploy"]
    resource_types = ["server", "storage"]
  }]

  lifecycle {
    postcondition {
      condition = self.clean
      error_message = join("\n", concat(
        [for f in self.findings : "${f.severity}: ${f.rule}: ${f.message}"],
        [for n in self.not_evaluable : "not evaluable: ${n.rule}: ${n.reason}"],
        ["conclusive: ${self.completeness.conclusive}"],
      ))
    }
  }
}
