variables {
  name                = "oms-test"
  repository          = "example/crypto-oms"
  environment         = "prod"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/k"
  planned_secret_arns = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:oms-test/redis-a1B2c3"]
  secrets_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
  cluster_arn         = "arn:aws:eks:us-east-1:123456789012:cluster/oms-test"
}

run "one_repository_one_environment" {
  command = apply

  assert {
    condition = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Condition == { StringEquals = {
      "token.actions.githubusercontent.com:aud" = ["sts.amazonaws.com"]
      "token.actions.githubusercontent.com:sub" = ["repo:example/crypto-oms:environment:prod"]
    } }
    error_message = "Pinned to the repository and its environment."
  }
  assert {
    condition     = aws_iam_role.deploy.max_session_duration == 3600 && length(aws_iam_openid_connect_provider.github) == 1
    error_message = "For an hour."
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.deploy.policy).Statement : s.Resource != "*" || s.Action == "ecr:GetAuthorizationToken"])
    error_message = "Everything but the registry login names its resource."
  }
}

run "a_plan_changes_nothing" {
  command = apply

  assert {
    condition     = jsondecode(aws_iam_role.plan.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:example/crypto-oms:environment:prod-plan"]
    error_message = "An environment of its own."
  }
  assert {
    condition     = endswith(aws_iam_role_policy_attachment.plan.policy_arn, ":policy/ReadOnlyAccess") && toset(flatten([for s in jsondecode(aws_iam_role_policy.plan.policy).Statement : s.Action])) == toset(["secretsmanager:GetRandomPassword", "secretsmanager:GetSecretValue", "kms:Decrypt"])
    error_message = "It reads."
  }
}

run "an_image_is_for_ever" {
  command = apply

  assert {
    condition     = aws_ecr_repository.app.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.app.image_scanning_configuration[0].scan_on_push && aws_ecr_repository.app.encryption_configuration[0].kms_key == var.kms_key_arn
    error_message = "Immutable, scanned, encrypted."
  }
  assert {
    condition     = [for r in jsondecode(aws_ecr_lifecycle_policy.app.policy).rules : r.selection.countNumber] == [7, 30]
    error_message = "Thirty images to roll back to."
  }
}

run "an_account_has_one_github" {
  command = apply
  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Principal == { Federated = ["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"] }
    error_message = "An existing provider is used."
  }
}
