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

# Everything that happened in June, with all fields and the cloud's own records.
resource "audit_log_export" "june" {
  service = "upcloud"
  start   = "2026-06-01T00:00:00Z"
  end     = "2026-07-01T00:00:00Z"

  path   = "evidence/2026-06.ndjson"
  format = "ndjson"
}

# Deletions for people: a few columns, safe to open in a spreadsheet.
resource "audit_log_export" "deletions" {
  service    = "upcloud"
  start      = "2026-06-01T00:00:00Z"
  end        = "2026-07-01T00:00:00Z"
  operations = ["delete"]

  path    = "evidence/2026-06-deletions.csv"
  format  = "csv"
  columns = ["time", "actor", "ip_address", "resource_type", "resource_id"]
}

# For query engines: typed columns, with pseudonyms for people. The key comes from AUDIT_REDACTION_KEY.
resource "audit_log_export" "june_columns" {
  service = "upcloud"
  start   = "2026-06-01T00:00:00Z"
  end     = "2026-07-01T00:00:00Z"

  path   = "evidence/2026-06.parquet"
  format = "parquet"
  redact = { actor = "hash", ip_address = "mask" }
}

# The last day, made again whenever the release changes.
resource "audit_log_export" "release" {
  service = "upcloud"
  last    = "24h"

  path     = "evidence/release.json"
  format   = "json"
  triggers = { release = "2026.6.1" }
}

output "june" {
  value = "${audit_log_export.june.entry_count} entries, sha256 ${audit_log_export.june.sha256}"
}
