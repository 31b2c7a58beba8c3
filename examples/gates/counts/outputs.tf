output "expected" {
  description = "Deletions that the gate let pass, by actor."
  value       = data.audit_logs.deletions.counts_by_actor
}

output "window" {
  description = "What the verdict covers."
  value       = "${data.audit_logs.deletions.window_start} to ${data.audit_logs.deletions.window_end}"
}
