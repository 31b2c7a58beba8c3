variable "last" {
  description = "How far back to look. Let it reach further than the time between two runs, so that a late run leaves no gap."
  type        = string
  default     = "25h"
}

variable "resource_types" {
  description = "Which resource types the gate guards; null means all."
  type        = list(string)
  default     = null
}

variable "allowed_actors" {
  description = "Who may delete: user names on UpCloud, e-mail addresses and token descriptions on cloudscale."
  type        = list(string)
  default     = []
}
