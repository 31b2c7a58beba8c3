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

  # UpCloud records no failed logins; a rule that cannot find anything would be an error.
  builtin_rules         = ["deletion", "mass_deletion", "permission_change", "new_api_token"]
  fail_on_not_evaluable = true

  rules = {
    control_panel = {
      where    = "entry.origin == 'gui' && entry.operation in ['create', 'update'] && entry.resource_type == 'managed-database'"
      severity = "low"
      message  = "A database was changed in the control panel instead of by Terraform."
    }
  }

  expected = var.expected

  # Actors go by pseudonyms or not at all, as in every other state.
  redact = { actor = "drop", ip_address = "drop" }

  lifecycle {
    postcondition {
      # counts_by_severity covers every finding, however many are listed.
      condition = alltrue([for severity, n in self.counts_by_severity : n == 0 || contains(var.tolerated, severity)])

      error_message = join("\n", concat(
        ["Findings between ${self.window_start} and ${self.window_end}:", ""],
        [for f in self.findings : "${f.severity}: ${f.rule}: ${f.message}, first at ${f.first_time}"],
      ))
    }

    postcondition {
      condition     = !self.completeness.beyond_retention && length(self.completeness.gaps) == 0
      error_message = "The log does not cover the window, so that no finding proves nothing."
    }
  }
}

output "verdict" {
  description = "What was looked for and how often it was found."
  value       = data.audit_log_findings.gate.counts_by_rule
}
