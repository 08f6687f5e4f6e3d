variables {
  name              = "oms-test"
  subnets           = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" }, c = { id = "subnet-c", tier = "data" } }
  security_group_id = "sg-1"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
  kms_key_arns      = { data = "arn:aws:kms:us-east-1:123456789012:key/k", secrets = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  node_type         = "cache.r7g.large"
}

run "a_cache_that_fails_over" {
  command = apply

  assert {
    condition     = aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled && aws_elasticache_replication_group.this.num_cache_clusters == 2
    error_message = "A primary and a replica in another zone."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arns.data
    error_message = "Encrypted on the wire and on disk."
  }
  assert {
    condition     = one([for p in aws_elasticache_parameter_group.this.parameter : p.value if p.name == "maxmemory-policy"]) == "noeviction"
    error_message = "Refuse rather than forget."
  }
  assert {
    condition     = toset([for l in aws_elasticache_replication_group.this.log_delivery_configuration : l.log_type]) == toset(["slow-log", "engine-log"])
    error_message = "Slow and engine log."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.snapshot_retention_limit == 7 && aws_elasticache_parameter_group.this.family == "valkey8"
    error_message = "A week of snapshots, valkey 8."
  }
}

run "the_password_is_nowhere" {
  command = apply

  assert {
    condition     = aws_secretsmanager_secret_version.token.secret_string_wo == null && aws_elasticache_replication_group.this.auth_token_wo == null && aws_elasticache_replication_group.this.auth_token == null
    error_message = "Write-only: neither in the plan nor in the state."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.auth_token_wo_version == 1 && aws_secretsmanager_secret_version.token.secret_string_wo_version == 1
    error_message = "Cache and secret change together."
  }
  assert {
    condition     = aws_secretsmanager_secret.token.kms_key_id == var.kms_key_arns.secrets
    error_message = "The secret is under our key."
  }
}

run "rotation_is_a_number" {
  command = apply
  variables {
    auth_token_version = 2
  }

  assert {
    condition     = aws_elasticache_replication_group.this.auth_token_wo_version == 2 && aws_secretsmanager_secret_version.token.secret_string_wo_version == 2 && aws_elasticache_replication_group.this.auth_token_update_strategy == "ROTATE"
    error_message = "Both get the new password, and the old one still works."
  }
}

run "every_node_is_watched" {
  command = apply
  variables {
    replicas = 2
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 12 && contains(keys(aws_cloudwatch_metric_alarm.this), "memory-oms-test-003")
    error_message = "Four alarms on each of three nodes."
  }
}
