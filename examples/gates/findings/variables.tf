variable "last" {
  description = "How far back to look. Let it reach further than the time between two runs, so that a late run leaves no gap."
  type        = string
  default     = "25h"
}

variable "expected" {
  description = "Deletions that are supposed to happen: actors by id, or by a name that the cloud keeps unique, such as a user name of UpCloud. * and ? stand for any characters and any one."
  type = list(object({
    actors         = optional(list(string))
    resource_types = optional(list(string))
  }))
  default = []
}
