# What the application and its manifests need. No output holds a password: the URLs come without
# credentials, which live in Secrets Manager (secret_arns).

output "app_env" {
  description = "Environment of the application's pods (a ConfigMap). Where a user and password belong, see secret_arns."
  value = {
    LOG_URL         = module.msk.log_url
    ORDER_STORE_URL = module.documentdb.order_store_url
    DATABASE_URL    = module.postgres.database_url

    OMS_ALLOWED_HOSTS   = join(",", var.hosts)
    OMS_TRUSTED_ORIGINS = join(",", [for h in var.hosts : "https://${h}"])
    OMS_SECURE_COOKIES  = "1"
    OMS_LOG_FORMAT      = "json"
    OMS_PARTITIONS      = tostring(local.kafka.partitions)
  }
}

output "static_url" {
  description = "Where the static files are served from."
  value       = module.s3.static_url
}

output "database" {
  description = "DATABASE_URL in parts."
  value       = { host = module.postgres.host, port = module.postgres.port, name = module.postgres.database }
}

output "redis" {
  description = "REDIS_URL in parts; the URL with its password is in the secret."
  value       = { host = module.redis.host, port = module.redis.port }
}

output "secret_arns" {
  description = "Secrets: redis holds REDIS_URL; documentdb and postgres hold username and password."
  value       = local.secret_arns
  sensitive   = true
}

output "kafka" {
  description = "Kafka in parts: how to authenticate, and each topic's partitions (the ceiling for consumer replicas)."
  value = {
    bootstrap      = module.msk.bootstrap
    authentication = var.kafka_client_authentication
    partitions     = module.msk.partitions
  }
}

output "role_arns" {
  description = "IAM role of each service account."
  value       = { for name, w in module.workload : name => w.role_arn }
}

output "cluster" {
  description = "The EKS cluster: aws eks update-kubeconfig --name NAME."
  value       = { name = module.eks.name, endpoint = module.eks.endpoint, namespace = var.namespace }
}

output "target_group_arns" {
  description = "For the TargetGroupBindings."
  value       = module.alb.target_group_arns
}

output "drain_seconds" {
  description = "How long the load balancer drains a pod: preStop and grace period must be longer."
  value       = module.alb.drain_seconds
}

output "load_balancer" {
  description = "Where the hosts' DNS records point (an alias)."
  value       = { dns_name = module.alb.dns_name, zone_id = module.alb.zone_id }
}

output "deploy" {
  description = "For the release pipeline."
  value       = { role_arn = module.ci.deploy_role_arn, repository_url = module.ci.repository_url, static_bucket = module.s3.static_bucket }
}

output "log_group" {
  description = "Log group of the application."
  value       = module.observability.log_group
}

output "nat_addresses" {
  description = "Addresses that outgoing traffic comes from."
  value       = module.vpc.nat_addresses
}
