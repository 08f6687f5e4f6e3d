variable "name" {
  description = "Prefix of every name, for example oms-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name must be 3-24 lower-case letters, digits and dashes, starting with a letter: load balancers and buckets derive their names from it."
  }
}

variable "cidr" {
  description = "Address range of the VPC. A /16 leaves each zone 8,187 addresses for pods."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(cidrsubnet(var.cidr, 0, 0) == var.cidr, false)
    error_message = "cidr must be an IPv4 network written with its first address, for example 10.20.0.0/16."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr must be between /16 and /20: AWS allows no VPC above /16, and nine subnets with room for pods do not fit below /20."
  }

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "cidr must be a private range (10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16): public addresses belong to somebody else."
  }
}

variable "azs" {
  description = "Availability zones to spread over; the first is the one that a single NAT gateway lives in."
  type        = list(string)

  validation {
    condition     = length(distinct(var.azs)) >= 3
    error_message = "azs must name at least 3 different zones: replication factor 3 with min ISR 2 survives the loss of a zone only when every replica has its own."
  }

  validation {
    condition     = length(distinct(var.azs)) <= 6 && length(distinct(var.azs)) == length(var.azs)
    error_message = "azs must not name a zone twice, nor more than 6."
  }
}

variable "public_subnets" {
  description = "CIDRs of the public subnets, one a zone. Null carves them out of cidr."
  type        = list(string)
  default     = null
}

variable "private_subnets" {
  description = "CIDRs of the private (pods and nodes) subnets, one a zone. Null carves them out of cidr."
  type        = list(string)
  default     = null
}

variable "data_subnets" {
  description = "CIDRs of the data (stores and brokers) subnets, one a zone. Null carves them out of cidr."
  type        = list(string)
  default     = null
}

variable "nat_per_az" {
  description = "One NAT gateway a zone (a zone's loss cuts nobody else off) instead of one for all (33 $ a month)."
  type        = bool
  default     = true
}

variable "interface_endpoints" {
  description = "AWS services reached without leaving the VPC."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "eks-auth", "sts", "logs", "secretsmanager", "kms"]

  validation {
    condition     = alltrue([for s in ["ecr.api", "ecr.dkr", "eks-auth", "sts", "logs", "secretsmanager"] : contains(var.interface_endpoints, s)])
    error_message = "interface_endpoints must hold ecr.api, ecr.dkr, eks-auth, sts, logs and secretsmanager: without them a NAT outage stops pods from starting, and without eks-auth they have no role, hence no Kafka."
  }
}

variable "endpoints_in_every_az" {
  description = "Put each interface endpoint into every zone (7.30 $ a month each) instead of the first only."
  type        = bool
  default     = true
}

variable "flow_log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_retention_days)
    error_message = "flow_log_retention_days must be one of CloudWatch's values and at least 90: an intrusion is found, on average, weeks after it."
  }
}

variable "logs_kms_key_arn" {
  description = "KMS key of the log groups."
  type        = string

  validation {
    condition     = startswith(var.logs_kms_key_arn, "arn:")
    error_message = "logs_kms_key_arn must be a key's ARN: flow logs tell who talks to whom and are not kept in the clear."
  }
}
