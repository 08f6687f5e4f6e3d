variable "name" {
  description = "Prefix of every name; the image repository is called so."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: it names the image repository, which is lower-case."
  }
}

variable "repository" {
  description = "GitHub repository that may deploy, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name, without wildcards: owner/* would let every repository of the owner deploy."
  }
}

variable "environment" {
  description = "GitHub environment (with its required reviewers) that a deploying job must run in."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.environment))
    error_message = "environment must be one environment's name, without wildcards: its protection rules are what stands between a pull request and the account."
  }
}

variable "oidc_provider_arn" {
  description = "Existing GitHub OIDC provider of the account (there can be only one). Null makes it."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/token.actions.githubusercontent.com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must end in oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "kms_key_arn" {
  description = "Key of the images."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:")
    error_message = "kms_key_arn must be a key's ARN."
  }
}

variable "planned_secret_arns" {
  description = "Secrets that a plan must read: the cache's password."
  type        = list(string)

  validation {
    condition     = length(var.planned_secret_arns) == 1
    error_message = "planned_secret_arns must hold the one secret that terraform hands on; a plan reads no other."
  }
}

variable "secrets_kms_key_arn" {
  description = "Key of that secret."
  type        = string
}

variable "cluster_arn" {
  description = "The EKS cluster that a deploy talks to."
  type        = string
}

variable "images_kept" {
  description = "Images kept for a rollback."
  type        = number
  default     = 30

  validation {
    condition     = var.images_kept >= 10 && var.images_kept <= 1000
    error_message = "images_kept must be 10-1000: fewer than ten leaves nothing to roll back to after a bad day."
  }
}
