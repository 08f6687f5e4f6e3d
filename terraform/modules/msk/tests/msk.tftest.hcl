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

run "an_order_log_that_forgets_nothing" {
  command = apply

  assert {
    condition = alltrue([for line in [
      "auto.create.topics.enable = false", "default.replication.factor = 3", "min.insync.replicas = 2", "unclean.leader.election.enable = false",
    ] : contains(split("\n", output.server_properties), line)])
    error_message = "RF 3, min ISR 2, no unclean election, no accidental topics."
  }
  assert {
    condition     = alltrue([for t in values(aws_msk_topic.this) : t.replication_factor == 3 && jsondecode(t.configs)["min.insync.replicas"] == "2" && jsondecode(t.configs)["unclean.leader.election.enable"] == "false" && jsondecode(t.configs)["max.message.bytes"] == "4259840"])
    error_message = "And again on each topic."
  }
  assert {
    condition     = aws_msk_topic.this["oms.commands"].partition_count == 24 && jsondecode(aws_msk_topic.this["oms.commands"].configs)["retention.ms"] == "-1" && jsondecode(aws_msk_topic.this["oms.events"].configs)["retention.ms"] == "604800000"
    error_message = "Partitions and retention as asked."
  }
}

run "nothing_in_the_clear" {
  command = apply

  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].client_broker == "TLS" && aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].in_cluster
    error_message = "TLS to clients and between brokers."
  }
  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_at_rest_kms_key_arn == var.kms_key_arns.data && aws_cloudwatch_log_group.brokers.kms_key_id == var.kms_key_arns.logs
    error_message = "Volumes and logs under our keys."
  }
  assert {
    condition     = aws_msk_cluster.this.broker_node_group_info[0].connectivity_info[0].public_access[0].type == "DISABLED"
    error_message = "Not from the internet."
  }
}

run "iam_by_default" {
  command = apply

  assert {
    condition     = aws_msk_cluster.this.client_authentication[0].sasl[0].iam && !aws_msk_cluster.this.client_authentication[0].sasl[0].scram && !aws_msk_cluster.this.client_authentication[0].unauthenticated
    error_message = "Roles, and nobody without one."
  }
  assert {
    condition     = output.port == 9098 && startswith(output.log_url, "kafka://") && endswith(output.log_url, ":9098?security_protocol=SASL_SSL&sasl_mechanism=AWS_MSK_IAM")
    error_message = "LOG_URL with the IAM port."
  }
  assert {
    condition     = strcontains(output.topic_arn_prefix, ":topic/oms-test/") && endswith(output.group_arn_prefix, "/") && strcontains(output.group_arn_prefix, ":group/oms-test/")
    error_message = "Prefixes that policies build topic and group ARNs from."
  }
}

run "scram_instead" {
  command = apply
  variables {
    client_authentication = "scram"
    scram_secret_arns     = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:AmazonMSK_oms-a1b2c3"]
  }

  assert {
    condition     = aws_msk_cluster.this.client_authentication[0].sasl[0].scram && !aws_msk_cluster.this.client_authentication[0].sasl[0].iam && length(aws_msk_scram_secret_association.this) == 1
    error_message = "SCRAM users, associated."
  }
  assert {
    condition     = output.port == 9096 && endswith(output.log_url, ":9096?security_protocol=SASL_SSL&sasl_mechanism=SCRAM-SHA-512")
    error_message = "LOG_URL with the SCRAM port."
  }
}

run "watched_and_growing" {
  command = apply
  variables {
    brokers = 6
  }

  assert {
    condition     = aws_msk_cluster.this.open_monitoring[0].prometheus[0].jmx_exporter[0].enabled_in_broker && aws_msk_cluster.this.open_monitoring[0].prometheus[0].node_exporter[0].enabled_in_broker
    error_message = "Both exporters."
  }
  assert {
    condition     = aws_appautoscaling_target.storage.max_capacity == 1000 && aws_appautoscaling_policy.storage.target_tracking_scaling_policy_configuration[0].disable_scale_in
    error_message = "Storage grows to 1,000 GB and never shrinks."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.cpu) == 6 && length(aws_cloudwatch_metric_alarm.broker) == 12 && length(aws_cloudwatch_metric_alarm.cluster) == 3
    error_message = "CPU, disk and replication of every broker; the cluster's own three."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.broker["disk-1"].threshold == 85 && aws_cloudwatch_metric_alarm.cpu["1"].threshold == 60 && aws_cloudwatch_metric_alarm.cluster["no-controller"].comparison_operator == "LessThanThreshold"
    error_message = "Disk at 85 %, CPU at 60 %, no controller below one."
  }
  assert {
    condition     = alltrue([for a in concat(values(aws_cloudwatch_metric_alarm.cpu), values(aws_cloudwatch_metric_alarm.broker), values(aws_cloudwatch_metric_alarm.cluster)) : a.alarm_actions == toset(var.alarm_topic_arns)])
    error_message = "Every alarm reaches somebody."
  }
}

run "a_group_that_stops_is_heard" {
  command = apply
  variables {
    watched_groups = { oms-engine = { topic = "oms.commands", above = 5000, why = "Nobody decides" } }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.lag["oms-engine"].metric_name == "MaxOffsetLag" && aws_cloudwatch_metric_alarm.lag["oms-engine"].treat_missing_data == "breaching"
    error_message = "No measurement is no group."
  }
}
