output "archive_bucket" {
  description = "Bucket of the order log's archive."
  value       = aws_s3_bucket_policy.this["archive"].bucket
}

output "archive_bucket_arn" {
  description = "Its ARN."
  value       = aws_s3_bucket.this["archive"].arn
}

output "logs_bucket" {
  description = "Bucket of the access logs. It exists with its policy: load balancers test it."
  value       = aws_s3_bucket_policy.this["logs"].bucket
}
