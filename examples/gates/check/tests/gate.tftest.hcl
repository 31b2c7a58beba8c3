# The gate itself: it reads the real log and fails as the plan does.
#
# Without an account: let `auditlog mock --listen 127.0.0.1:8080 --now now` run, and set UPCLOUD_TOKEN=fake-audit-token and
# UPCLOUD_DEBUG_API_BASE_URL=http://127.0.0.1:8080. Its log is of a busy month, so that gates fail.

run "gate" {
  command = plan
}
