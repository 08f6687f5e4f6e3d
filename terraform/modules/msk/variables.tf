variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: alarms and log groups derive their names from it."
  }
}

variable "kafka_version" {
  description = "Kafka version of the brokers."
  type        = string
  default     = "3.8.x"

  validation {
    condition     = contains(["3.7.x", "3.8.x", "3.9.x"], var.kafka_version)
    error_message = "kafka_version must be 3.7.x, 3.8.x or 3.9.x: the versions MSK recommends and the client is tested with."
  }
}

variable "subnets" {
  description = "Zone to subnet of the brokers."
  type        = map(object({ id = string, tier = string }))

  validation {
    condition     = length(var.subnets) == 3
    error_message = "subnets must span exactly 3 zones: replication factor 3, one replica in each."
  }

  validation {
    condition     = alltrue([for s in values(var.subnets) : s.tier == "data"])
    error_message = "subnets must be of tier data: brokers are not reachable from the internet nor from a public subnet. Pass module.vpc.data_subnets."
  }
}

variable "security_group_id" {
  description = "Group of the brokers."
  type        = string
}

variable "kms_key_arns" {
  description = "Keys of the volumes and of the broker logs."
  type        = object({ data = string, logs = string })

  validation {
    condition     = alltrue([for k in values(var.kms_key_arns) : startswith(k, "arn:")])
    error_message = "kms_key_arns must be key ARNs: the order log is not stored unencrypted."
  }
}

variable "instance_type" {
  description = "Broker size."
  type        = string

  validation {
    condition     = can(regex("^kafka\\.(t3\\.small|m7g\\.(large|xlarge|2xlarge|4xlarge|8xlarge|12xlarge|16xlarge))$", var.instance_type))
    error_message = "instance_type must be kafka.t3.small (development) or kafka.m7g.large to 16xlarge."
  }
}

variable "brokers" {
  description = "Number of brokers, over all zones."
  type        = number
  default     = 3

  validation {
    condition     = var.brokers >= 3 && var.brokers <= 30 && var.brokers % 3 == 0
    error_message = "brokers must be 3, 6, 9 ... 30: MSK wants the same number in each of the 3 zones."
  }
}

variable "volume_gb" {
  description = "Storage of each broker."
  type        = number

  validation {
    condition     = var.volume_gb >= 10 && var.volume_gb <= 16384
    error_message = "volume_gb must be 10-16384."
  }
}

variable "volume_max_gb" {
  description = "What storage autoscaling may grow a broker to. Storage never shrinks again."
  type        = number

  validation {
    condition     = var.volume_max_gb > var.volume_gb && var.volume_max_gb <= 16384
    error_message = "volume_max_gb must be above volume_gb and at most 16384: a full disk stops a broker."
  }
}

variable "client_authentication" {
  description = "iam (roles of the workloads, no secret to rotate) or scram (user and password)."
  type        = string
  default     = "iam"

  validation {
    condition     = contains(["iam", "scram"], var.client_authentication)
    error_message = "client_authentication must be iam or scram: a broker that asks nobody who they are takes orders from anybody."
  }
}

variable "scram_secret_arns" {
  description = "Secrets (named AmazonMSK_..., under a key of our own) with the users, for scram."
  type        = set(string)
  default     = []

  validation {
    condition     = (var.client_authentication == "scram") == (length(var.scram_secret_arns) > 0)
    error_message = "scram_secret_arns must be given with client_authentication = scram, and only then."
  }

  validation {
    condition     = alltrue([for a in var.scram_secret_arns : strcontains(a, ":secret:AmazonMSK_")])
    error_message = "scram_secret_arns must be ARNs of secrets whose names start with AmazonMSK_: MSK refuses others."
  }
}

variable "topics" {
  description = "Topics with their fixed partition counts. retention_hours -1 keeps for ever."
  type = map(object({
    partitions      = number
    retention_hours = number
    compact         = optional(bool, false)
  }))

  validation {
    condition     = alltrue([for t in values(var.topics) : t.partitions >= 1 && t.partitions <= 1000 && floor(t.partitions) == t.partitions])
    error_message = "partitions must be 1-1000 for each topic."
  }

  validation {
    condition     = length(distinct([for t in values(var.topics) : t.partitions])) <= 1
    error_message = "All topics must have the same number of partitions: the application counts them once (OMS_PARTITIONS), and an event belongs to the partition of its command."
  }

  validation {
    condition = alltrue([for name, t in var.topics : t.retention_hours == -1 || t.retention_hours >= 168
    if contains(["oms.commands", "oms.events"], name)])
    error_message = "oms.commands and oms.events must be kept for ever (-1) or at least 168 hours: recovery replays them, and a long weekend is four days."
  }

  validation {
    condition     = alltrue([for t in values(var.topics) : t.retention_hours == -1 || t.retention_hours >= 1])
    error_message = "retention_hours must be -1 (for ever) or at least 1."
  }
}

variable "log_retention_days" {
  description = "Days that broker logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's values and at least 30."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms notify."
  type        = list(string)

  validation {
    condition     = length(var.alarm_topic_arns) > 0
    error_message = "alarm_topic_arns must name a topic: an alarm that notifies nobody is a graph."
  }
}

variable "watched_groups" {
  description = "Consumer groups whose lag wakes somebody: group to its topic, the records that are too many for five minutes, and what it means."
  type        = map(object({ topic = string, above = number, why = string }))
  default     = {}

  validation {
    condition     = alltrue([for g in values(var.watched_groups) : g.above > 0 && contains(keys(var.topics), g.topic)])
    error_message = "watched_groups must name topics of this cluster, and a number of records above 0."
  }
}
