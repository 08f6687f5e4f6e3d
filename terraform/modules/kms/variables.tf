variable "name" {
  description = "Prefix of the aliases."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: aliases derive from it."
  }
}

variable "keys" {
  description = <<-EOT
    A key per service. `via`: AWS services through which this account's principals may use it
    (kms:ViaService). `services`: service principals that use it themselves. `roles`: role ARNs that
    use it directly (the auto scaling role for node volumes). `iam`: roles whose own policy names
    the key may use it (EKS does it with the cluster's role, not through a service).
  EOT
  type = map(object({
    description = string
    via         = optional(list(string), [])
    services    = optional(list(string), [])
    roles       = optional(list(string), [])
    iam         = optional(bool, false)
  }))

  validation {
    condition     = alltrue([for k in values(var.keys) : k.iam || length(k.via) + length(k.services) + length(k.roles) > 0])
    error_message = "Each key must name a service in via, services or roles: a key that nothing may use only costs a dollar a month."
  }

  validation {
    condition     = alltrue([for k in values(var.keys) : alltrue([for v in k.via : can(regex("^[a-z0-9-]+$", v))])])
    error_message = "via takes bare service names such as kafka or rds: the region and .amazonaws.com are added here."
  }

  validation {
    condition     = alltrue([for k in values(var.keys) : alltrue([for s in k.services : contains(["logs", "cloudfront", "cloudwatch", "budgets"], s)])])
    error_message = "services knows logs, cloudfront, cloudwatch and budgets: each needs its own condition in the policy."
  }

  validation {
    condition     = alltrue([for k in values(var.keys) : !contains(concat(k.via, k.services, k.roles), "*")])
    error_message = "A key may not be opened to everybody: name the services."
  }
}

variable "deletion_window_days" {
  description = "Days between scheduling a key's deletion and losing everything under it."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 14 && var.deletion_window_days <= 30
    error_message = "deletion_window_days must be 14-30: less than two weeks is not enough to notice that a key was needed."
  }
}

variable "rotation_days" {
  description = "Days between automatic rotations."
  type        = number
  default     = 365

  validation {
    condition     = var.rotation_days >= 90 && var.rotation_days <= 365
    error_message = "rotation_days must be 90-365."
  }
}
