# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name            = "oms-test-engine"
  cluster_name    = "oms-test"
  namespace       = "oms"
  service_account = "engine"
  policy_json     = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = "arn:aws:s3:::b/*" }] })
}

run "refuses_a_name_too_long_for_iam" {
  command = plan
  variables {
    name = "oms-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  }
  expect_failures = [var.name]
}

run "refuses_the_default_namespace" {
  command = plan
  variables {
    namespace = "default"
  }
  expect_failures = [var.namespace]
}

run "refuses_the_default_service_account" {
  command = plan
  variables {
    service_account = "default"
  }
  expect_failures = [var.service_account]
}

run "refuses_words_for_a_policy" {
  command = plan
  variables {
    policy_json = "everything, please"
  }
  expect_failures = [var.policy_json]
}

run "refuses_a_policy_that_allows_everything" {
  command = plan
  variables {
    policy_json = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
  }
  expect_failures = [var.policy_json]
}

run "refuses_a_policy_that_allows_a_whole_service" {
  command = plan
  variables {
    policy_json = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["kafka:*"], Resource = "*" }] })
  }
  expect_failures = [var.policy_json]
}
