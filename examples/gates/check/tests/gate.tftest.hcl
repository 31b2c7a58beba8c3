# The gate itself: it reads the real log and fails as the plan does.

run "gate" {
  command = plan
}
