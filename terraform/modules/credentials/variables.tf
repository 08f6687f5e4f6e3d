variable "name" {
  description = "Prefix of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: secrets derive their names from it."
  }
}

variable "kms_key_arn" {
  description = "Key of the secrets."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:")
    error_message = "kms_key_arn must be a key's ARN: whoever reads these can sign in as anybody."
  }
}

variable "generation" {
  description = "Raise it by one to rotate: keys and store users of this generation are used, those of the one before stay good."
  type        = number
  default     = 1

  validation {
    condition     = var.generation >= 1 && floor(var.generation) == var.generation
    error_message = "generation must be a whole number from 1 on: raise it by one to rotate."
  }
}
