variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as us-east-1 or eu-central-1."
  }
}

variable "environment" {
  description = "Name of this copy; every name starts with oms-ENVIRONMENT."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "environment must be 2-12 lower-case letters and digits, starting with a letter, such as dev or prod."
  }
}

variable "size" {
  description = "dev (about 525 $ a month), prod (1,500-2,000 $) or peak (sized for 50,000 orders a second)."
  type        = string

  validation {
    condition     = contains(["dev", "prod", "peak"], var.size)
    error_message = "size must be dev, prod or peak (sizes.tf). For something between, choose the nearest and override a part with kafka, redis, documentdb, postgres or nodes."
  }
}

variable "tags" {
  description = "Tags of every resource, beside Project, Environment, Size and ManagedBy."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for k in keys(var.tags) : !startswith(lower(k), "aws:")])
    error_message = "tags must not start with aws:, which AWS keeps for itself."
  }
}

# ---------------------------------------------------------------------------------------- network

variable "vpc_cidr" {
  description = "Address range of the VPC. Choose one that no network you connect it to uses."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)
    error_message = "vpc_cidr must be an IPv4 network written with its first address, for example 10.20.0.0/16."
  }
}

variable "alb_allowed_cidrs" {
  description = "Who may reach the site. A desk's own office networks are better than the world."
  type        = set(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.alb_allowed_cidrs) > 0 && alltrue([for c in var.alb_allowed_cidrs : can(cidrnetmask(c))])
    error_message = "alb_allowed_cidrs must be IPv4 networks, for example [\"203.0.113.0/24\"]."
  }
}

variable "hosts" {
  description = "Host names of the site."
  type        = list(string)

  validation {
    condition     = length(var.hosts) >= 1 && length(var.hosts) <= 4
    error_message = "hosts must hold 1-4 host names such as oms.example.com."
  }
}

variable "admin_cidrs" {
  description = "Networks that may see /admin: the desk's own. Empty: nobody from outside."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.admin_cidrs) <= 3 && alltrue([for c in var.admin_cidrs : can(cidrnetmask(c)) && c != "0.0.0.0/0"])
    error_message = "admin_cidrs must be at most 3 IPv4 networks, for example [\"203.0.113.0/24\"], and not the world."
  }
}

variable "waf_rate_limit" {
  description = "Requests that one address may send in 5 minutes. A desk's programs share one."
  type        = number
  default     = 600000

  validation {
    condition     = var.waf_rate_limit >= 300000
    error_message = "waf_rate_limit must be at least 300,000 in 5 minutes (1,000 a second): client programs are meant to be fast."
  }
}

variable "certificate_arn" {
  description = "ACM certificate that covers the hosts, in this region, issued."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:${var.region}:[0-9]{12}:certificate/[0-9a-f-]{36}$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate in ${var.region}: orders do not travel without TLS. Request one in ACM for the hosts and wait until it is issued."
  }
}

# ---------------------------------------------------------------------------------------- cluster

variable "kubernetes_version" {
  description = "Kubernetes minor version."
  type        = string
  default     = "1.35"
}

variable "admin_principal_arns" {
  description = "IAM roles that administer the cluster. Whoever runs terraform gets no hidden right."
  type        = set(string)

  validation {
    condition     = length(var.admin_principal_arns) > 0 && alltrue([for a in var.admin_principal_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/", a))])
    error_message = "admin_principal_arns must name at least one IAM role (arn:aws:iam::123456789012:role/NAME): without one nobody can reach the new cluster."
  }
}

variable "cluster_api_cidrs" {
  description = "Networks that may reach the cluster API from outside the VPC. Empty: none."
  type        = set(string)
  default     = []

  validation {
    condition     = !contains(var.cluster_api_cidrs, "0.0.0.0/0")
    error_message = "cluster_api_cidrs must not be the world: name your networks, or leave it empty and come in by VPN."
  }
}

variable "namespace" {
  description = "Kubernetes namespace of the application."
  type        = string
  default     = "oms"
}

# ----------------------------------------------------------------------------- parts of the size
# Each takes some or all of the fields that sizes.tf sets, and only changes those.

variable "nodes" {
  description = "Node groups instead of the size's."
  type = map(object({
    instance_types = list(string)
    ami_type       = optional(string, "AL2023_ARM_64_STANDARD")
    capacity_type  = optional(string, "ON_DEMAND")
    min            = number
    max            = number
    desired        = number
    disk_gb        = optional(number, 40)
    taint          = optional(string)
  }))
  default = null
}

variable "kafka" {
  description = "Overrides of the size's brokers."
  type = object({
    instance_type   = optional(string)
    brokers         = optional(number)
    volume_gb       = optional(number)
    volume_max_gb   = optional(number)
    partitions      = optional(number)
    retention_hours = optional(number)
  })
  default = {}

  validation {
    condition     = var.kafka.brokers == null || try(var.kafka.brokers % 3 == 0 && var.kafka.brokers > 0, false)
    error_message = "kafka.brokers must be a multiple of 3: the same number in each of the 3 zones."
  }
}

variable "redis" {
  description = "Overrides of the size's cache."
  type = object({
    node_type = optional(string)
    replicas  = optional(number)
  })
  default = {}
}

variable "documentdb" {
  description = "Overrides of the size's order store."
  type = object({
    instance_class = optional(string)
    instances      = optional(number)
    storage_type   = optional(string)
  })
  default = {}
}

variable "postgres" {
  description = "Overrides of the size's PostgreSQL."
  type = object({
    instance_class = optional(string)
    multi_az       = optional(bool)
    storage_gb     = optional(number)
    storage_max_gb = optional(number)
  })
  default = {}
}

variable "kafka_client_authentication" {
  description = "iam (the workloads' roles) or scram (users in Secrets Manager, kafka_scram_secret_arns)."
  type        = string
  default     = "iam"

  validation {
    condition     = contains(["iam", "scram"], var.kafka_client_authentication)
    error_message = "kafka_client_authentication must be iam or scram: plaintext and anonymous access do not exist here."
  }
}

variable "kafka_scram_secret_arns" {
  description = "Secrets (AmazonMSK_...) with the Kafka users, for scram."
  type        = set(string)
  default     = []
}

variable "credentials_generation" {
  description = "Raise it by one to rotate keys and store users (docs/operations.md)."
  type        = number
  default     = 1

  validation {
    condition     = var.credentials_generation >= 1 && floor(var.credentials_generation) == var.credentials_generation
    error_message = "credentials_generation must be a whole number from 1 on: raise it by one to rotate."
  }
}

variable "redis_token_version" {
  description = "Raise it by one to give the cache a new password; the old one stays good until the next."
  type        = number
  default     = 1

  validation {
    condition     = var.redis_token_version >= 1 && floor(var.redis_token_version) == var.redis_token_version
    error_message = "redis_token_version must be a whole number from 1 on: raise it by one to rotate."
  }
}

# --------------------------------------------------------------------------- people and releases

variable "page_emails" {
  description = "Who is woken by an alarm."
  type        = set(string)

  validation {
    condition     = length(var.page_emails) > 0
    error_message = "page_emails must hold at least one address: an alarm nobody hears is none."
  }
}

variable "ticket_emails" {
  description = "Who reads what can wait until morning; page_emails if empty."
  type        = set(string)
  default     = []
}

variable "github_repository" {
  description = "Repository that may deploy, owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards."
  }
}

variable "github_oidc_provider_arn" {
  description = "The account's GitHub OIDC provider, if another environment in this account made it already."
  type        = string
  default     = null
}
