output "ids" {
  description = "Security group of each service: alb, nodes, kafka, redis, documentdb, postgres."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "flows" {
  description = "The table of allowed flows, for the documentation and the network policies of the cluster."
  value       = local.flows
}
