locals {
  port        = var.client_authentication == "iam" ? 9098 : 9096
  replication = 3
  min_in_sync = 2

  record_bytes_max = 4259840 # the application's 4 MB and room for the record's head

  # What keeps an acknowledged record is here, for topics made by hand, and again on each topic.
  server_properties = {
    "auto.create.topics.enable"        = "false" # a misspelt topic is an error, not a topic
    "default.replication.factor"       = local.replication
    "min.insync.replicas"              = local.min_in_sync
    "unclean.leader.election.enable"   = "false"                # rather wait than forget an acknowledged order
    "message.max.bytes"                = local.record_bytes_max # a batch of 500 orders is one record
    "replica.fetch.max.bytes"          = 2 * local.record_bytes_max
    "num.partitions"                   = 1
    "offsets.retention.minutes"        = 10080 # a consumer may be down for a week
    "group.initial.rebalance.delay.ms" = 3000
  }
}

locals {
  bootstrap = var.client_authentication == "iam" ? aws_msk_cluster.this.bootstrap_brokers_sasl_iam : aws_msk_cluster.this.bootstrap_brokers_sasl_scram
}

resource "aws_cloudwatch_log_group" "brokers" {
  #checkov:skip=CKV_AWS_338:Broker logs are for finding faults; who did what is in the topics themselves.
  name              = "/oms/${var.name}/kafka"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arns.logs
}

resource "aws_msk_configuration" "this" {
  # A configuration's name stays taken after it is gone, and the Kafka version is part of its
  # meaning: both changes make a new one beside the old.
  name              = "${var.name}-${replace(trimsuffix(var.kafka_version, ".x"), ".", "-")}"
  kafka_versions    = [var.kafka_version]
  server_properties = join("\n", [for k, v in local.server_properties : "${k} = ${v}"])

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_msk_cluster" "this" {
  cluster_name           = var.name
  kafka_version          = var.kafka_version
  number_of_broker_nodes = var.brokers
  enhanced_monitoring    = "PER_BROKER"

  broker_node_group_info {
    client_subnets  = [for s in var.subnets : s.id]
    instance_type   = var.instance_type
    security_groups = [var.security_group_id]

    storage_info {
      ebs_storage_info {
        volume_size = var.volume_gb
      }
    }

    connectivity_info {
      public_access {
        type = "DISABLED"
      }
    }
  }

  encryption_info {
    encryption_at_rest_kms_key_arn = var.kms_key_arns.data
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  client_authentication {
    unauthenticated = false
    sasl {
      iam   = var.client_authentication == "iam"
      scram = var.client_authentication == "scram"
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.this.arn
    revision = aws_msk_configuration.this.latest_revision
  }

  open_monitoring {
    prometheus {
      jmx_exporter {
        enabled_in_broker = true
      }
      node_exporter {
        enabled_in_broker = true
      }
    }
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.brokers.name
      }
    }
  }

  lifecycle {
    prevent_destroy = true # it holds every order; a change that would replace it is a migration
    # Storage autoscaling grows it; terraform must not ask for a smaller one.
    ignore_changes = [broker_node_group_info[0].storage_info[0].ebs_storage_info[0].volume_size]
  }
}

resource "aws_msk_scram_secret_association" "this" {
  count = length(var.scram_secret_arns) > 0 ? 1 : 0

  cluster_arn     = aws_msk_cluster.this.arn
  secret_arn_list = var.scram_secret_arns
}

resource "aws_msk_topic" "this" {
  for_each = var.topics

  cluster_arn        = aws_msk_cluster.this.arn
  name               = each.key
  partition_count    = each.value.partitions
  replication_factor = local.replication
  configs = jsonencode({
    "min.insync.replicas"            = tostring(local.min_in_sync)
    "unclean.leader.election.enable" = "false"
    "cleanup.policy"                 = each.value.compact ? "compact" : "delete"
    "retention.ms"                   = tostring(each.value.retention_hours == -1 ? -1 : each.value.retention_hours * 3600000)
    "max.message.bytes"              = tostring(local.record_bytes_max)
    "message.timestamp.type"         = "LogAppendTime" # the broker's clock, not a client's
  })

  lifecycle {
    prevent_destroy = true # a topic under another name is an empty log
    # The key decides the partition, the partition the writer: another count re-maps every account.
    # It is set once, at birth; changing it is a migration to a new topic (README).
    ignore_changes = [partition_count]
  }
}

resource "aws_appautoscaling_target" "storage" {
  service_namespace  = "kafka"
  scalable_dimension = "kafka:broker-storage:VolumeSize"
  resource_id        = aws_msk_cluster.this.arn
  min_capacity       = 1
  max_capacity       = var.volume_max_gb
}

resource "aws_appautoscaling_policy" "storage" {
  name               = "${var.name}-storage"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.storage.service_namespace
  scalable_dimension = aws_appautoscaling_target.storage.scalable_dimension
  resource_id        = aws_appautoscaling_target.storage.resource_id

  target_tracking_scaling_policy_configuration {
    target_value     = 70
    disable_scale_in = true # volumes cannot shrink
    predefined_metric_specification {
      predefined_metric_type = "KafkaBrokerStorageUtilization"
    }
  }
}
