# Each run reads the log anew. Nothing is applied and no state is kept.
#
# Without an account: let `auditlog mock --listen 127.0.0.1:8080 --now now` run, and set UPCLOUD_TOKEN=fake-audit-token and
# UPCLOUD_DEBUG_API_BASE_URL=http://127.0.0.1:8080. Its log is of a busy month, so that gates fail.

run "nothing_was_deleted" {
  command = plan

  assert {
    condition = data.audit_logs.deletions.total_count == 0

    error_message = join("\n", concat(
      ["${data.audit_logs.deletions.total_count} deletions:"],
      [for who, n in data.audit_logs.deletions.counts_by_actor : format("%6d by %s", n, who)],
      [for type, n in data.audit_logs.deletions.counts_by_resource_type : format("%6d of type %s", n, type)],
    ))
  }
}

run "nobody_got_access" {
  command = plan

  assert {
    condition = data.audit_logs.grants.total_count == 0

    error_message = join("\n", concat(
      ["${data.audit_logs.grants.total_count} changes of who may do what:"],
      [for who, n in data.audit_logs.grants.counts_by_actor : format("%6d by %s", n, who)],
      [for type, n in data.audit_logs.grants.counts_by_resource_type : format("%6d of type %s", n, type)],
    ))
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
