# A verdict by rules: single events, bursts, and an allow-list for what is supposed to happen.

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

data "audit_log_findings" "gate" {
  service = "upcloud"
  last    = var.last

  builtin_rules = ["deletion", "mass_deletion", "permission_change", "new_api_token"]

  rules = {
    control_panel = {
      where   = "entry.origin == 'gui' && entry.operation in ['create', 'update'] && entry.resource_type == 'managed-database'"
      message = "A database was changed in the control panel instead of by Terraform."
    }
  }

  expected = var.expected

  lifecycle {
    postcondition {
      # Nothing was found, every rule could be evaluated, and the log shows everything.
      condition = self.clean

      # Who, what and when of the first ten. A plan that fails is not stored, and where nothing was found nobody is named:
      # no name gets into a state.
      error_message = join("\n", concat(
        ["${self.total_count} findings between ${self.window_start} and ${self.window_end}:", ""],
        [for f in slice(self.findings, 0, min(10, length(self.findings))) : join(", ", concat(
          ["${f.severity}: ${f.rule}: ${f.message}"],
          [for field, value in f.group : "${field} ${value}"],
          ["first at ${f.first_time}", "entry ${f.entry_ids[0]}"],
        ))],
        [for n in self.not_evaluable : "not evaluable: ${n.rule}: ${n.reason}"],
        [for text in ["The log does not show everything that happened."] : text if !self.completeness.conclusive],
        ["", "Look an entry up: auditlog query --service upcloud --start ${self.window_start} --where 'entry.id == \"…\"'"],
      ))
    }
  }
}

output "verdict" {
  description = "What was looked for and how often it was found."
  value       = data.audit_log_findings.gate.counts_by_rule
}
