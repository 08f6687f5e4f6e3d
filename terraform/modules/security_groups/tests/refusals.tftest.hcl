# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name   = "oms-test"
  vpc_id = "vpc-1"
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_a_privileged_port" {
  command = plan
  variables {
    app_port = 80
  }
  expect_failures = [var.app_port]
}

run "refuses_no_port_at_all" {
  command = plan
  variables {
    app_port = 70000
  }
  expect_failures = [var.app_port]
}

run "refuses_plaintext_kafka" {
  command = plan
  variables {
    kafka_port = 9092
  }
  expect_failures = [var.kafka_port]
}

run "refuses_anonymous_kafka" {
  command = plan
  variables {
    kafka_port = 9094
  }
  expect_failures = [var.kafka_port]
}

run "refuses_nobody_allowed" {
  command = plan
  variables {
    alb_allowed_cidrs = []
  }
  expect_failures = [var.alb_allowed_cidrs]
}

run "refuses_a_host_name_for_a_network" {
  command = plan
  variables {
    alb_allowed_cidrs = ["office.example.com"]
  }
  expect_failures = [var.alb_allowed_cidrs]
}

run "refuses_health_checks_on_the_public_port" {
  command = plan
  variables {
    health_port = 8000
  }
  expect_failures = [var.health_port]
}
