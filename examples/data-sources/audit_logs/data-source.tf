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

# How much of what happened in the last month? Counts cover every match and need no rows.
data "audit_logs" "month" {
  service         = "upcloud"
  last            = "30d"
  include_entries = false
}

# Who signed in yesterday, and from where? Rows, for what counts do not say.
data "audit_logs" "logins" {
  service    = "upcloud"
  last       = "24h"
  operations = ["login"]
}

# What was done to two servers around an incident?
data "audit_logs" "incident" {
  service        = "upcloud"
  start          = "2026-06-12T14:00:00Z"
  end            = "2026-06-12T15:30:00Z"
  resource_types = ["server"]
  resource_ids   = ["2436cf66-7f6b-450b-842f-45e6953f1850", "405b2d14-0ab8-4f82-bf23-dca00ee7f594"]
  order          = "newest_first"
}

# Output what you derive from entries, never the list itself: from the second plan on, Terraform compares a list in an
# output row by row with every other row, and 5,000 entries keep it busy for most of a minute.
output "deletions" {
  value = lookup(data.audit_logs.month.counts_by_operation, "delete", 0)
}

output "login_addresses" {
  value = { for e in data.audit_logs.logins.entries : coalesce(e.actor, e.actor_type) => e.ip_address... }
}

output "incident" {
  value = join("\n", [for e in data.audit_logs.incident.entries :
    "${e.time}  ${coalesce(e.actor, e.actor_type)}  ${e.action}  ${join(", ", e.changes == null ? [] : e.changes[*].field)}"
  ])
}
