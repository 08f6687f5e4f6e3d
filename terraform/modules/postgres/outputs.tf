output "host" {
  description = "The instance's address; it follows a failover."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Port."
  value       = local.port
}

output "database" {
  description = "Name of the database."
  value       = local.database
}

output "database_url" {
  description = "DATABASE_URL without user and password, which the secret holds."
  value       = "postgres://${aws_db_instance.this.address}:${local.port}/${local.database}?sslmode=verify-full&sslrootcert=${var.ca_file}"
}

output "secret_arn" {
  description = "Secret with username and password, managed and rotated by AWS."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
