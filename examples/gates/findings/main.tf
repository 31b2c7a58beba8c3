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

  # Actors go by pseudonyms or not at all, as in every other state.
  redact = { actor = "drop", ip_address = "drop" }

  lifecycle {
    postcondition {
      # Nothing was found, every rule could be evaluated, and the log shows everything.
      condition = self.clean

      error_message = join("\n", concat(
        ["Findings between ${self.window_start} and ${self.window_end}:", ""],
        [for f in self.findings : "${f.severity}: ${f.rule}: ${f.message}, first at ${f.first_time}"],
        [for n in self.not_evaluable : "not evaluable: ${n.rule}: ${n.reason}"],
        [for text in ["The log does not show everything that happened."] : text if !self.completeness.conclusive],
      ))
    }
  }
}

output "verdict" {
  description = "What was looked for and how often it was found."
  value       = data.audit_log_findings.gate.counts_by_rule
}
