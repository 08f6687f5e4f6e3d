variable "name" {
  description = "Name of the instance."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: parameter groups derive their names from it."
  }
}

variable "engine_version" {
  description = "PostgreSQL major version; minor ones are applied by AWS."
  type        = string
  default     = "17"

  validation {
    condition     = contains(["16", "17", "18"], var.engine_version)
    error_message = "engine_version must be 16, 17 or 18."
  }
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string

  validation {
    condition     = can(regex("^db\\.(t4g\\.(micro|small|medium|large)|[mr]7g\\.(large|xlarge|2xlarge|4xlarge))$", var.instance_class))
    error_message = "instance_class must be db.t4g.micro to large, or db.m7g/r7g.large to 4xlarge."
  }
}

variable "multi_az" {
  description = "A standby in another zone, and a failover of about a minute."
  type        = bool
  default     = true
}

variable "storage_gb" {
  description = "Storage."
  type        = number
  default     = 20

  validation {
    condition     = var.storage_gb >= 20 && var.storage_gb <= 16384
    error_message = "storage_gb must be 20-16384: gp3 starts at 20."
  }
}

variable "storage_max_gb" {
  description = "What storage autoscaling may grow it to."
  type        = number
  default     = 100

  validation {
    condition     = var.storage_max_gb >= var.storage_gb * 1.1
    error_message = "storage_max_gb must be at least 10 % above storage_gb: a full disk stops PostgreSQL."
  }
}

variable "kms_key_arns" {
  description = "Keys of the data, the secret and the logs."
  type        = object({ data = string, secrets = string, logs = string })

  validation {
    condition     = alltrue([for k in values(var.kms_key_arns) : startswith(k, "arn:")])
    error_message = "kms_key_arns must be key ARNs: users, sessions and keys are not stored unencrypted."
  }
}

variable "backup_retention_days" {
  description = "Days that point-in-time recovery reaches back."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 7 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be 7-35: a fault found after the weekend must still be undone."
  }
}

variable "ca_file" {
  description = "Path in the application's image of AWS's bundle of RDS certificates (global-bundle.pem); it is part of the URL."
  type        = string
  default     = "/etc/ssl/rds/global-bundle.pem"

  validation {
    condition     = can(regex("^/[A-Za-z0-9._/-]+\\.pem$", var.ca_file))
    error_message = "ca_file must be the absolute path of a .pem file in the image: without AWS's certificates the client cannot tell the store from an impostor."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the instance."
  type        = bool
  default     = true
}

variable "subnets" {
  description = "Zone to subnet of the instance."
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
  description = "Group of the instance."
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
