# The policy, over what `terraform show -json` makes of a saved plan: every look-up asks for every deletion of the last
# 24 hours, and there is none. Prints each violation and fails with 1; prints one line and succeeds when there is none.
# It does not know which clouds have to be looked at; where that has to be certain, let it look at .values.service, too.

def modules: ., (.child_modules[]? | modules);

def seconds: sub("\\.[0-9]+Z$"; "Z") | fromdate;

# The arguments by which a look-up leaves deletions out.
def narrowed: [
    (if .operations != null and (.operations | index("delete") | not) then "operations" else empty end),
    (["actions", "actors", "ip_addresses", "origins", "resource_ids", "resource_types", "search", "where"][] as $name
      | select(.[$name] != null) | $name)
  ];

# Who deleted, and what, as far as the look-up tells: its rows do, and so do its counts where they are of deletions alone.
def counted($word): to_entries | .[:5][] | "\(.value) \($word) \(.key)";
def culprits: [
    if .entries != null then .entries | map(select(.operation == "delete")) | .[:5][]
      | "\(.actor // .actor_id // .actor_type): \(.resource_type // "something") \(.resource_name // .resource_id // "")"
    elif .operations == ["delete"] then (.counts_by_actor // {} | counted("by")), (.counts_by_resource_type // {} | counted("of type"))
    else empty end
  ] | map("\n  " + .) | add // "";

# What was read while planning. A data source that is only read during the apply is not among them.
[.prior_state.values.root_module // {} | modules | .resources[]? | select(.mode == "data" and .type == "audit_logs")] as $logs
| [
    # A plan without a look-up proves nothing, and neither does one that puts it off.
    (if $logs == [] then "No audit log was read." else empty end),
    (.resource_changes[]? | select(.mode == "data" and .type == "audit_logs")
      | "\(.address) is only read during the apply."),

    ($logs[] | .address as $address | .values
      | (narrowed | select(. != []) | "\($address) asks for less than every deletion: \(join(", "))."),
        # An hour is for what runs between reading and judging, and for a settle_delay.
        (select((.window_start | seconds) > now - 24 * 3600 or (.window_end | seconds) < now - 3600)
          | "\($address) covers less than the last 24 hours."),
        (select(.completeness.conclusive | not) | "\($address) does not show everything that happened."),
        (select(.completeness.unknown_actions != [])
          | "\($address) holds actions that nobody knows: \(.completeness.unknown_actions | join(", "))."),
        (select(.counts_by_operation.delete > 0)
          | "\($address): \(.counts_by_operation.delete) deletions between \(.window_start) and \(.window_end).\(culprits)")
    )
  ]
| if . == [] then "No violation in \($logs | length) look-up(s)." else join("\n") + "\n" | halt_error(1) end
