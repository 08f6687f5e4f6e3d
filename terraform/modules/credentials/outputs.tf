output "current" {
  description = "Name of the secret of each purpose (django, documentdb, postgres), this generation."
  value       = { for p in local.purposes : p => aws_secretsmanager_secret.this["${p}-${var.generation}"].name }
}

output "previous" {
  description = "The same of the generation before."
  value       = { for p in local.purposes : p => aws_secretsmanager_secret.this["${p}-${var.generation - 1}"].name }
}

output "arns" {
  description = "ARNs of each purpose's two secrets."
  value       = { for p in local.purposes : p => [for name, m in local.made : aws_secretsmanager_secret.this[name].arn if m.purpose == p] }
}
