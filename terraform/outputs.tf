# What the application and its manifests need. No output holds a password: the URLs come as templates,
# which External Secrets fills from Secrets Manager (deploy/kubernetes).

output "app_env" {
  description = "Environment of the application's pods: a ConfigMap. What holds a password is in secret_env."
  value = merge(local.kafka_iam ? { LOG_URL = module.msk.log_url } : {}, {
    OMS_ALLOWED_HOSTS   = join(",", var.hosts)
    OMS_TRUSTED_ORIGINS = join(",", [for h in var.hosts : "https://${h}"])
    OMS_SECURE_COOKIES  = "1"
    OMS_LOG_FORMAT      = "json"
    OMS_PARTITIONS      = tostring(local.kafka.partitions)
    OMS_DATABASE_POOL   = tostring(local.size.database_pool)
    OMS_INNER_PORT      = tostring(local.inner_port)
    OMS_INNER_HOST      = "0.0.0.0"
    OMS_PROXIES         = join(",", module.vpc.public_cidrs)
  })
}

output "secret_env" {
  description = "Environment that holds passwords, as templates of an ExternalSecret: {{ .x_y }} is property y of secret_sources.x."
  value = merge(local.kafka_iam ? {} : { LOG_URL = replace(module.msk.log_url, "kafka://", "kafka://{{ .kafka_username }}:{{ .kafka_password | urlquery }}@") }, {
    DATABASE_URL        = module.postgres.url_template
    ORDER_STORE_URL     = module.documentdb.url_template
    REDIS_URL           = module.redis.url_template
    OMS_SECRET_KEY      = "{{ .django_OMS_SECRET_KEY }}"
    OMS_JWT_KEY         = "{{ .django_OMS_JWT_KEY }}"
    OMS_SECRET_KEYS_OLD = "{{ .django_previous_OMS_SECRET_KEY }}"
    OMS_JWT_KEYS_OLD    = "{{ .django_previous_OMS_JWT_KEY }}"
  })
}

output "secret_sources" {
  description = "Name of the secret behind each word of secret_env."
  value = merge(local.kafka_iam ? {} : { kafka = one(var.kafka_scram_secret_arns) }, {
    django          = module.credentials.current.django
    django_previous = module.credentials.previous.django
    documentdb      = module.credentials.current.documentdb
    postgres        = module.credentials.current.postgres
    redis           = module.redis.secret_name
  })
}

output "store_users" {
  description = "For the job that makes the stores' users (manage.py store_users): the masters' secrets, the users' of both generations, and templates of the masters' URLs."
  value = {
    masters = { documentdb = module.documentdb.master_secret_arn, postgres = module.postgres.master_secret_arn }
    users   = { current = module.credentials.current, previous = module.credentials.previous }
  }
}

output "network" {
  description = "Address ranges for the network policies of the cluster: the load balancer's and the stores'."
  value       = { load_balancer = module.vpc.public_cidrs, stores = module.vpc.data_cidrs, kafka_port = module.msk.port }
}

output "archive_bucket" {
  description = "Where the order log is archived."
  value       = module.s3.archive_bucket
}

output "notifications" {
  description = "SNS topics that Alertmanager tells: page wakes somebody, ticket can wait."
  value       = { page = module.observability.page_topic_arn, ticket = module.observability.ticket_topic_arn }
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
  description = "IAM role of each service account that has one."
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
  value       = { role_arn = module.ci.deploy_role_arn, plan_role_arn = module.ci.plan_role_arn, repository_url = module.ci.repository_url }
}

output "log_group" {
  description = "Log group of the application."
  value       = module.observability.log_group
}

output "nat_addresses" {
  description = "Addresses that outgoing traffic comes from."
  value       = module.vpc.nat_addresses
}
