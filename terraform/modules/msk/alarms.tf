locals {
  broker_ids = [for i in range(var.brokers) : tostring(i + 1)]

  cluster_alarms = {
    offline-partitions = { metric = "OfflinePartitionsCount", above = 0, periods = 1, why = "Partitions without a leader: their accounts cannot trade" }
    no-controller      = { metric = "ActiveControllerCount", below = 1, periods = 3, why = "No active controller: no leader can be elected" }
    global-partitions  = { metric = "GlobalPartitionCount", above = 1000 * var.brokers, periods = 3, why = "More partitions than this broker size carries" }
  }
  broker_alarms = {
    disk             = { metric = "KafkaDataLogsDiskUsed", above = 85, periods = 1, why = "Broker disk above 85 %: autoscaling is at its maximum or too slow" }
    under-replicated = { metric = "UnderReplicatedPartitions", above = 0, periods = 5, why = "Replicas behind: one more failure stops acks=all" }
  }
}

resource "aws_cloudwatch_metric_alarm" "cluster" {
  for_each = local.cluster_alarms

  alarm_name          = "${var.name}-kafka-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/Kafka"
  metric_name         = each.value.metric
  dimensions          = { "Cluster Name" = aws_msk_cluster.this.cluster_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.above)
  treat_missing_data  = "breaching" # brokers that report nothing are not well
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "broker" {
  for_each = { for pair in setproduct(keys(local.broker_alarms), local.broker_ids) :
  "${pair[0]}-${pair[1]}" => merge(local.broker_alarms[pair[0]], { id = pair[1] }) }

  alarm_name          = "${var.name}-kafka-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/Kafka"
  metric_name         = each.value.metric
  dimensions          = { "Cluster Name" = aws_msk_cluster.this.cluster_name, "Broker ID" = each.value.id }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# The group that decides and the group that shows, seen from outside the cluster: these page even when
# everything inside it, Prometheus too, is gone. No measurement means that the group is: breaching.
resource "aws_cloudwatch_metric_alarm" "lag" {
  for_each = var.watched_groups

  alarm_name          = "${var.name}-kafka-lag-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/Kafka"
  metric_name         = "MaxOffsetLag"
  dimensions          = { "Cluster Name" = aws_msk_cluster.this.cluster_name, "Consumer Group" = each.key, "Topic" = each.value.topic }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# CPU is user + system, and 60 % is where a broker stops having room for a peer's failure.
resource "aws_cloudwatch_metric_alarm" "cpu" {
  for_each = toset(local.broker_ids)

  alarm_name          = "${var.name}-kafka-cpu-${each.key}"
  alarm_description   = "Broker CPU above 60 %: no room to take over from a failed broker"
  evaluation_periods  = 15
  comparison_operator = "GreaterThanThreshold"
  threshold           = 60
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  metric_query {
    id          = "total"
    expression  = "user + system"
    label       = "CPU user + system"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { user = "CpuUser", system = "CpuSystem" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/Kafka"
        metric_name = metric_query.value
        dimensions  = { "Cluster Name" = aws_msk_cluster.this.cluster_name, "Broker ID" = each.key }
        period      = 60
        stat        = "Average"
      }
    }
  }
}
