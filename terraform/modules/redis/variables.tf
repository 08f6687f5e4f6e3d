variable "name" {
  description = "Name of the replication group."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name)) && !strcontains(var.name, "--") && !endswith(var.name, "-")
    error_message = "name must be 1-40 lower-case letters, digits and single dashes: ElastiCache's rule."
  }
}

variable "engine" {
  description = "valkey (20 % cheaper, same protocol) or redis."
  type        = string
  default     = "valkey"

  validation {
    condition     = contains(["valkey", "redis"], var.engine)
    error_message = "engine must be valkey or redis."
  }
}

variable "engine_version" {
  description = "Engine version."
  type        = string
  default     = "8.0"

  validation {
    condition     = var.engine == "valkey" ? contains(["7.2", "8.0", "8.1"], var.engine_version) : contains(["7.0", "7.1"], var.engine_version)
    error_message = "engine_version must be 7.2, 8.0 or 8.1 for valkey, 7.0 or 7.1 for redis."
  }
}

variable "node_type" {
  description = "Size of each node."
  type        = string

  validation {
    condition     = can(regex("^cache\\.(t4g\\.(micro|small|medium)|[mr]7g\\.(large|xlarge|2xlarge|4xlarge))$", var.node_type))
    error_message = "node_type must be cache.t4g.micro/small/medium, or cache.m7g/r7g.large to 4xlarge."
  }
}

variable "replicas" {
  description = "Replicas beside the primary."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 5 && floor(var.replicas) == var.replicas
    error_message = "replicas must be 1-5: without one there is nothing to fail over to."
  }
}

variable "kms_key_arns" {
  description = "Keys of the data, the secret and the logs."
  type        = object({ data = string, secrets = string, logs = string })

  validation {
    condition     = alltrue([for k in values(var.kms_key_arns) : startswith(k, "arn:")])
    error_message = "kms_key_arns must be key ARNs: nothing is stored unencrypted."
  }
}

variable "auth_token_version" {
  description = "Raise it by one to make a new password (the old one works until the next)."
  type        = number
  default     = 1

  validation {
    condition     = var.auth_token_version >= 1 && floor(var.auth_token_version) == var.auth_token_version
    error_message = "auth_token_version must be a whole number from 1."
  }
}

variable "snapshot_retention_days" {
  description = "Days that daily snapshots are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.snapshot_retention_days >= 1 && var.snapshot_retention_days <= 35
    error_message = "snapshot_retention_days must be 1-35."
  }
}

variable "subnets" {
  description = "Zone to subnet of the cache nodes."
  type        = map(object({ id = string, tier = string }))

  validation {
    condition     = length(var.subnets) >= 3
    error_message = "subnets must span at least 3 zones."
  }

  validation {
    condition     = alltrue([for s in values(var.subnets) : s.tier == "data"])
    error_message = "subnets must be of tier data: a store is not reachable from the internet nor from a public subnet. Pass module.vpc.data_subnets."
  }
}

variable "security_group_id" {
  description = "Group of the cache nodes."
  type        = string
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms notify."
  type        = list(string)

  validation {
    condition     = length(var.alarm_topic_arns) > 0
    error_message = "alarm_topic_arns must name a topic: an alarm that notifies nobody is a graph."
  }
}

variable "log_retention_days" {
  description = "Days that the logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's values and at least 30."
  }
}
