# Fails a run when something was deleted that should not have been. README.md says why it is a postcondition, why it has
# a root module of its own, and how to allow what is expected.

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

data "audit_logs" "deletions" {
  service        = "upcloud"
  last           = var.last
  operations     = ["delete"]
  resource_types = var.resource_types

  # Counts are enough for a verdict, so no row reaches Terraform.
  include_entries = false

  lifecycle {
    # Nothing found has to mean that nothing happened.
    postcondition {
      condition     = self.completeness.conclusive
      error_message = "The log does not show everything that happened in the window; the warnings and completeness say what is missing."
    }

    postcondition {
      condition = length(setsubtract(keys(self.counts_by_actor), var.allowed_actors)) == 0

      error_message = join("\n", concat(
        ["Unexpected deletions between ${self.window_start} and ${self.window_end}:", ""],
        [for who, n in self.counts_by_actor : format("%6d by %s", n, who) if !contains(var.allowed_actors, who)],
        ["", "Deleted, by whomever: ${join(", ", [for type, n in self.counts_by_resource_type : "${n} ${type}"])}."],
        ["", "If they were meant to happen, add the actors to allowed_actors; if not, export the log now, before it expires."],
      ))
    }
  }
}
