# The policy, over what `terraform show -json` makes of a saved plan. Prints each violation and fails with 1; prints one
# line and succeeds when there is none.

def modules: ., (.child_modules[]? | modules);

# What was read while planning. A data source that is only read during the apply is not among them.
[.prior_state.values.root_module // {} | modules | .resources[]? | select(.mode == "data" and .type == "audit_logs")] as $logs
| [
    # A plan without a look-up proves nothing, and neither does one that puts it off.
    (if $logs == [] then "No audit log was read." else empty end),
    (.resource_changes[]? | select(.mode == "data" and .type == "audit_logs")
      | "\(.address) is only read during the apply."),

    ($logs[] | .address as $address | .values
      | (select(.completeness.conclusive | not) | "\($address) does not show everything that happened."),
        (select(.completeness.unknown_actions != [])
          | "\($address) holds actions that nobody knows: \(.completeness.unknown_actions | join(", "))."),
        (select(.counts_by_operation.delete > 0)
          | "\($address): \(.counts_by_operation.delete) deletions between \(.window_start) and \(.window_end).")
    )
  ]
| if . == [] then "No violation in \($logs | length) look-up(s)." else join("\n") + "\n" | halt_error(1) end
