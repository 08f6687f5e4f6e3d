# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name              = "oms-test"
  subnets           = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" }, c = { id = "subnet-c", tier = "data" } }
  security_group_id = "sg-1"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
  kms_key_arns      = { data = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  instance_class    = "db.r6g.large"
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_an_old_engine" {
  command = plan
  variables {
    engine_version = "3.6.0"
  }
  expect_failures = [var.engine_version]
}

run "refuses_an_unknown_class" {
  command = plan
  variables {
    instance_class = "db.m5.large"
  }
  expect_failures = [var.instance_class]
}

run "refuses_no_instance" {
  command = plan
  variables {
    instances = 0
  }
  expect_failures = [var.instances]
}

run "refuses_one_instance_in_production" {
  command = plan
  variables {
    instances = 1
  }
  expect_failures = [var.instances]
}

run "refuses_an_unknown_storage" {
  command = plan
  variables {
    storage_type = "magnetic"
  }
  expect_failures = [var.storage_type]
}

run "refuses_orders_in_the_clear" {
  command = plan
  variables {
    kms_key_arns = { data = "", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }
  expect_failures = [var.kms_key_arns]
}

run "refuses_backups_for_a_day" {
  command = plan
  variables {
    backup_retention_days = 1
  }
  expect_failures = [var.backup_retention_days]
}

run "refuses_profiling_everything" {
  command = plan
  variables {
    slow_ms = 1
  }
  expect_failures = [var.slow_ms]
}

run "refuses_certificates_from_nowhere" {
  command = plan
  variables {
    ca_file = "bundle"
  }
  expect_failures = [var.ca_file]
}

run "refuses_a_store_in_public_subnets" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "public" }, b = { id = "subnet-b", tier = "public" }, c = { id = "subnet-c", tier = "public" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_a_store_in_pod_subnets" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "private" }, b = { id = "subnet-b", tier = "private" }, c = { id = "subnet-c", tier = "private" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_a_store_in_two_zones" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" } }
  }
  expect_failures = [var.subnets]
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
