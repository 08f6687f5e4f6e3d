# Cache, channel layer and Celery broker. It must be losable at any instant (the order log is the
# truth), and it must refuse writes rather than forget keys: noeviction. Cluster mode stays off:
# neither Celery nor multi-key commands work across shards.

locals {
  family = var.engine == "valkey" ? "valkey${split(".", var.engine_version)[0]}" : "redis7"
  port   = 6379
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for s in var.subnets : s.id]
}

resource "aws_elasticache_parameter_group" "this" {
  name   = "${var.name}-${local.family}"
  family = local.family

  parameter {
    name  = "maxmemory-policy"
    value = "noeviction" # an evicted idempotency claim or task would be a silent loss
  }
  parameter {
    name  = "reserved-memory-percent"
    value = "25" # room for replication and snapshots
  }
  parameter {
    name  = "slowlog-log-slower-than"
    value = "10000" # microseconds
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The password is made into its secret, and ElastiCache is told what the secret holds: a run that dies
# between the two goes on with the same password. Write-only arguments and ephemeral resources keep
# it out of the plan and the state.
ephemeral "aws_secretsmanager_random_password" "token" {
  password_length     = 48
  exclude_punctuation = true # it travels inside a URL
}

resource "aws_secretsmanager_secret" "token" {
  #checkov:skip=CKV2_AWS_57:Rotation is raising auth_token_version: ElastiCache keeps the old token valid until the next, so no rotation function is needed.
  name                    = "${var.name}/redis"
  description             = "Password of the cache"
  kms_key_id              = var.kms_key_arns.secrets
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "token" {
  secret_id                = aws_secretsmanager_secret.token.id
  secret_string_wo         = jsonencode({ password = ephemeral.aws_secretsmanager_random_password.token.random_password })
  secret_string_wo_version = var.auth_token_version
}

ephemeral "aws_secretsmanager_secret_version" "token" {
  secret_id  = aws_secretsmanager_secret_version.token.secret_id
  version_id = aws_secretsmanager_secret_version.token.version_id
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["slow-log", "engine-log"])

  #checkov:skip=CKV_AWS_338:For finding faults; a cache holds no evidence.
  name              = "/oms/${var.name}/redis-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arns.logs
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV_AWS_31:The token is set with auth_token_wo, which the check does not know.
  replication_group_id = var.name
  description          = "Crypto OMS: cache, channel layer, Celery broker"
  engine               = var.engine
  engine_version       = var.engine_version
  node_type            = var.node_type
  port                 = local.port
  parameter_group_name = aws_elasticache_parameter_group.this.name

  num_cache_clusters         = 1 + var.replicas
  automatic_failover_enabled = true
  multi_az_enabled           = true
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [var.security_group_id]

  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arns.data
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auth_token_wo              = jsondecode(ephemeral.aws_secretsmanager_secret_version.token.secret_string)["password"]
  auth_token_wo_version      = var.auth_token_version
  auth_token_update_strategy = "ROTATE"

  snapshot_retention_limit   = var.snapshot_retention_days
  snapshot_window            = "03:00-04:00"
  maintenance_window         = "sun:04:30-sun:05:30"
  final_snapshot_identifier  = "${var.name}-final-${formatdate("YYYYMMDDhhmm", plantimestamp())}"
  auto_minor_version_upgrade = true
  apply_immediately          = false

  dynamic "log_delivery_configuration" {
    for_each = aws_cloudwatch_log_group.this
    content {
      log_type         = log_delivery_configuration.key
      log_format       = "json"
      destination_type = "cloudwatch-logs"
      destination      = log_delivery_configuration.value.name
    }
  }

  lifecycle {
    # Named after the minute of its birth: a copy that is made and destroyed twice leaves two.
    ignore_changes = [final_snapshot_identifier]
  }
}
