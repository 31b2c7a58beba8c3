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
      # With the states of everything in the account, self.clean says as well that nothing was created besides.
      condition = self.changed_count + self.deleted_count + self.unexplained_count == 0 && self.completeness.conclusive
      error_message = join("\n", concat(
        [for r in concat(self.changed, self.deleted) : "${r.address}: ${join("; ", [
          for e in r.events : "${e.action} by ${coalesce(e.actor, e.actor_id, e.actor_type)} at ${e.time}"
        ])}${r.reverted ? " (reverted since)" : ""}"],
        [for r in self.unexplained : "${r.address}: who changed it is not known: ${r.reason}"],
        ["conclusive: ${self.completeness.conclusive}"],
      ))
    }
  }
}
