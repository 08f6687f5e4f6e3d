# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name        = "oms-test"
  account_id  = "123456789012"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_an_account_by_name" {
  command = plan
  variables {
    account_id = "production"
  }
  expect_failures = [var.account_id]
}

run "refuses_an_archive_in_the_clear" {
  command = plan
  variables {
    kms_key_arn = ""
  }
  expect_failures = [var.kms_key_arn]
}

run "refuses_an_archive_without_a_lock" {
  command = plan
  variables {
    archive_lock_days = 0
  }
  expect_failures = [var.archive_lock_days]
}

run "refuses_access_logs_for_a_week" {
  command = plan
  variables {
    log_retention_days = 7
  }
  expect_failures = [var.log_retention_days]
}

run "refuses_yesterdays_objects_gone" {
  command = plan
  variables {
    old_version_days = 1
  }
  expect_failures = [var.old_version_days]
}
