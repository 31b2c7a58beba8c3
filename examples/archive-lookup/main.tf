# Looks into an archive, years after the cloud has forgotten: who deleted what in one month, as counts and as a file.
# README.md says how. It needs neither credentials of a cloud nor a provider block.

terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

variable "destination" {
  type        = string
  default     = "archive"
  description = "The archive: a directory, or a bucket such as \"s3://evidence/audit/upcloud?endpoint=https://objects.example.com&region=de\"."
}

variable "public_key" {
  type        = string
  default     = null
  description = "Public key that must have signed the archive; without one, signatures are not checked."
}

variable "start" {
  type        = string
  description = "Begin of the month, such as \"2026-06-01T00:00:00Z\"."
}

variable "end" {
  type        = string
  description = "End of the month, excluded."
}

data "audit_logs" "deletions" {
  service     = "archive"
  destination = var.destination
  public_keys = var.public_key == null ? null : [var.public_key]

  start      = var.start
  end        = var.end
  operations = ["delete"]

  include_entries = false

  lifecycle {
    # "Nobody deleted anything" is only worth something where the archive has everything.
    postcondition {
      condition = self.completeness.conclusive

      error_message = join("\n", concat(
        ["The archive does not hold all of the window:"],
        [for gap in self.completeness.gaps : "nothing is known from ${gap.start} to ${gap.end}"],
        self.completeness.caveats,
        [for action in self.completeness.unknown_actions : "nobody knows what ${action} means"],
      ))
    }
  }
}

resource "audit_log_export" "deletions" {
  service     = "archive"
  destination = var.destination
  public_keys = var.public_key == null ? null : [var.public_key]

  start      = data.audit_logs.deletions.window_start
  end        = data.audit_logs.deletions.window_end
  operations = ["delete"]

  path   = "deletions.csv"
  format = "csv"
}

output "deletions" {
  value = data.audit_logs.deletions.counts_by_actor
}
