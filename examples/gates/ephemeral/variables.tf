variable "last" {
  description = "How far back to look. Let it reach further than the time between two runs, so that a late run leaves no gap."
  type        = string
  default     = "25h"
}

variable "allowed_actors" {
  description = "Who may delete, by user name, which UpCloud keeps unique. On cloudscale, compare entry.actor_id in the condition instead: anybody can describe an API token as they like."
  type        = list(string)
  default     = []
}
