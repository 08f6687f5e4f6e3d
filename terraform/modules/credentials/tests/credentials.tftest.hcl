variables {
  name        = "oms-test"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
}

run "two_generations_two_users" {
  command = apply

  assert {
    condition     = toset(keys(aws_secretsmanager_secret.this)) == toset(["django-0", "django-1", "documentdb-0", "documentdb-1", "postgres-0", "postgres-1"])
    error_message = "What is used, and what was used before."
  }
  assert {
    condition     = local.users["0"] != local.users["1"]
    error_message = "A new password is never given to the user in use."
  }
  assert {
    condition     = alltrue([for s in values(aws_secretsmanager_secret.this) : s.kms_key_id == var.kms_key_arn]) && alltrue([for v in values(aws_secretsmanager_secret_version.this) : v.secret_string_wo == null])
    error_message = "Under our key, and in neither plan nor state."
  }
}

run "rotation_leaves_what_is_in_use_alone" {
  command = apply
  variables {
    generation = 2
  }

  assert {
    condition     = output.current.postgres == "oms-test/postgres-2" && output.previous.postgres == "oms-test/postgres-1"
    error_message = "The generation before is still there."
  }
  assert {
    condition     = local.users["2"] != local.users["1"] && aws_secretsmanager_secret_version.this["postgres-1"].secret_string_wo_version == 1
    error_message = "Its user and its password are not touched."
  }
}
