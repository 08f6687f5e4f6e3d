locals {
  members = [for i in range(1 + var.replicas) : format("%s-%03d", var.name, i + 1)]
  alarms = {
    memory = { metric = "DatabaseMemoryUsagePercentage", above = 75, periods = 5, why = "Memory above 75 %: with noeviction, writes fail at 100 %" }
    cpu    = { metric = "EngineCPUUtilization", above = 80, periods = 5, why = "The one engine thread is nearly busy" }
    lag    = { metric = "ReplicationLag", above = 10, periods = 5, why = "A failover now would lose seconds of cache" }
    evict  = { metric = "Evictions", above = 0, periods = 1, why = "Keys were evicted: the parameter group is not ours" }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for pair in setproduct(keys(local.alarms), local.members) :
  "${pair[0]}-${pair[1]}" => merge(local.alarms[pair[0]], { member = pair[1] }) }

  alarm_name          = "${var.name}-redis-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  dimensions          = { CacheClusterId = each.value.member }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "missing" # the primary reports no lag
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
