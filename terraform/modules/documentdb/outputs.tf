output "endpoint" {
  description = "The writer's address; it follows a failover."
  value       = aws_docdb_cluster.this.endpoint
}

output "url_template" {
  description = "ORDER_STORE_URL; a user's name and password belong where {{ .documentdb_username }} and {{ .documentdb_password | urlquery }} stand."
  value       = "mongodb://{{ .documentdb_username }}:{{ .documentdb_password | urlquery }}@${aws_docdb_cluster.this.endpoint}:${local.port}/oms?authSource=admin&tls=true&tlsCAFile=${var.ca_file}&replicaSet=rs0&readPreference=primary&retryWrites=false"
}

output "master_secret_arn" {
  description = "The master's secret, managed and rotated by AWS: for the job that makes the application's users, and for nobody else."
  value       = aws_docdb_cluster.this.master_user_secret[0].secret_arn
}
