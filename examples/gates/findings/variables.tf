variable "last" {
  description = "How far back to look. Let it reach further than the time between two runs, so that a late run leaves no gap."
  type        = string
  default     = "25h"
}

variable "expected" {
  description = "Deletions that are supposed to happen; * and ? stand for any characters."
  type = list(object({
    actors         = optional(list(string))
    resource_types = optional(list(string))
  }))
  default = []
}

variable "tolerated" {
  description = "Severities that do not fail the gate."
  type        = list(string)
  default     = ["info", "low"]
}
