# Needs no account and no network: the counts are invented. Run it with `terraform test -test-directory=rehearsal`.

mock_provider "audit" {}

run "passes_when_nothing_was_deleted" {
  command = plan

  override_data {
    target = data.audit_logs.deletions
    values = { counts_by_actor = {}, completeness = { conclusive = true } }
  }
}

run "fails_when_nothing_found_proves_nothing" {
  command = plan

  override_data {
    target = data.audit_logs.deletions
    values = { counts_by_actor = {}, completeness = { conclusive = false } }
  }

  expect_failures = [data.audit_logs.deletions]
}

run "fails_on_a_deletion" {
  command = plan

  override_data {
    target = data.audit_logs.deletions
    values = { counts_by_actor = { "mia.ops" = 3 }, completeness = { conclusive = true } }
  }

  expect_failures = [data.audit_logs.deletions]
}

run "passes_when_the_actor_is_allowed" {
  command = plan

  variables {
    allowed_actors = ["mia.ops"]
  }

  override_data {
    target = data.audit_logs.deletions
    values = { counts_by_actor = { "mia.ops" = 3 }, completeness = { conclusive = true } }
  }
}

run "fails_when_only_one_of_two_is_allowed" {
  command = plan

  variables {
    allowed_actors = ["mia.ops"]
  }

  override_data {
    target = data.audit_logs.deletions
    values = { counts_by_actor = { "mia.ops" = 3, "ci-deploy" = 1 }, completeness = { conclusive = true } }
  }

  expect_failures = [data.audit_logs.deletions]
}
