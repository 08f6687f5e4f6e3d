output "dns_name" {
  description = "Where the hosts' DNS records point."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of dns_name, for a Route 53 alias."
  value       = aws_lb.this.zone_id
}

output "target_group_arns" {
  description = "For the cluster's TargetGroupBindings: http and ws."
  value       = { for name, group in aws_lb_target_group.this : name => group.arn }
}

output "drain_seconds" {
  description = "Deregistration delay: a pod's preStop and grace period must be longer."
  value       = var.drain_seconds
}
