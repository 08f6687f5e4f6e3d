output "static_bucket" {
  description = "Bucket that a deploy syncs the static files to."
  value       = aws_s3_bucket.this["static"].id
}

output "static_bucket_arn" {
  description = "Its ARN."
  value       = aws_s3_bucket.this["static"].arn
}

output "static_url" {
  description = "STATIC_URL of the application."
  value       = "https://${aws_cloudfront_distribution.static.domain_name}/"
}

output "distribution_arn" {
  description = "The CloudFront distribution."
  value       = aws_cloudfront_distribution.static.arn
}

output "logs_bucket" {
  description = "Bucket of the access logs. It exists with its policy: load balancers test it."
  value       = aws_s3_bucket_policy.this["logs"].bucket
}
