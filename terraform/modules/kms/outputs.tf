output "arns" {
  description = "ARN of each service's key."
  value       = { for name, key in aws_kms_key.this : name => key.arn }
}

output "policies" {
  description = "The key policies, for review."
  value       = { for name, document in data.aws_iam_policy_document.key : name => document.json }
}
