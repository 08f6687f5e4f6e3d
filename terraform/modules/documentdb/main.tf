# The order store: what the projector made of the log. Rebuilt from the log if it must be, and
# backed up all the same, because rebuilding takes longer than restoring.

locals {
  family = "docdb${join(".", slice(split(".", var.engine_version), 0, 2))}"
  port   = 27017
  # Burstable classes are for development, and not all of them offer it.
  insights = !startswith(var.instance_class, "db.t")
}

resource "aws_docdb_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for s in var.subnets : s.id]
}

resource "aws_docdb_cluster_parameter_group" "this" {
  name   = "${var.name}-${replace(local.family, ".", "-")}"
  family = local.family

  parameter {
    name  = "tls"
    value = "enabled"
  }
  parameter {
    name  = "audit_logs"
    value = "enabled" # log-ins, users, schema; every write is in the order log already
  }
  parameter {
    name  = "profiler"
    value = "enabled"
  }
  parameter {
    name  = "profiler_threshold_ms"
    value = tostring(var.slow_ms)
  }
  parameter {
    name  = "ttl_monitor"
    value = "enabled"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Made before the cluster, or DocumentDB makes them without retention and key.
resource "aws_cloudwatch_log_group" "this" {
  for_each = { audit = 365, profiler = var.log_retention_days }

  #checkov:skip=CKV_AWS_338:The audit log is kept for a year; the profiler's is for finding slow queries, not evidence.
  name              = "/aws/docdb/${var.name}/${each.key}"
  retention_in_days = each.value
  kms_key_id        = var.kms_key_arns.logs
}

resource "aws_docdb_cluster" "this" {
  cluster_identifier              = var.name
  engine                          = "docdb"
  engine_version                  = var.engine_version
  port                            = local.port
  db_subnet_group_name            = aws_docdb_subnet_group.this.name
  db_cluster_parameter_group_name = aws_docdb_cluster_parameter_group.this.name
  vpc_security_group_ids          = [var.security_group_id]

  master_username             = "oms" # nobody's but the job's that makes the application's users
  manage_master_user_password = true  # AWS makes it, keeps it in Secrets Manager and rotates it

  storage_encrypted = true
  storage_type      = var.storage_type
  kms_key_id        = var.kms_key_arns.data

  backup_retention_period      = var.backup_retention_days
  preferred_backup_window      = "02:00-03:00"
  preferred_maintenance_window = "sun:05:00-sun:06:00"
  deletion_protection          = var.deletion_protection
  skip_final_snapshot          = false
  final_snapshot_identifier    = "${var.name}-final-${formatdate("YYYYMMDDhhmm", plantimestamp())}"
  apply_immediately            = false

  enabled_cloudwatch_logs_exports = ["audit", "profiler"]

  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    prevent_destroy = true
    # Named after the minute of its birth: a copy that is made and destroyed twice leaves two.
    ignore_changes = [final_snapshot_identifier]
  }
}

resource "aws_docdb_cluster_instance" "this" {
  count = var.instances

  identifier                      = "${var.name}-${count.index + 1}"
  cluster_identifier              = aws_docdb_cluster.this.id
  engine                          = "docdb"
  instance_class                  = var.instance_class
  availability_zone               = sort(keys(var.subnets))[count.index % length(var.subnets)]
  promotion_tier                  = count.index
  ca_cert_identifier              = "rds-ca-rsa2048-g1"
  auto_minor_version_upgrade      = true
  copy_tags_to_snapshot           = true
  enable_performance_insights     = local.insights
  performance_insights_kms_key_id = local.insights ? var.kms_key_arns.data : null
}
