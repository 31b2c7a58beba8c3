variable "last" {
  description = "How far back to look. Let it reach further than the time between two runs, so that a late run leaves no gap."
  type        = string
  default     = "25h"
}

variable "expected" {
  description = "What is supposed to happen, as a list of {rules, actors, resource_types, resource_names}, each optional; without rules, deletions. Actors by id, or by a name that the cloud keeps unique, such as a user name of UpCloud. * and ? stand for any characters and any one."
  type        = any
  default     = []

  # Not list(object({…})): Terraform drops what such a type does not name, so that a misspelt attribute would leave an
  # expectation that lets more pass than was meant.
  validation {
    condition     = alltrue([for e in var.expected : length(setsubtract(keys(e), ["rules", "actors", "resource_types", "resource_names"])) == 0])
    error_message = "An expectation has rules, actors, resource_types and resource_names, and nothing else: ${jsonencode(var.expected)}."
  }
}
