output "host" {
  description = "The primary's address; it follows a failover."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "port" {
  description = "Port."
  value       = local.port
}

output "url_template" {
  description = "REDIS_URL; the password of the secret belongs where {{ .redis_password }} stands."
  value       = "rediss://:{{ .redis_password }}@${aws_elasticache_replication_group.this.primary_endpoint_address}:${local.port}/0?ssl_cert_reqs=required"
}

output "secret_name" {
  description = "Secret that holds the password."
  value       = aws_secretsmanager_secret.token.name
}

output "secret_arn" {
  description = "Its ARN."
  value       = aws_secretsmanager_secret.token.arn
}
