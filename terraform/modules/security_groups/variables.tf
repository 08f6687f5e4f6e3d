variable "name" {
  description = "Prefix of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: groups derive their names from it."
  }
}

variable "vpc_id" {
  description = "The VPC of the groups."
  type        = string
}

variable "app_port" {
  description = "Port that the web pods listen on."
  type        = number
  default     = 8000

  validation {
    condition     = var.app_port >= 1024 && var.app_port <= 65535 && floor(var.app_port) == var.app_port
    error_message = "app_port must be 1024-65535: the pods run as an unprivileged user."
  }
}

variable "health_port" {
  description = "Inner port of the pods: health checks, and Prometheus from inside."
  type        = number
  default     = 9100

  validation {
    condition     = var.health_port >= 1024 && var.health_port <= 65535 && var.health_port != var.app_port
    error_message = "health_port must be 1024-65535 and not app_port."
  }
}

variable "kafka_port" {
  description = "Client port of the brokers: 9098 for IAM, 9096 for SCRAM. Both are TLS."
  type        = number
  default     = 9098

  validation {
    condition     = contains([9096, 9098], var.kafka_port)
    error_message = "kafka_port must be 9098 (IAM) or 9096 (SCRAM): 9092 is plaintext, and 9094 asks nobody who they are."
  }
}

variable "alb_allowed_cidrs" {
  description = "Who may reach the load balancer."
  type        = set(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.alb_allowed_cidrs) > 0 && alltrue([for c in var.alb_allowed_cidrs : can(cidrnetmask(c))])
    error_message = "alb_allowed_cidrs must be IPv4 networks, for example [\"203.0.113.0/24\"]."
  }
}
