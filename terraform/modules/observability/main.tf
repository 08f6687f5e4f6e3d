# Where alarms go, where logs go, and what may be spent. The alarms themselves stand beside the
# things they watch; Prometheus, in the cluster, watches the application from the inside.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  topics  = { page = var.page_emails, ticket = setunion(var.ticket_emails, length(var.ticket_emails) > 0 ? [] : var.page_emails) }
}

resource "aws_sns_topic" "this" {
  for_each = local.topics

  name              = "${var.name}-${each.key}"
  kms_master_key_id = var.kms_key_arns.notifications
}

data "aws_iam_policy_document" "topic" {
  for_each = local.topics

  statement {
    sid       = "AlarmsAndBudgetsOfThisAccountPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.topics

  arn    = aws_sns_topic.this[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = merge([for topic, emails in local.topics : { for e in emails : "${topic}-${e}" => { topic = topic, email = e } }]...)

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = "email"
  endpoint  = each.value.email
}

resource "aws_cloudwatch_log_group" "app" {
  #checkov:skip=CKV_AWS_338:For finding faults; the audit trail is in the order log, which is kept for ever in production.
  name              = "/oms/${var.name}/app"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arns.logs
}

# The application logs one JSON object a line; these must page even when the cluster's own Prometheus
# is down with the rest of it. A test runs them over lines that the application really wrote.
locals {
  filters = {
    errors = {
      pattern = "{ $.level = \"error\" || $.level = \"critical\" }", above = 20, topic = "ticket"
      why     = "More than 20 errors logged in five minutes"
    }
    dead-letters = {
      pattern = "{ $.event = \"dead_letter\" }", above = 0, topic = "page"
      why     = "A record could not be processed and was set aside"
    }
    paused = {
      pattern = "{ $.event = \"partition_paused\" }", above = 0, topic = "page"
      why     = "A flood of unreadable records: a partition waits for an operator, its accounts cannot trade"
    }
    integrity = {
      pattern = "{ $.event = \"integrity_breach\" }", above = 0, topic = "page"
      why     = "The books of an account do not add up"
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.filters

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.app.name
  pattern        = each.value.pattern

  metric_transformation {
    name          = each.key
    namespace     = "OMS/${var.name}"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.filters

  alarm_name          = "${var.name}-app-${each.key}"
  alarm_description   = each.value.why
  namespace           = "OMS/${var.name}"
  metric_name         = each.key
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching" # no log line, no error
  alarm_actions       = [aws_sns_topic.this[each.value.topic].arn]
  ok_actions          = [aws_sns_topic.this[each.value.topic].arn]
}

resource "aws_budgets_budget" "monthly" {
  name         = "${var.name}-monthly"
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  notification {
    comparison_operator       = "GREATER_THAN"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    notification_type         = "ACTUAL"
    subscriber_sns_topic_arns = [aws_sns_topic.this["ticket"].arn]
  }

  notification {
    comparison_operator       = "GREATER_THAN"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    notification_type         = "FORECASTED"
    subscriber_sns_topic_arns = [aws_sns_topic.this["ticket"].arn]
  }
}
