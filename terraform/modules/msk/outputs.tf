output "arn" {
  description = "ARN of the cluster."
  value       = aws_msk_cluster.this.arn
}

output "bootstrap" {
  description = "Brokers as host:port,host:port with the port of the chosen authentication."
  value       = local.bootstrap
}

output "log_url" {
  description = "LOG_URL of the application; with SCRAM, put {username}:{password}@ before the brokers."
  value       = "kafka://${local.bootstrap}?security_protocol=SASL_SSL&sasl_mechanism=${var.client_authentication == "iam" ? "AWS_MSK_IAM" : "SCRAM-SHA-512"}"
}

output "port" {
  description = "Client port: 9098 for IAM, 9096 for SCRAM."
  value       = local.port
}

output "topic_arn_prefix" {
  description = "A topic's ARN is this and the topic's name; group_arn_prefix likewise."
  value       = "${replace(aws_msk_cluster.this.arn, ":cluster/", ":topic/")}/"
}

output "group_arn_prefix" {
  description = "A consumer group's ARN is this and the group's name."
  value       = "${replace(aws_msk_cluster.this.arn, ":cluster/", ":group/")}/"
}

output "partitions" {
  description = "Partition count of each topic: the ceiling for consumer replicas."
  value       = { for name, t in var.topics : name => t.partitions }
}

output "server_properties" {
  description = "The broker configuration, for review."
  value       = aws_msk_configuration.this.server_properties
}
