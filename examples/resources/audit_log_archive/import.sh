# The id is the destination.
terraform import audit_log_archive.cloudscale /srv/audit/cloudscale
terraform import audit_log_archive.upcloud 's3://evidence/audit/upcloud?endpoint=https://example.upcloudobjects.com&region=europe-1'
