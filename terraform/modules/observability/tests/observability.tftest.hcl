variables {
  name               = "oms-test"
  kms_key_arns       = { notifications = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  page_emails        = ["oncall@example.com"]
  monthly_budget_usd = 650
}

run "alarms_reach_people_encrypted" {
  command = apply

  assert {
    condition     = toset(keys(aws_sns_topic.this)) == toset(["page", "ticket"]) && alltrue([for t in values(aws_sns_topic.this) : t.kms_master_key_id == var.kms_key_arns.notifications])
    error_message = "Two topics under our key."
  }
  assert {
    condition     = toset([for s in values(aws_sns_topic_subscription.this) : "${s.protocol} ${s.endpoint}"]) == toset(["email oncall@example.com"]) && length(aws_sns_topic_subscription.this) == 2
    error_message = "Without ticket addresses, the page addresses get both."
  }
  assert {
    condition     = alltrue([for p in values(aws_sns_topic_policy.this) : jsondecode(p.policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == ["123456789012"]])
    error_message = "Alarms of this account publish."
  }
}

run "tickets_to_others" {
  command = apply
  variables {
    ticket_emails = ["team@example.com"]
  }

  assert {
    condition     = toset([for s in values(aws_sns_topic_subscription.this) : s.endpoint if s.topic_arn == aws_sns_topic.this["ticket"].arn]) == toset(["team@example.com"])
    error_message = "Tickets go to the team."
  }
}

run "money_and_errors_are_watched" {
  command = apply

  assert {
    condition     = aws_budgets_budget.monthly.limit_amount == "650" && toset([for n in aws_budgets_budget.monthly.notification : "${n.notification_type} ${n.threshold}"]) == toset(["ACTUAL 80", "FORECASTED 100"])
    error_message = "80 % spent, 100 % forecast."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.this["dead-letters"].alarm_actions == toset([aws_sns_topic.this["page"].arn])
    error_message = "One dead letter wakes somebody."
  }
  assert {
    condition     = alltrue([for name, a in aws_cloudwatch_metric_alarm.this : a.metric_name == aws_cloudwatch_log_metric_filter.this[name].metric_transformation[0].name && a.namespace == aws_cloudwatch_log_metric_filter.this[name].metric_transformation[0].namespace])
    error_message = "Each alarm watches the metric its filter makes."
  }
}
