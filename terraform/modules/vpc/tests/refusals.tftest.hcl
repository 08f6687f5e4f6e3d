# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name             = "oms-test"
  cidr             = "10.20.0.0/16"
  azs              = ["us-east-1a", "us-east-1b", "us-east-1c"]
  logs_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
}

run "refuses_a_name_that_load_balancers_refuse" {
  command = plan
  variables {
    name = "OMS_prod"
  }
  expect_failures = [var.name]
}

run "refuses_an_address_that_is_no_network" {
  command = plan
  variables {
    cidr = "10.20.0.5/16"
  }
  expect_failures = [var.cidr]
}

run "refuses_words_for_a_cidr" {
  command = plan
  variables {
    cidr = "the office"
  }
  expect_failures = [var.cidr]
}

run "refuses_a_vpc_too_large_for_aws" {
  command = plan
  variables {
    cidr = "10.0.0.0/8"
  }
  expect_failures = [var.cidr]
}

run "refuses_a_vpc_too_small_for_pods" {
  command = plan
  variables {
    cidr = "10.20.0.0/24"
  }
  expect_failures = [var.cidr]
}

run "refuses_somebody_elses_addresses" {
  command = plan
  variables {
    cidr = "8.8.0.0/16"
  }
  expect_failures = [var.cidr]
}

run "refuses_two_zones" {
  command = plan
  variables {
    azs = ["us-east-1a", "us-east-1b"]
  }
  expect_failures = [var.azs]
}

run "refuses_one_zone_three_times" {
  command = plan
  variables {
    azs = ["us-east-1a", "us-east-1a", "us-east-1a"]
  }
  expect_failures = [var.azs]
}

run "refuses_a_zone_named_twice" {
  command = plan
  variables {
    azs = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1c"]
  }
  expect_failures = [var.azs]
}

run "refuses_no_registry_endpoint" {
  command = plan
  variables {
    interface_endpoints = ["sts"]
  }
  expect_failures = [var.interface_endpoints]
}

run "refuses_flow_logs_for_a_week" {
  command = plan
  variables {
    flow_log_retention_days = 7
  }
  expect_failures = [var.flow_log_retention_days]
}

run "refuses_flow_logs_for_100_days" {
  command = plan
  variables {
    flow_log_retention_days = 100
  }
  expect_failures = [var.flow_log_retention_days]
}

run "refuses_flow_logs_in_the_clear" {
  command = plan
  variables {
    logs_kms_key_arn = ""
  }
  expect_failures = [var.logs_kms_key_arn]
}

run "refuses_overlapping_subnets" {
  command = plan
  variables {
    public_subnets  = ["10.20.0.0/24", "10.20.0.128/25", "10.20.2.0/24"]
    private_subnets = ["10.20.10.0/24", "10.20.11.0/24", "10.20.12.0/24"]
    data_subnets    = ["10.20.20.0/24", "10.20.21.0/24", "10.20.22.0/24"]
  }
  expect_failures = [aws_vpc.this]
}

run "refuses_a_subnet_outside_the_vpc" {
  command = plan
  variables {
    data_subnets    = ["10.20.20.0/24", "10.20.21.0/24", "10.99.0.0/24"]
    private_subnets = ["10.20.10.0/24", "10.20.11.0/24", "10.20.12.0/24"]
    public_subnets  = ["10.20.0.0/24", "10.20.1.0/24", "10.20.2.0/24"]
  }
  expect_failures = [aws_vpc.this]
}

run "refuses_two_subnets_for_three_zones" {
  command = plan
  variables {
    public_subnets = ["10.20.250.0/24", "10.20.251.0/24"]
  }
  expect_failures = [aws_vpc.this]
}
