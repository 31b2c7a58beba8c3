# One week of two clouds: look-ups that end in a handful of values, and files to keep. README.md says how to run it.

terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

# The credentials come from the environment: UPCLOUD_TOKEN and CLOUDSCALE_API_TOKEN.
provider "audit" {
  upcloud    = {}
  cloudscale = {}
}

locals {
  since = timeadd(var.until, "-168h")
}

# Counts cover every match, so they need no rows.
data "audit_logs" "all" {
  for_each = toset(["upcloud", "cloudscale"])

  service         = each.value
  start           = local.since
  end             = var.until
  include_entries = false
}

# Three rows, for what counts cannot say.
data "audit_logs" "deletions" {
  for_each = toset(["upcloud", "cloudscale"])

  service     = each.value
  start       = local.since
  end         = var.until
  operations  = ["delete"]
  order       = "newest_first"
  max_entries = 3
  on_overflow = "keep_newest"
}

# For people: a few columns, safe to open in a spreadsheet.
resource "audit_log_export" "deletions" {
  service    = "upcloud"
  start      = local.since
  end        = var.until
  operations = ["delete"]

  path    = "${var.directory}/upcloud-deletions.csv"
  format  = "csv"
  columns = ["time", "actor", "ip_address", "resource_type"]
}

# For programs, and for questions nobody has asked yet: every entry with all of its fields.
resource "audit_log_export" "upcloud" {
  service = "upcloud"
  start   = local.since
  end     = var.until

  path   = "${var.directory}/upcloud.ndjson"
  format = "ndjson"
}

resource "audit_log_export" "cloudscale" {
  service = "cloudscale"
  start   = local.since
  end     = var.until

  path   = "${var.directory}/cloudscale.json"
  format = "json"
}
