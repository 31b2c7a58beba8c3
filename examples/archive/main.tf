# Keeps UpCloud's audit log in a place that outlives the cloud's memory. Apply it every day; README.md says how.

terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

variable "destination" {
  type        = string
  default     = "archive"
  description = "A directory, or a bucket such as \"s3://evidence/audit/upcloud?endpoint=https://objects.example.com&region=de\"."
}

# The credentials come from the environment: UPCLOUD_TOKEN, and AUDIT_SIGNING_KEY where the archive is to be signed.
provider "audit" {
  upcloud = {}
}

resource "audit_log_archive" "upcloud" {
  service     = "upcloud"
  destination = var.destination
}

# Not covered_until, which moves with every refresh: a plan that adds nothing is to be empty.
output "archived" {
  value = "${audit_log_archive.upcloud.entry_count} entries in ${audit_log_archive.upcloud.sequence} additions"
}

# The archive's name, for auditlog verify --origin and the operators of witnesses.
output "origin" {
  value = audit_log_archive.upcloud.origin
}

# To be kept where whoever can write to the archive cannot. Before the first entry there is none.
output "head" {
  value = coalesce(audit_log_archive.upcloud.head, "none")
}

# The same for machines: auditlog verify --since and audit_log_verification take it.
output "checkpoint" {
  value = audit_log_archive.upcloud.checkpoint
}

output "public_key" {
  value = audit_log_archive.upcloud.public_key
}
