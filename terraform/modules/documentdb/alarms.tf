locals {
  alarms = {
    cpu         = { metric = "CPUUtilization", above = 80, periods = 10, why = "Writer or reader above 80 % CPU" }
    connections = { metric = "DatabaseConnections", above = startswith(var.instance_class, "db.t") ? 400 : 1500, periods = 5, why = "Connections near the instance's limit" }
    replica-lag = { metric = "DBClusterReplicaLagMaximum", above = 1000, periods = 5, why = "Readers more than a second behind" }
    latency     = { metric = "WriteLatency", above = 0.05, periods = 10, why = "Writes take more than 50 ms" }
    memory      = { metric = "FreeableMemory", below = 268435456, periods = 5, why = "Less than 256 MB of memory left" }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-documentdb-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/DocDB"
  metric_name         = each.value.metric
  dimensions          = { DBClusterIdentifier = aws_docdb_cluster.this.cluster_identifier }
  statistic           = can(each.value.below) ? "Minimum" : "Maximum"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.above)
  treat_missing_data  = each.key == "replica-lag" && var.instances == 1 ? "notBreaching" : "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
