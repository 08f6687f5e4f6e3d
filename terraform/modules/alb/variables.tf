variable "name" {
  description = "Name of the load balancer."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,26}$", var.name)) && !endswith(var.name, "-")
    error_message = "name must be 1-27 lower-case letters, digits and dashes: AWS allows a load balancer 32, and other names add five."
  }
}

variable "vpc_id" {
  description = "The VPC of the targets."
  type        = string
}

variable "subnets" {
  description = "Zone to public subnet."
  type        = map(object({ id = string, tier = string }))

  validation {
    condition     = length(var.subnets) >= 2 && alltrue([for s in values(var.subnets) : s.tier == "public"])
    error_message = "subnets must be at least 2 of tier public: the load balancer is the one door to the internet. Pass module.vpc.public_subnets."
  }
}

variable "security_group_id" {
  description = "Group of the load balancer."
  type        = string
}

variable "certificate_arn" {
  description = "ACM certificate of the site, in the same region."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate (arn:aws:acm:REGION:ACCOUNT:certificate/ID): orders do not travel without TLS. Request one in ACM and wait until it is issued."
  }
}

variable "hosts" {
  description = "Host names that are answered; others get 404. The same list is OMS_ALLOWED_HOSTS."
  type        = list(string)

  validation {
    condition     = length(var.hosts) >= 1 && length(var.hosts) <= 4 && alltrue([for h in var.hosts : can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", h))])
    error_message = "hosts must be 1-4 full host names such as oms.example.com, without wildcards."
  }
}

variable "app_port" {
  description = "Port of the web pods."
  type        = number
  default     = 8000

  validation {
    condition     = var.app_port >= 1024 && var.app_port <= 65535 && floor(var.app_port) == var.app_port
    error_message = "app_port must be 1024-65535: the pods run as an unprivileged user."
  }
}

variable "health_path" {
  description = "Readiness path: 200 only when the pod's stores answer."
  type        = string
  default     = "/readyz"

  validation {
    condition     = startswith(var.health_path, "/")
    error_message = "health_path must start with /."
  }
}

variable "health_port" {
  description = "Inner port of the pods (OMS_INNER_PORT), which health_path is asked on."
  type        = number
  default     = 9100

  validation {
    condition     = var.health_port >= 1024 && var.health_port <= 65535 && var.health_port != var.app_port
    error_message = "health_port must be 1024-65535 and not app_port: the public port refuses every Host that is not ours, a pod's address too."
  }
}

variable "admin_cidrs" {
  description = "Networks that may see /admin. Empty: nobody from outside."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.admin_cidrs) <= 3 && alltrue([for c in var.admin_cidrs : can(cidrnetmask(c)) && c != "0.0.0.0/0"])
    error_message = "admin_cidrs must be at most 3 IPv4 networks (a rule holds five values), and not the world: the admin changes limits and opens accounts."
  }
}

variable "idle_timeout" {
  description = "Seconds that a quiet connection lives. Websockets beat every 15 seconds; run_web --keep-alive-s is longer."
  type        = number
  default     = 120

  validation {
    condition     = var.idle_timeout >= 60 && var.idle_timeout <= 4000
    error_message = "idle_timeout must be 60-4000: below a minute websockets drop between two heartbeats, and AWS allows no more than 4000."
  }
}

variable "drain_seconds" {
  description = "How long a leaving pod keeps its requests. Keep it below the pod's termination grace period."
  type        = number
  default     = 30

  validation {
    condition     = var.drain_seconds >= 10 && var.drain_seconds <= 300
    error_message = "drain_seconds must be 10-300."
  }
}

variable "rate_limit" {
  description = "Requests that one address may send in 5 minutes before it is blocked. A desk's programs share one."
  type        = number
  default     = 600000 # 2,000 a second: above what one address may order, below what hurts

  validation {
    condition     = var.rate_limit >= 300000 && var.rate_limit <= 2000000000
    error_message = "rate_limit must be 300,000-2,000,000,000 in 5 minutes: a client program sends 1,000 orders a second, and WAF must not be what stops it. The application limits users itself."
  }
}

variable "logs_bucket" {
  description = "Bucket of the access logs."
  type        = string

  validation {
    condition     = length(var.logs_bucket) > 0
    error_message = "logs_bucket must be named: who asked what is part of the audit trail. Pass module.s3.logs_bucket."
  }
}

variable "logs_kms_key_arn" {
  description = "Key of WAF's log group."
  type        = string

  validation {
    condition     = startswith(var.logs_kms_key_arn, "arn:")
    error_message = "logs_kms_key_arn must be a key's ARN."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = true
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
  description = "Days that WAF's log is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's values and at least 90."
  }
}
