terraform import audit_log_export.june evidence/2026-06.ndjson
