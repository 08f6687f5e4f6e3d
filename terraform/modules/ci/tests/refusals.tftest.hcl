# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name                = "oms-test"
  repository          = "example/crypto-oms"
  environment         = "prod"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/k"
  planned_secret_arns = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:oms-test/redis-a1B2c3"]
  secrets_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
  cluster_arn         = "arn:aws:eks:us-east-1:123456789012:cluster/oms-test"
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_every_repository_of_the_owner" {
  command = plan
  variables {
    repository = "example/*"
  }
  expect_failures = [var.repository]
}

run "refuses_any_environment" {
  command = plan
  variables {
    environment = "*"
  }
  expect_failures = [var.environment]
}

run "refuses_another_identity_provider" {
  command = plan
  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/evil.example.com"
  }
  expect_failures = [var.oidc_provider_arn]
}

run "refuses_images_in_the_clear" {
  command = plan
  variables {
    kms_key_arn = ""
  }
  expect_failures = [var.kms_key_arn]
}

run "refuses_nothing_to_roll_back_to" {
  command = plan
  variables {
    images_kept = 1
  }
  expect_failures = [var.images_kept]
}

run "refuses_a_plan_that_reads_more_secrets" {
  command = plan
  variables {
    planned_secret_arns = ["arn:a", "arn:b"]
  }
  expect_failures = [var.planned_secret_arns]
}
