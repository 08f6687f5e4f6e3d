# Both wait for the topic's policy: an alarm made before it could not publish.
output "page_topic_arn" {
  description = "Wakes somebody."
  value       = aws_sns_topic_policy.this["page"].arn
}

output "ticket_topic_arn" {
  description = "Can wait until morning."
  value       = aws_sns_topic_policy.this["ticket"].arn
}

output "log_group" {
  description = "Log group that the cluster's log collector writes to."
  value       = aws_cloudwatch_log_group.app.name
}

output "log_group_arn" {
  description = "Its ARN."
  value       = aws_cloudwatch_log_group.app.arn
}
