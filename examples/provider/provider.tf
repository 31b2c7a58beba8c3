terraform {
  required_providers {
    audit = {
      source  = "auditlogs/audit"
      version = "~> 0.1"
    }
  }
}

provider "audit" {
  upcloud    = {} # UPCLOUD_TOKEN, or UPCLOUD_USERNAME and UPCLOUD_PASSWORD
  cloudscale = {} # CLOUDSCALE_API_TOKEN
}
