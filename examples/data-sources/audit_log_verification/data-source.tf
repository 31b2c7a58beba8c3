terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

provider "audit" {}

variable "public_key" {
  type        = string
  description = "The public key that auditlog keygen printed."
}

variable "head" {
  type        = object({ sequence = number, sha256 = string })
  description = "The archive's head, as it was written down when the archive was last looked at."
}

# Reads every byte of the archive; needs no cloud and no credentials of one. The plan fails when anything is wrong.
data "audit_log_verification" "upcloud" {
  destination          = "/mnt/copy/audit/upcloud"
  public_key           = var.public_key
  expected_sequence    = var.head.sequence
  expected_head_sha256 = var.head.sha256

  lifecycle {
    postcondition {
      condition     = self.valid
      error_message = join("\n", [for p in self.problems : "${p.finding}: ${p.key}: ${p.detail}"])
    }
  }
}

output "archived" {
  value = "${data.audit_log_verification.upcloud.entry_count} entries until ${data.audit_log_verification.upcloud.covered_until}"
}
