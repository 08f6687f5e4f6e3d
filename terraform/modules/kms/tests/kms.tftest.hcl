variables {
  name = "oms-test"
  keys = { kafka = { description = "Order log", via = ["kafka"] } }
}

run "a_key_of_its_own_that_turns" {
  command = apply

  assert {
    condition     = aws_kms_key.this["kafka"].enable_key_rotation && aws_kms_key.this["kafka"].rotation_period_in_days == 365 && aws_kms_key.this["kafka"].deletion_window_in_days == 30
    error_message = "Keys rotate every year and take a month to die."
  }
  assert {
    condition     = aws_kms_alias.this["kafka"].name == "alias/oms-test/kafka"
    error_message = "A key is found by its alias."
  }
}

run "data_moves_through_the_service_only" {
  command = apply

  assert {
    condition = [for s in jsondecode(output.policies["kafka"]).Statement : s.Condition.StringEquals
    if try(s.Condition.StringEquals["kms:ViaService"], null) != null] == [{ "kms:ViaService" = ["kafka.us-east-1.amazonaws.com"], "kms:CallerAccount" = ["123456789012"] }]
    error_message = "The key is used through MSK, by this account."
  }
  assert {
    condition = alltrue([for s in jsondecode(output.policies["kafka"]).Statement : !contains(flatten([s.Action]), "kms:Decrypt")
    if try(s.Condition, null) == null])
    error_message = "Nobody decrypts without a condition, the account's root included."
  }
  assert {
    condition     = length([for s in jsondecode(output.policies["kafka"]).Statement : s if contains(flatten([s.Action]), "kms:*")]) == 0
    error_message = "No kms:*."
  }
}

run "log_groups_of_this_account" {
  command = apply
  variables {
    keys = { logs = { description = "Log groups", services = ["logs"] } }
  }

  assert {
    condition = anytrue([for s in jsondecode(output.policies["logs"]).Statement : s.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"] == ["arn:aws:logs:us-east-1:123456789012:log-group:*"]
    if try(s.Principal.Service, null) == ["logs.us-east-1.amazonaws.com"]])
    error_message = "CloudWatch Logs, for log groups of this account and region."
  }
}

run "node_volumes_by_grant" {
  command = apply
  variables {
    keys = { volumes = { description = "Node volumes", via = ["ec2"], roles = ["arn:aws:iam::123456789012:role/autoscaling"] } }
  }

  assert {
    condition     = anytrue([for s in jsondecode(output.policies["volumes"]).Statement : s.Action == "kms:CreateGrant" && s.Condition.Bool["kms:GrantIsForAWSResource"] == ["true"] if try(s.Sid, "") == "NamedRolesAttachVolumes"])
    error_message = "Auto scaling may grant the key to volumes, and to nothing else."
  }
}
