variable "name" {
  description = "Prefix of the bucket names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: bucket names derive from it, and are lower-case."
  }
}

variable "account_id" {
  description = "Account number: bucket names are unique in the world, so it ends them."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "kms_key_arn" {
  description = "Key of the archive."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:")
    error_message = "kms_key_arn must be a key's ARN."
  }
}

variable "archive_lock_days" {
  description = "Days that an archived part of the log cannot be changed or deleted."
  type        = number
  default     = 365

  validation {
    condition     = var.archive_lock_days >= 1 && var.archive_lock_days <= 3650
    error_message = "archive_lock_days must be 1-3650: an archive that anybody may delete at once is a copy, not a safeguard."
  }
}

variable "log_retention_days" {
  description = "Days that access logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = var.log_retention_days >= 90 && var.log_retention_days <= 3650
    error_message = "log_retention_days must be 90-3650."
  }
}

variable "old_version_days" {
  description = "Days that replaced objects are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.old_version_days >= 7 && var.old_version_days <= 365
    error_message = "old_version_days must be 7-365."
  }
}

variable "force_destroy" {
  description = "Let terraform destroy delete buckets that hold objects. For development only."
  type        = bool
  default     = false
}
