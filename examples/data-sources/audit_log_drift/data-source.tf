terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
    upcloud = {
      source  = "UpCloudLtd/upcloud"
      version = "~> 5.0"
    }
  }
}

provider "audit" {
  upcloud = {}
}

resource "upcloud_server" "web" {
  hostname = "web.example.com"
  zone     = "fi-hel1"
  plan     = "2xCPU-4GB"

  network_interface {
    type = "public"
  }
}

# Nothing that we manage was touched by hand this week.
data "audit_log_drift" "week" {
  service = "upcloud"
  last    = "7d"

  managed = {
    "upcloud_server.web" = upcloud_server.web.id
  }

  # Who we are ourselves.
  pipeline = {
    actors       = ["terraform-ci"]
    ip_addresses = ["198.51.100.0/24"]
  }

  lifecycle {
    postcondition {
      condition = self.clean
      error_message = join("\n", concat(
        [for r in concat(self.changed, self.deleted) : "${r.address}: ${r.events[0].action} by ${r.events[0].actor} at ${r.events[0].time}"],
        [for r in self.created : "${r.events[0].resource_type} ${coalesce(r.name, r.id)}: created by ${r.events[0].actor} at ${r.events[0].time}"],
        ["conclusive: ${self.completeness.conclusive}"],
      ))
    }
  }
}
