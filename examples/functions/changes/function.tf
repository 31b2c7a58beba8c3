terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

# [{ field = "labels.env", before = "\"dev\"", after = "\"prod\"" }, { field = "size", before = null, after = "25" }]
output "changes" {
  value = provider::audit::changes(
    { labels = { env = "dev" } },
    { labels = { env = "prod" }, size = 25 },
  )
}

# States that come as JSON are decoded first. Where there was no state, {} is given.
output "decoded" {
  value = provider::audit::changes({}, jsondecode("{\"size\":25}"))
}
