# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name              = "oms-test"
  subnets           = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" }, c = { id = "subnet-c", tier = "data" } }
  security_group_id = "sg-1"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
  kms_key_arns      = { data = "arn:aws:kms:us-east-1:123456789012:key/k", secrets = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  instance_class    = "db.t4g.small"
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_an_old_postgresql" {
  command = plan
  variables {
    engine_version = "12"
  }
  expect_failures = [var.engine_version]
}

run "refuses_an_unknown_class" {
  command = plan
  variables {
    instance_class = "db.t2.micro"
  }
  expect_failures = [var.instance_class]
}

run "refuses_a_disk_too_small_for_gp3" {
  command = plan
  variables {
    storage_gb = 5
  }
  expect_failures = [var.storage_gb]
}

run "refuses_a_disk_that_cannot_grow" {
  command = plan
  variables {
    storage_max_gb = 20
  }
  expect_failures = [var.storage_max_gb]
}

run "refuses_users_in_the_clear" {
  command = plan
  variables {
    kms_key_arns = { data = "", secrets = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
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

run "refuses_certificates_from_nowhere" {
  command = plan
  variables {
    ca_file = "bundle"
  }
  expect_failures = [var.ca_file]
}

run "refuses_a_database_in_public_subnets" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "public" }, b = { id = "subnet-b", tier = "public" }, c = { id = "subnet-c", tier = "public" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_a_database_in_two_zones" {
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
