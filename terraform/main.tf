# Crypto OMS on AWS. Read it from the top: keys, network, people, stores, cluster, door.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:Names come sorted and the first three are taken: a new zone gets a later letter and changes nothing.
  state = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"] # no local zones
  }
}

locals {
  name       = "oms-${var.environment}"
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  inner_port = 9100 # OMS_INNER_PORT: probes and metrics of every pod
  azs        = slice(data.aws_availability_zones.available.names, 0, min(3, length(data.aws_availability_zones.available.names)))
}

module "kms" {
  source = "./modules/kms"

  name                 = local.name
  deletion_window_days = local.size.protected ? 30 : 14
  keys = {
    cluster       = { description = "Kubernetes secrets", iam = true }
    volumes       = { description = "Node volumes", via = ["ec2"], roles = ["arn:${local.partition}:iam::${local.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"] }
    logs          = { description = "Log groups", services = ["logs"] }
    kafka         = { description = "Order log", via = ["kafka"] }
    redis         = { description = "Cache", via = ["elasticache"] }
    documentdb    = { description = "Order store", via = ["rds"] }
    postgres      = { description = "Django's tables", via = ["rds"] }
    secrets       = { description = "Secrets Manager", via = ["secretsmanager"] }
    archive       = { description = "Archive of the order log", via = ["s3"] }
    images        = { description = "Container images", via = ["ecr"] }
    notifications = { description = "Alarms and budget mails", via = ["sns"], services = ["cloudwatch", "budgets"] }
  }
}

module "vpc" {
  source = "./modules/vpc"

  name                  = local.name
  cidr                  = var.vpc_cidr
  azs                   = local.azs
  nat_per_az            = local.size.nat_per_az
  interface_endpoints   = local.size.endpoints
  endpoints_in_every_az = local.size.endpoints_in_every_az
  logs_kms_key_arn      = module.kms.arns["logs"]
}

module "security_groups" {
  source = "./modules/security_groups"

  name              = local.name
  vpc_id            = module.vpc.id
  health_port       = local.inner_port
  kafka_port        = var.kafka_client_authentication == "iam" ? 9098 : 9096
  alb_allowed_cidrs = var.alb_allowed_cidrs
}

module "observability" {
  source = "./modules/observability"

  name               = local.name
  kms_key_arns       = { notifications = module.kms.arns["notifications"], logs = module.kms.arns["logs"] }
  page_emails        = var.page_emails
  ticket_emails      = var.ticket_emails
  monthly_budget_usd = local.size.budget_usd
  log_retention_days = local.size.log_retention_days
}

# ----------------------------------------------------------------------------------------- stores

module "msk" {
  source = "./modules/msk"

  name                  = local.name
  subnets               = module.vpc.data_subnets
  security_group_id     = module.security_groups.ids["kafka"]
  kms_key_arns          = { data = module.kms.arns["kafka"], logs = module.kms.arns["logs"] }
  instance_type         = local.kafka.instance_type
  brokers               = local.kafka.brokers
  volume_gb             = local.kafka.volume_gb
  volume_max_gb         = local.kafka.volume_max_gb
  client_authentication = var.kafka_client_authentication
  scram_secret_arns     = var.kafka_scram_secret_arns
  alarm_topic_arns      = [module.observability.page_topic_arn]
  watched_groups = {
    oms-engine    = { topic = "oms.commands", above = 5000, why = "Nobody decides: orders are taken and not traded" }
    oms-projector = { topic = "oms.events", above = 50000, why = "Nobody shows: people see old orders, and the doors refuse new ones before long" }
  }
  # One count for all (OMS_PARTITIONS): one account, one partition, one writer, on every topic.
  topics = { for name, hours in {
    "oms.commands"   = local.kafka.retention_hours
    "oms.events"     = local.kafka.retention_hours
    "oms.venue"      = 168
    "oms.prices"     = 24
    "oms.deadletter" = -1
  } : name => { partitions = local.kafka.partitions, retention_hours = hours } }
}

module "redis" {
  source = "./modules/redis"

  name               = local.name
  subnets            = module.vpc.data_subnets
  security_group_id  = module.security_groups.ids["redis"]
  kms_key_arns       = { data = module.kms.arns["redis"], secrets = module.kms.arns["secrets"], logs = module.kms.arns["logs"] }
  node_type          = local.redis.node_type
  replicas           = local.redis.replicas
  auth_token_version = var.redis_token_version
  alarm_topic_arns   = [module.observability.page_topic_arn]
}

module "documentdb" {
  source = "./modules/documentdb"

  name                = local.name
  subnets             = module.vpc.data_subnets
  security_group_id   = module.security_groups.ids["documentdb"]
  kms_key_arns        = { data = module.kms.arns["documentdb"], logs = module.kms.arns["logs"] }
  instance_class      = local.documentdb.instance_class
  instances           = local.documentdb.instances
  storage_type        = local.documentdb.storage_type
  deletion_protection = local.size.protected
  alarm_topic_arns    = [module.observability.page_topic_arn]
}

module "credentials" {
  source = "./modules/credentials"

  name        = local.name
  kms_key_arn = module.kms.arns["secrets"]
  generation  = var.credentials_generation
}

module "postgres" {
  source = "./modules/postgres"

  name                = local.name
  subnets             = module.vpc.data_subnets
  security_group_id   = module.security_groups.ids["postgres"]
  kms_key_arns        = { data = module.kms.arns["postgres"], secrets = module.kms.arns["secrets"], logs = module.kms.arns["logs"] }
  instance_class      = local.postgres.instance_class
  multi_az            = local.postgres.multi_az
  storage_gb          = local.postgres.storage_gb
  storage_max_gb      = local.postgres.storage_max_gb
  deletion_protection = local.size.protected
  alarm_topic_arns    = [module.observability.page_topic_arn]
}

# ---------------------------------------------------------------------------------------- cluster

module "eks" {
  source = "./modules/eks"

  name                   = local.name
  kubernetes_version     = var.kubernetes_version
  subnets                = module.vpc.private_subnets
  node_security_group_id = module.security_groups.ids["nodes"]
  public_access_cidrs    = var.cluster_api_cidrs
  kms_key_arns           = { secrets = module.kms.arns["cluster"], volumes = module.kms.arns["volumes"], logs = module.kms.arns["logs"] }
  node_groups            = local.nodes
  deletion_protection    = local.size.protected
  access = merge(
    { for i, arn in sort(var.admin_principal_arns) : "admin-${i}" => { principal_arn = arn, policy = "AmazonEKSClusterAdminPolicy" } },
    { deploy = { principal_arn = module.ci.deploy_role_arn, groups = ["oms:deploy"] } },
  )
}

module "workload" {
  source   = "./modules/workload"
  for_each = local.with_policy

  name            = "${local.name}-${each.key}"
  cluster_name    = module.eks.name
  namespace       = each.value.namespace
  service_account = each.key
  policy_json     = data.aws_iam_policy_document.workload[each.key].json
}

# ------------------------------------------------------------------------------- door and releases

module "s3" {
  source = "./modules/s3"

  name          = local.name
  account_id    = local.account
  kms_key_arn   = module.kms.arns["archive"]
  force_destroy = !local.size.protected
}

module "alb" {
  source = "./modules/alb"

  name                = local.name
  vpc_id              = module.vpc.id
  subnets             = module.vpc.public_subnets
  security_group_id   = module.security_groups.ids["alb"]
  certificate_arn     = var.certificate_arn
  hosts               = var.hosts
  admin_cidrs         = var.admin_cidrs
  rate_limit          = var.waf_rate_limit
  health_port         = local.inner_port
  logs_bucket         = module.s3.logs_bucket
  logs_kms_key_arn    = module.kms.arns["logs"]
  deletion_protection = local.size.protected
  alarm_topic_arns    = [module.observability.page_topic_arn]
}

module "ci" {
  source = "./modules/ci"

  name                = local.name
  repository          = var.github_repository
  environment         = var.environment
  oidc_provider_arn   = var.github_oidc_provider_arn
  kms_key_arn         = module.kms.arns["images"]
  planned_secret_arns = [module.redis.secret_arn]
  secrets_kms_key_arn = module.kms.arns["secrets"]
  cluster_arn         = "arn:${local.partition}:eks:${var.region}:${local.account}:cluster/${local.name}" # written out: the cluster waits for this role
}
