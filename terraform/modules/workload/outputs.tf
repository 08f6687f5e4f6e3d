output "role_arn" {
  description = "The role of the workload's pods."
  value       = aws_iam_role.this.arn
}
