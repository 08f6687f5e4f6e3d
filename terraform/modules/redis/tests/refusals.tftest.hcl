# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name              = "oms-test"
  subnets           = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" }, c = { id = "subnet-c", tier = "data" } }
  security_group_id = "sg-1"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
  kms_key_arns      = { data = "arn:aws:kms:us-east-1:123456789012:key/k", secrets = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  node_type         = "cache.r7g.large"
}

run "refuses_a_name_elasticache_refuses" {
  command = plan
  variables {
    name = "oms--test"
  }
  expect_failures = [var.name]
}

run "refuses_an_unknown_engine" {
  command = plan
  variables {
    engine = "memcached"
  }
  expect_failures = [var.engine]
}

run "refuses_a_redis_version_for_valkey" {
  command = plan
  variables {
    engine_version = "7.1"
  }
  expect_failures = [var.engine_version]
}

run "refuses_an_unknown_node" {
  command = plan
  variables {
    node_type = "cache.m3.large"
  }
  expect_failures = [var.node_type]
}

run "refuses_nothing_to_fail_over_to" {
  command = plan
  variables {
    replicas = 0
  }
  expect_failures = [var.replicas]
}

run "refuses_a_cache_in_public_subnets" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "public" }, b = { id = "subnet-b", tier = "public" }, c = { id = "subnet-c", tier = "public" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_a_cache_in_two_zones" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_data_in_the_clear" {
  command = plan
  variables {
    kms_key_arns = { data = "", secrets = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }
  expect_failures = [var.kms_key_arns]
}

run "refuses_no_password_version" {
  command = plan
  variables {
    auth_token_version = 0
  }
  expect_failures = [var.auth_token_version]
}

run "refuses_no_snapshots" {
  command = plan
  variables {
    snapshot_retention_days = 0
  }
  expect_failures = [var.snapshot_retention_days]
}

run "refuses_logs_for_a_day" {
  command = plan
  variables {
    log_retention_days = 1
  }
  expect_failures = [var.log_retention_days]
}

run "refuses_alarms_for_nobody" {
  command = plan
  variables {
    alarm_topic_arns = []
  }
  expect_failures = [var.alarm_topic_arns]
}
