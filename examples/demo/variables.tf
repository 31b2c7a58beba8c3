variable "until" {
  description = "End of the week to look at, RFC 3339, such as \"2026-06-30T00:00:00Z\". A week that has ended stays the same, so a second plan is empty."
  type        = string
}

variable "directory" {
  description = "Where the exports go."
  type        = string
  default     = "evidence"
}
