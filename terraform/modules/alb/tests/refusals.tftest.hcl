# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name              = "oms-test"
  vpc_id            = "vpc-1"
  subnets           = { a = { id = "subnet-a", tier = "public" }, b = { id = "subnet-b", tier = "public" }, c = { id = "subnet-c", tier = "public" } }
  security_group_id = "sg-1"
  certificate_arn   = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
  hosts             = ["oms.example.com"]
  logs_bucket       = "oms-test-logs"
  logs_kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/k"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
}

run "refuses_a_name_too_long_for_aws" {
  command = plan
  variables {
    name = "oms-a-name-much-too-long-for-a-load-balancer"
  }
  expect_failures = [var.name]
}

run "refuses_a_front_door_in_private_subnets" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "private" }, b = { id = "subnet-b", tier = "private" }, c = { id = "subnet-c", tier = "private" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_no_certificate" {
  command = plan
  variables {
    certificate_arn = ""
  }
  expect_failures = [var.certificate_arn]
}

run "refuses_no_host" {
  command = plan
  variables {
    hosts = []
  }
  expect_failures = [var.hosts]
}

run "refuses_any_host" {
  command = plan
  variables {
    hosts = ["*.example.com"]
  }
  expect_failures = [var.hosts]
}

run "refuses_a_privileged_port" {
  command = plan
  variables {
    app_port = 80
  }
  expect_failures = [var.app_port]
}

run "refuses_a_health_path_that_is_none" {
  command = plan
  variables {
    health_path = "readyz"
  }
  expect_failures = [var.health_path]
}

run "refuses_websockets_cut_between_heartbeats" {
  command = plan
  variables {
    idle_timeout = 10
  }
  expect_failures = [var.idle_timeout]
}

run "refuses_no_time_to_drain" {
  command = plan
  variables {
    drain_seconds = 0
  }
  expect_failures = [var.drain_seconds]
}

run "refuses_a_rate_below_wafs" {
  command = plan
  variables {
    rate_limit = 10
  }
  expect_failures = [var.rate_limit]
}

run "refuses_no_access_logs" {
  command = plan
  variables {
    logs_bucket = ""
  }
  expect_failures = [var.logs_bucket]
}

run "refuses_waf_logs_in_the_clear" {
  command = plan
  variables {
    logs_kms_key_arn = ""
  }
  expect_failures = [var.logs_kms_key_arn]
}

run "refuses_waf_logs_for_a_day" {
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

run "refuses_health_checks_on_the_public_port" {
  command = plan
  variables {
    health_port = 8000
  }
  expect_failures = [var.health_port]
}

run "refuses_the_admin_for_the_world" {
  command = plan
  variables {
    admin_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.admin_cidrs]
}
