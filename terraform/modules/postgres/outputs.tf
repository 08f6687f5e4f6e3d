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

output "url_template" {
  description = "DATABASE_URL; a user's name and password belong where {{ .postgres_username }} and {{ .postgres_password | urlquery }} stand."
  value       = "postgres://{{ .postgres_username }}:{{ .postgres_password | urlquery }}@${aws_db_instance.this.address}:${local.port}/${local.database}?sslmode=verify-full&sslrootcert=${var.ca_file}"
}

output "master_secret_arn" {
  description = "The master's secret, managed and rotated by AWS: for the job that makes the application's users, and for nobody else."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
