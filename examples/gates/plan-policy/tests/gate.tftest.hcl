# Not the gate, which is policy.jq: that the log can be read at all.

run "the_log_can_be_read" {
  command = plan
}
