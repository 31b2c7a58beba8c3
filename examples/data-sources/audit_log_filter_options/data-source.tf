terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

provider "audit" {
  upcloud    = {}
  cloudscale = {}
}

# UpCloud lists its values itself.
data "audit_log_filter_options" "upcloud" {
  service = "upcloud"
}

# cloudscale does not, so they are read off its log: what did not occur in these days is missing.
data "audit_log_filter_options" "cloudscale" {
  service = "cloudscale"
  last    = "90d"
}

# Every action that grants someone something, whatever the cloud calls it today.
output "grants" {
  value = [for action in data.audit_log_filter_options.upcloud.actions : action if startswith(action, "access-")]
}

output "where_cloudscale_values_come_from" {
  value = data.audit_log_filter_options.cloudscale.origin_of_values # "observed"
}
