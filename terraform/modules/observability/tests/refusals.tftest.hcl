# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name               = "oms-test"
  kms_key_arns       = { notifications = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  page_emails        = ["oncall@example.com"]
  monthly_budget_usd = 650
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_alarms_in_the_clear" {
  command = plan
  variables {
    kms_key_arns = { notifications = "", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }
  expect_failures = [var.kms_key_arns]
}

run "refuses_nobody_to_wake" {
  command = plan
  variables {
    page_emails = []
  }
  expect_failures = [var.page_emails]
}

run "refuses_a_name_for_an_address" {
  command = plan
  variables {
    page_emails = ["alice"]
  }
  expect_failures = [var.page_emails]
}

run "refuses_a_ticket_for_a_name" {
  command = plan
  variables {
    ticket_emails = ["bob"]
  }
  expect_failures = [var.ticket_emails]
}

run "refuses_a_budget_of_nothing" {
  command = plan
  variables {
    monthly_budget_usd = 0
  }
  expect_failures = [var.monthly_budget_usd]
}

run "refuses_logs_for_a_day" {
  command = plan
  variables {
    log_retention_days = 1
  }
  expect_failures = [var.log_retention_days]
}
