locals {
  alarms = {
    cpu         = { metric = "CPUUtilization", above = 80, periods = 10, why = "CPU above 80 %" }
    disk        = { metric = "FreeStorageSpace", below = var.storage_gb * 0.15 * 1073741824, periods = 1, why = "Less than 15 % of the disk left" }
    memory      = { metric = "FreeableMemory", below = 134217728, periods = 5, why = "Less than 128 MB of memory left" }
    connections = { metric = "DatabaseConnections", above = lookup({ "db.t4g.micro" = 80, "db.t4g.small" = 150, "db.t4g.medium" = 350 }, var.instance_class, 700), periods = 5, why = "Connections near the instance's limit" }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-postgres-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = aws_db_instance.this.identifier }
  statistic           = can(each.value.below) ? "Minimum" : "Maximum"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.above)
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
