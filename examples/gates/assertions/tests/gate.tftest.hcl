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

run "nothing_found_means_that_nothing_happened" {
  command = plan

  assert {
    condition     = data.audit_logs.all.completeness.conclusive
    error_message = "The log does not show everything that happened in the window."
  }

  assert {
    condition     = length(data.audit_logs.all.completeness.unknown_actions) == 0
    error_message = "Nobody knows what these actions mean: ${join(", ", data.audit_logs.all.completeness.unknown_actions)}."
  }
}
