# Never output the entry list itself: from the second plan on, Terraform compares a list in an output row by row with
# every other row, and 5,000 entries keep it busy for most of a minute. Counts and a few lines of text cost nothing.

output "all" {
  description = "What happened, by cloud."
  value = { for service, log in data.audit_logs.all : service => {
    entries = log.total_count
    window  = "${log.window_start} to ${log.window_end}"
    proof   = "${log.completeness.proof}: ${log.completeness.rows_fetched} rows on ${log.completeness.pages} pages"
    busiest = [for line in slice(reverse(sort(
      [for who, n in log.counts_by_actor : format("%5d by %s", n, who)]
    )), 0, min(3, length(log.counts_by_actor))) : trimspace(line)]
  } }
}

output "deletions" {
  description = "How much was deleted, and what last. A token without a description is named by its id, the cloud's own staff by their kind."
  value = { for service, log in data.audit_logs.deletions : service => {
    count = log.total_count
    last = [for e in log.entries : format("%s: %s by %s",
      formatdate("YYYY-MM-DD hh:mm", e.time), e.action, coalesce(e.actor, e.actor_id, e.actor_type)
    )]
  } }
}

output "deleting_actors" {
  description = "Who deleted something on UpCloud; examples/gates/counts takes such a list."
  value       = keys(data.audit_logs.deletions["upcloud"].counts_by_actor)
}
