terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

# Who deleted what, from an export of the PodStack console.
output "deletions" {
  value = [
    for e in provider::audit::parse_csv(file("${path.module}/export.csv")) : "${e.time} ${e.actor} ${e.resource_name}"
    if e.operation == "delete"
  ]
}

# The same where headers are not recognised.
output "renamed" {
  value = length(provider::audit::parse_csv(file("${path.module}/renamed.csv"), { time = "Quand", action = "Quoi" }))
}
