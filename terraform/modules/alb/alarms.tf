locals {
  alarms = {
    target-5xx = { metric = "HTTPCode_Target_5XX_Count", statistic = "Sum", above = 10, periods = 5, missing = "notBreaching", why = "The application answers with errors" }
    alb-5xx    = { metric = "HTTPCode_ELB_5XX_Count", statistic = "Sum", above = 10, periods = 5, missing = "notBreaching", why = "The load balancer found nobody to answer" }
    latency    = { metric = "TargetResponseTime", percentile = "p99", above = 0.2, periods = 5, missing = "notBreaching", why = "p99 above 200 ms: the promise to clients" }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-alb-${each.key}"
  alarm_description   = each.value.why
  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric
  dimensions          = { LoadBalancer = aws_lb.this.arn_suffix }
  statistic           = try(each.value.statistic, null)
  extended_statistic  = try(each.value.percentile, null)
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# Half of the doors gone is not an outage yet, and the last moment to look.
resource "aws_cloudwatch_metric_alarm" "unhealthy_hosts" {
  for_each = aws_lb_target_group.this

  alarm_name          = "${var.name}-alb-unhealthy-${each.key}"
  alarm_description   = "Pods behind ${each.key} are not ready for five minutes: the others carry their load"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = { LoadBalancer = aws_lb.this.arn_suffix, TargetGroup = each.value.arn_suffix }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "no_healthy_host" {
  for_each = aws_lb_target_group.this

  alarm_name          = "${var.name}-alb-no-healthy-${each.key}"
  alarm_description   = "No healthy pod behind ${each.key}: nobody can trade"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HealthyHostCount"
  dimensions          = { LoadBalancer = aws_lb.this.arn_suffix, TargetGroup = each.value.arn_suffix }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
