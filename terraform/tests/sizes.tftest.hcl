# The same code in three sizes: what differs, and what must not.

variables {
  environment          = "dev"
  size                 = "dev"
  hosts                = ["oms.example.com"]
  certificate_arn      = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
  admin_principal_arns = ["arn:aws:iam::111122223333:role/oms-admin"]
  page_emails          = ["oncall@example.com"]
  github_repository    = "example/crypto-oms"
}

run "dev_is_one_of_everything_that_may_be_one" {
  command = plan

  assert {
    condition     = length(output.nat_addresses) == 1 && local.documentdb.instances == 1 && !local.postgres.multi_az && !local.size.endpoints_in_every_az
    error_message = "Development pays for one."
  }
  assert {
    condition     = local.kafka.brokers == 3 && local.redis.replicas == 1
    error_message = "Brokers and cache still fail over: the application is tested against that."
  }
}

run "prod_survives_a_zone" {
  command = plan
  variables {
    environment = "prod"
    size        = "prod"
  }

  assert {
    condition     = length(output.nat_addresses) == 3 && local.documentdb.instances >= 2 && local.postgres.multi_az && local.redis.replicas >= 1 && local.kafka.brokers % 3 == 0
    error_message = "Two of everything, in different zones."
  }
  assert {
    condition     = local.size.protected
    error_message = "Deletion protection, no forced emptying of buckets."
  }
  assert {
    condition     = toset(values(output.kafka.partitions)) == toset([24]) && output.app_env.OMS_PARTITIONS == "24"
    error_message = "One count for every topic, and the application is told."
  }
  assert {
    condition     = local.nodes["engine"].taint == "engine"
    error_message = "The engine has nodes of its own."
  }
}

run "peak_has_a_partition_for_every_engine" {
  command = plan
  variables {
    environment = "peak"
    size        = "peak"
  }

  assert {
    condition     = output.kafka.partitions["oms.commands"] >= local.nodes["engine"].max * 8
    error_message = "Eight engines a node: more engines than partitions would idle."
  }
  assert {
    condition     = local.documentdb.storage_type == "iopt1"
    error_message = "At 50,000 orders a second, I/O billed one by one is the whole bill."
  }
}

run "a_part_can_be_overridden" {
  command = plan
  variables {
    kafka    = { brokers = 6 }
    postgres = { multi_az = true }
    nodes    = { only = { instance_types = ["m7g.large"], min = 1, max = 2, desired = 1 } }
  }

  assert {
    condition     = local.kafka.brokers == 6 && local.kafka.instance_type == "kafka.t3.small" && local.postgres.multi_az && join(",", keys(local.nodes)) == "only"
    error_message = "Only what is named changes."
  }
}
