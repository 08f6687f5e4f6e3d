# What the root refuses, each with a sentence that says what to do. The modules refuse the rest.

variables {
  environment          = "dev"
  size                 = "dev"
  hosts                = ["oms.example.com"]
  certificate_arn      = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
  admin_principal_arns = ["arn:aws:iam::111122223333:role/oms-admin"]
  page_emails          = ["oncall@example.com"]
  github_repository    = "example/crypto-oms"
}

run "refuses_an_unknown_size" {
  command = plan
  variables {
    size = "huge"
  }
  expect_failures = [var.size]
}

run "refuses_a_region_that_is_none" {
  command = plan
  variables {
    region = "Frankfurt"
  }
  expect_failures = [var.region]
}

run "refuses_an_environment_with_capitals" {
  command = plan
  variables {
    environment = "Prod"
  }
  expect_failures = [var.environment]
}

run "refuses_an_environment_too_long_for_a_load_balancer" {
  command = plan
  variables {
    environment = "thirteenchars"
  }
  expect_failures = [var.environment]
}

run "refuses_tags_that_aws_keeps" {
  command = plan
  variables {
    tags = { "aws:owner" = "me" }
  }
  expect_failures = [var.tags]
}

run "refuses_an_address_for_a_network" {
  command = plan
  variables {
    vpc_cidr = "10.20.0.5/16"
  }
  expect_failures = [var.vpc_cidr]
}

run "refuses_nobody_allowed_in" {
  command = plan
  variables {
    alb_allowed_cidrs = []
  }
  expect_failures = [var.alb_allowed_cidrs]
}

run "refuses_no_host" {
  command = plan
  variables {
    hosts = []
  }
  expect_failures = [var.hosts]
}

run "refuses_a_missing_certificate" {
  command = plan
  variables {
    certificate_arn = ""
  }
  expect_failures = [var.certificate_arn]
}

run "refuses_a_certificate_of_another_region" {
  command = plan
  variables {
    certificate_arn = "arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
  }
  expect_failures = [var.certificate_arn]
}

run "refuses_a_cluster_without_administrator" {
  command = plan
  variables {
    admin_principal_arns = []
  }
  expect_failures = [var.admin_principal_arns]
}

run "refuses_a_cluster_api_for_the_world" {
  command = plan
  variables {
    cluster_api_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.cluster_api_cidrs]
}

run "refuses_four_brokers_in_three_zones" {
  command = plan
  variables {
    kafka = { brokers = 4 }
  }
  expect_failures = [var.kafka]
}

run "refuses_anonymous_kafka_clients" {
  command = plan
  variables {
    kafka_client_authentication = "none"
  }
  expect_failures = [var.kafka_client_authentication]
}

run "refuses_nobody_to_wake" {
  command = plan
  variables {
    page_emails = []
  }
  expect_failures = [var.page_emails]
}

run "refuses_every_repository_of_the_owner" {
  command = plan
  variables {
    github_repository = "example/*"
  }
  expect_failures = [var.github_repository]
}

run "refuses_the_admin_for_the_world" {
  command = plan
  variables {
    admin_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.admin_cidrs]
}

run "refuses_a_rate_that_stops_client_programs" {
  command = plan
  variables {
    waf_rate_limit = 20000
  }
  expect_failures = [var.waf_rate_limit]
}

run "refuses_a_generation_before_the_first" {
  command = plan
  variables {
    credentials_generation = 0
  }
  expect_failures = [var.credentials_generation]
}

run "refuses_a_token_before_the_first" {
  command = plan
  variables {
    redis_token_version = 0
  }
  expect_failures = [var.redis_token_version]
}
