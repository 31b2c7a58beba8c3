# Each run reads the log anew. Nothing is applied and no state is kept.

run "nothing_was_deleted" {
  command = plan

  assert {
    condition     = lookup(data.audit_logs.all.counts_by_operation, "delete", 0) == 0
    error_message = "${lookup(data.audit_logs.all.counts_by_operation, "delete", 0)} deletions."
  }
}

run "nobody_got_access" {
  command = plan

  assert {
    condition     = lookup(data.audit_logs.all.counts_by_operation, "grant", 0) == 0
    error_message = "${lookup(data.audit_logs.all.counts_by_operation, "grant", 0)} changes of who may do what."
  }
}

run "the_log_reaches_back_far_enough" {
  command = plan

  assert {
    condition     = !data.audit_logs.all.completeness.beyond_retention
    error_message = "The window begins before the retention, so that nothing found would prove nothing."
  }
}
