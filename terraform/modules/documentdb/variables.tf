variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: instances derive their names from it, and AWS takes 63 characters."
  }
}

variable "engine_version" {
  description = "DocumentDB version."
  type        = string
  default     = "5.0.0"

  validation {
    condition     = contains(["5.0.0", "8.0.0"], var.engine_version)
    error_message = "engine_version must be 5.0.0 or 8.0.0: the order store uses only operators of 5.0."
  }
}

variable "instance_class" {
  description = "Size of each instance."
  type        = string

  validation {
    condition     = can(regex("^db\\.(t3\\.medium|t4g\\.medium|r6g\\.(large|xlarge|2xlarge|4xlarge|8xlarge|12xlarge|16xlarge))$", var.instance_class))
    error_message = "instance_class must be db.t3.medium or db.t4g.medium (development), or db.r6g.large to 16xlarge."
  }
}

variable "instances" {
  description = "Instances, writer included. Two survive a zone, three survive it with a reader left."
  type        = number
  default     = 2

  validation {
    condition     = var.instances >= 1 && var.instances <= 16 && floor(var.instances) == var.instances
    error_message = "instances must be 1-16, the writer included: DocumentDB takes a writer and 15 readers."
  }

  validation {
    condition     = var.instances >= 2 || startswith(var.instance_class, "db.t")
    error_message = "instances must be at least 2 outside development (a db.t class): one instance takes ten minutes to come back from a failure."
  }
}

variable "storage_type" {
  description = "standard (pay per I/O) or iopt1 (cheaper once I/O passes a quarter of the bill)."
  type        = string
  default     = "standard"

  validation {
    condition     = contains(["standard", "iopt1"], var.storage_type)
    error_message = "storage_type must be standard or iopt1."
  }
}

variable "kms_key_arns" {
  description = "Keys of the data and the logs."
  type        = object({ data = string, logs = string })

  validation {
    condition     = alltrue([for k in values(var.kms_key_arns) : startswith(k, "arn:")])
    error_message = "kms_key_arns must be key ARNs: orders are not stored unencrypted."
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

variable "slow_ms" {
  description = "Operations slower than this are profiled."
  type        = number
  default     = 100

  validation {
    condition     = var.slow_ms >= 50
    error_message = "slow_ms must be at least 50: DocumentDB profiles nothing faster."
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
  description = "Refuse to delete the cluster."
  type        = bool
  default     = true
}

variable "subnets" {
  description = "Zone to subnet of the instances."
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
  description = "Group of the instances."
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
  description = "Days that the profiler's log is kept; the audit log stays a year."
  type        = number
  default     = 30

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's values and at least 30."
  }
}
