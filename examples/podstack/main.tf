# Looks a PodStack log up, fails on deletions that nobody expected, and keeps the log, from the CSV files that the console
# exports. The two files here overlap by a day, so that no gap is left between them.

terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

provider "audit" {
  podstack = {
    exports = ["${path.module}/exports/*.csv"]
  }
}

variable "allowed_actors" {
  description = "Who may delete things."
  type        = list(string)
  default     = ["ci@example.com"]
}

variable "archive" {
  description = "Where the log is kept."
  type        = string
  default     = "archive"
}

# The exports span this window throughout: their first row is at or before its start, their last one at or after its end.
# Over a window that they do not span, completeness.gaps names what is missing.
locals {
  start = "2026-06-01T00:00:04Z"
  end   = "2026-06-30T23:58:41Z"
}

# Look up and gate: a deletion by anybody else, or a part of the window that no export covers, ends the plan.
data "audit_logs" "deletions" {
  service    = "podstack"
  start      = local.start
  end        = local.end
  operations = ["delete"]

  include_entries = false

  lifecycle {
    postcondition {
      condition = self.completeness.conclusive
      error_message = join("\n", concat(
        ["The exports do not show everything that happened in the window:"],
        [for g in self.completeness.gaps : "no export covers ${g.start} to ${g.end}"],
        [for action in self.completeness.unknown_actions : "nobody knows what ${action} means"],
      ))
    }

    postcondition {
      condition = length(setsubtract(keys(self.counts_by_actor), var.allowed_actors)) == 0

      error_message = join("\n", concat(
        ["Unexpected deletions between ${self.window_start} and ${self.window_end}:", ""],
        [for who, n in self.counts_by_actor : format("%6d by %s", n, who) if !contains(var.allowed_actors, who)],
      ))
    }
  }
}

# Keep: one archive of all exports, in a log that shows any change. Each apply appends what newer exports bring.
resource "audit_log_archive" "podstack" {
  service     = "podstack"
  destination = var.archive
  start       = local.start
}

output "expected" {
  description = "How many entries the allowed actors deleted."
  value       = data.audit_logs.deletions.counts_by_actor
}
