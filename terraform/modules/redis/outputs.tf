output "host" {
  description = "The primary's address; it follows a failover."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "port" {
  description = "Port."
  value       = local.port
}

output "secret_arn" {
  description = "Secret that holds REDIS_URL with its password."
  value       = aws_secretsmanager_secret.url.arn
}
