# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name        = "oms-test"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_secrets_in_the_clear" {
  command = plan
  variables {
    kms_key_arn = ""
  }
  expect_failures = [var.kms_key_arn]
}

run "refuses_a_generation_before_the_first" {
  command = plan
  variables {
    generation = 0
  }
  expect_failures = [var.generation]
}
