output "deploy_role_arn" {
  description = "Role that the deploying job assumes."
  value       = aws_iam_role.deploy.arn
}

output "repository_url" {
  description = "Where the image is pushed to and pulled from."
  value       = aws_ecr_repository.app.repository_url
}

output "plan_role_arn" {
  description = "Role that the planning job assumes."
  value       = aws_iam_role.plan.arn
}
