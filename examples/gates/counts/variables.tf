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
  description = "Who may delete, by user name, which UpCloud keeps unique. Where names can be chosen, as the descriptions of cloudscale's API tokens can, allow ids with the recipe in ../findings."
  type        = list(string)
  default     = []
}
