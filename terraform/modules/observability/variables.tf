variable "name" {
  description = "Prefix of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: topics and metrics derive their names from it."
  }
}

variable "kms_key_arns" {
  description = "Keys of the notifications and the logs."
  type        = object({ notifications = string, logs = string })

  validation {
    condition     = alltrue([for k in values(var.kms_key_arns) : startswith(k, "arn:")])
    error_message = "kms_key_arns must be key ARNs: an alarm's text names systems and limits."
  }
}

variable "page_emails" {
  description = "Who is woken. Each address confirms its subscription once."
  type        = set(string)

  validation {
    condition     = length(var.page_emails) > 0 && alltrue([for e in var.page_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", e))])
    error_message = "page_emails must hold at least one e-mail address: an alarm nobody hears costs what Knight Capital's did."
  }
}

variable "ticket_emails" {
  description = "Who reads what can wait until morning."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for e in var.ticket_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", e))])
    error_message = "ticket_emails must be e-mail addresses."
  }
}

variable "monthly_budget_usd" {
  description = "Budget of the account; 80 % spent and 100 % forecast are mailed."
  type        = number

  validation {
    condition     = var.monthly_budget_usd >= 50 && var.monthly_budget_usd <= 100000
    error_message = "monthly_budget_usd must be 50-100,000."
  }
}

variable "log_retention_days" {
  description = "Days that the application's logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's values and at least 30."
  }
}
