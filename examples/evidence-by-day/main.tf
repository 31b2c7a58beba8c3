# One file for each of the last seven whole days. Run it daily: each day adds a file, and the one that falls off the list
# stays where it is. A day that was missed is made up for by the next run, as long as it is among the seven.

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

locals {
  # A day is exported from an hour after its end, in UTC, when its last entries have long arrived.
  days = toset([for i in range(7) : formatdate("YYYY-MM-DD", timeadd(plantimestamp(), "-${24 * i + 25}h"))])
}

resource "audit_log_export" "day" {
  for_each = local.days

  service = "upcloud"
  start   = "${each.key}T00:00:00Z"
  end     = timeadd("${each.key}T00:00:00Z", "24h")

  path   = "evidence/upcloud-${each.key}.ndjson"
  format = "ndjson"

  # A fresh runner has none of the files of earlier runs, which were uploaded then.
  on_missing = "keep"
}
