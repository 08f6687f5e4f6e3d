# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name              = "oms-test"
  subnets           = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" }, c = { id = "subnet-c", tier = "data" } }
  security_group_id = "sg-1"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
  kms_key_arns      = { data = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  instance_type     = "kafka.m7g.large"
  volume_gb         = 250
  volume_max_gb     = 1000
  topics            = { "oms.commands" = { partitions = 24, retention_hours = -1 }, "oms.events" = { partitions = 24, retention_hours = 168 } }
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_an_old_kafka" {
  command = plan
  variables {
    kafka_version = "2.8.1"
  }
  expect_failures = [var.kafka_version]
}

run "refuses_brokers_in_two_zones" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_brokers_in_public_subnets" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "public" }, b = { id = "subnet-b", tier = "public" }, c = { id = "subnet-c", tier = "public" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_volumes_in_the_clear" {
  command = plan
  variables {
    kms_key_arns = { data = "", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }
  expect_failures = [var.kms_key_arns]
}

run "refuses_an_unknown_broker" {
  command = plan
  variables {
    instance_type = "kafka.m5.large"
  }
  expect_failures = [var.instance_type]
}

run "refuses_four_brokers_in_three_zones" {
  command = plan
  variables {
    brokers = 4
  }
  expect_failures = [var.brokers]
}

run "refuses_one_broker" {
  command = plan
  variables {
    brokers = 1
  }
  expect_failures = [var.brokers]
}

run "refuses_a_volume_too_small" {
  command = plan
  variables {
    volume_gb = 5
  }
  expect_failures = [var.volume_gb]
}

run "refuses_a_volume_that_cannot_grow" {
  command = plan
  variables {
    volume_max_gb = 250
  }
  expect_failures = [var.volume_max_gb]
}

run "refuses_clients_without_a_name" {
  command = plan
  variables {
    client_authentication = "none"
  }
  expect_failures = [var.client_authentication]
}

run "refuses_scram_without_users" {
  command = plan
  variables {
    client_authentication = "scram"
  }
  expect_failures = [var.scram_secret_arns]
}

run "refuses_a_secret_msk_refuses" {
  command = plan
  variables {
    client_authentication = "scram"
    scram_secret_arns     = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka-users"]
  }
  expect_failures = [var.scram_secret_arns]
}

run "refuses_no_partitions" {
  command = plan
  variables {
    topics = { "oms.prices" = { partitions = 0, retention_hours = 24 } }
  }
  expect_failures = [var.topics]
}

run "refuses_topics_of_different_counts" {
  command = plan
  variables {
    topics = { "oms.commands" = { partitions = 24, retention_hours = -1 }, "oms.events" = { partitions = 12, retention_hours = 168 } }
  }
  expect_failures = [var.topics]
}

run "refuses_commands_forgotten_after_a_day" {
  command = plan
  variables {
    topics = { "oms.commands" = { partitions = 24, retention_hours = 24 }, "oms.events" = { partitions = 24, retention_hours = 168 } }
  }
  expect_failures = [var.topics]
}

run "refuses_prices_kept_for_no_time" {
  command = plan
  variables {
    topics = { "oms.prices" = { partitions = 3, retention_hours = 0 } }
  }
  expect_failures = [var.topics]
}

run "refuses_broker_logs_for_a_day" {
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

run "refuses_to_watch_a_topic_that_is_not_there" {
  command = plan
  variables {
    watched_groups = { oms-engine = { topic = "oms.command", above = 1000, why = "Nobody decides" } }
  }
  expect_failures = [var.watched_groups]
}
