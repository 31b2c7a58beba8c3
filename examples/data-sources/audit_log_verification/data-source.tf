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

variable "checkpoint" {
  type        = string
  description = "A checkpoint of the archive that was kept elsewhere, such as an output of the run that archives."
}

# Reads every byte of the archive; needs no cloud and no credentials of one. The plan fails when anything is wrong.
data "audit_log_verification" "upcloud" {
  destination         = "/mnt/copy/audit/upcloud"
  public_keys         = [var.public_key]
  expected_checkpoint = var.checkpoint

  lifecycle {
    postcondition {
      condition     = self.valid
      error_message = join("\n", [for p in self.problems : "${p.finding}: ${p.key}: ${p.detail}"])
    }

    # Nothing was left out of the check for want of something to compare with.
    postcondition {
      condition     = length(self.not_checked) == 0
      error_message = join("\n", self.not_checked)
    }
  }
}

output "archived" {
  value = "${data.audit_log_verification.upcloud.entry_count} entries until ${data.audit_log_verification.upcloud.covered_until}"
}
