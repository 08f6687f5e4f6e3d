# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name         = "oms-test"
  account_id   = "123456789012"
  kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/k"
  cors_origins = ["https://oms.example.com"]
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

run "refuses_files_in_the_clear" {
  command = plan
  variables {
    kms_key_arn = ""
  }
  expect_failures = [var.kms_key_arn]
}

run "refuses_pages_from_anywhere" {
  command = plan
  variables {
    cors_origins = ["*"]
  }
  expect_failures = [var.cors_origins]
}

run "refuses_pages_without_tls" {
  command = plan
  variables {
    cors_origins = ["http://oms.example.com"]
  }
  expect_failures = [var.cors_origins]
}

run "refuses_access_logs_for_a_week" {
  command = plan
  variables {
    log_retention_days = 7
  }
  expect_failures = [var.log_retention_days]
}

run "refuses_yesterdays_files_gone" {
  command = plan
  variables {
    old_version_days = 1
  }
  expect_failures = [var.old_version_days]
}
