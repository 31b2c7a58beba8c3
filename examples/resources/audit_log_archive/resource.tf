terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

# The credentials come from the environment: UPCLOUD_TOKEN and CLOUDSCALE_API_TOKEN, AUDIT_SIGNING_KEY for signatures,
# AUDIT_REDACTION_KEY for pseudonyms, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the bucket.
provider "audit" {
  upcloud    = {}
  cloudscale = {}
}

# Everything, in a bucket, from as far back as UpCloud keeps it.
resource "audit_log_archive" "upcloud" {
  service     = "upcloud"
  destination = "s3://evidence/audit/upcloud?endpoint=https://example.upcloudobjects.com&region=europe-1"
}

# In a directory, for engines that read columns, with pseudonyms for people and networks for addresses.
resource "audit_log_archive" "cloudscale" {
  service     = "cloudscale"
  destination = "/srv/audit/cloudscale"
  format      = "parquet"
  start       = "30d"

  redact = {
    actor      = "hash"
    ip_address = "mask"
  }
}

# The head, to be written down where whoever can write to the archive cannot: it shows when the archive's end is cut off.
output "head" {
  value = audit_log_archive.upcloud.head
}
