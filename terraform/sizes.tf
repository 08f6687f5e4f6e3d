# The three sizes. The prices they come to are computed from the plan (README, "Cost").

locals {
  sizes = {
    # One of everything that may be one; a zone's loss stops it for an hour. Same code, same
    # encryption, same permissions as prod: what works here works there.
    dev = {
      nat_per_az            = false
      endpoints_in_every_az = false
      endpoints             = ["ecr.api", "ecr.dkr", "eks-auth", "sts", "logs", "secretsmanager"]
      protected             = false
      budget_usd            = 650
      log_retention_days    = 30
      database_pool         = 3 # connections a process: all pods together stay below what the class takes
      nodes = {
        general = { instance_types = ["t4g.large"], min = 2, max = 4, desired = 2, disk_gb = 30 }
      }
      kafka      = { instance_type = "kafka.t3.small", brokers = 3, volume_gb = 40, volume_max_gb = 120, partitions = 12, retention_hours = 168 }
      redis      = { node_type = "cache.t4g.micro", replicas = 1 }
      documentdb = { instance_class = "db.t3.medium", instances = 1, storage_type = "standard" }
      postgres   = { instance_class = "db.t4g.micro", multi_az = false, storage_gb = 20, storage_max_gb = 40 }
    }

    # Survives a zone. Moderate load: some hundred orders a second.
    prod = {
      nat_per_az            = true
      endpoints_in_every_az = true
      endpoints             = ["ecr.api", "ecr.dkr", "eks-auth", "sts", "logs", "secretsmanager"]
      protected             = true
      budget_usd            = 2300
      log_retention_days    = 90
      database_pool         = 8
      nodes = {
        general = { instance_types = ["m7g.large"], min = 2, max = 6, desired = 2, disk_gb = 80 }
        # The engine does not share a node: a report must not cost it its cache.
        engine = { instance_types = ["m7g.large"], min = 2, max = 6, desired = 2, disk_gb = 80, taint = "engine" }
      }
      kafka      = { instance_type = "kafka.m7g.large", brokers = 3, volume_gb = 150, volume_max_gb = 1000, partitions = 24, retention_hours = -1 }
      redis      = { node_type = "cache.r7g.large", replicas = 1 }
      documentdb = { instance_class = "db.r6g.large", instances = 2, storage_type = "standard" }
      postgres   = { instance_class = "db.t4g.medium", multi_az = true, storage_gb = 20, storage_max_gb = 100 }
    }

    # Sized for 50,000 orders a second at the peak, 5 % of it for the rest of the day. An estimate
    # from the services' published limits (docs/infrastructure.md), not a load test in AWS.
    peak = {
      nat_per_az            = true
      endpoints_in_every_az = true
      endpoints             = ["ecr.api", "ecr.dkr", "eks-auth", "sts", "logs", "secretsmanager", "kms"]
      protected             = true
      budget_usd            = 20000
      log_retention_days    = 90
      database_pool         = 16
      nodes = {
        general = { instance_types = ["m7g.xlarge"], min = 3, max = 12, desired = 3, disk_gb = 100 }
        engine  = { instance_types = ["c7g.4xlarge"], min = 6, max = 12, desired = 6, disk_gb = 100, taint = "engine" }
      }
      kafka      = { instance_type = "kafka.m7g.2xlarge", brokers = 3, volume_gb = 4096, volume_max_gb = 8192, partitions = 96, retention_hours = 168 }
      redis      = { node_type = "cache.r7g.2xlarge", replicas = 2 }
      documentdb = { instance_class = "db.r6g.4xlarge", instances = 3, storage_type = "iopt1" }
      postgres   = { instance_class = "db.m7g.2xlarge", multi_az = true, storage_gb = 200, storage_max_gb = 500 }
    }
  }

  # An unknown size is refused by the variable's validation; this only keeps the message single.
  size = local.sizes[contains(keys(local.sizes), var.size) ? var.size : "dev"]

  # A tuple, because ?: wants both sides of one type and the sizes have different groups.
  nodes      = [local.size.nodes, var.nodes][var.nodes == null ? 0 : 1]
  kafka      = merge(local.size.kafka, { for k, v in var.kafka : k => v if v != null })
  redis      = merge(local.size.redis, { for k, v in var.redis : k => v if v != null })
  documentdb = merge(local.size.documentdb, { for k, v in var.documentdb : k => v if v != null })
  postgres   = merge(local.size.postgres, { for k, v in var.postgres : k => v if v != null })
}
