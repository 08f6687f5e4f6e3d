output "endpoint" {
  description = "The writer's address; it follows a failover."
  value       = aws_docdb_cluster.this.endpoint
}

output "order_store_url" {
  description = "ORDER_STORE_URL without user and password, which the secret holds: put {username}:{password}@ before the host."
  value       = "mongodb://${aws_docdb_cluster.this.endpoint}:${local.port}/oms?tls=true&tlsCAFile=${var.ca_file}&replicaSet=rs0&readPreference=primary&retryWrites=false"
}

output "secret_arn" {
  description = "Secret with username and password, managed and rotated by AWS."
  value       = aws_docdb_cluster.this.master_user_secret[0].secret_arn
}
