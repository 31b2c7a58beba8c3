variable "last" {
  description = "How far back to look. Let it reach further than the time between two runs, so that a late run leaves no gap."
  type        = string
  default     = "25h"
}
