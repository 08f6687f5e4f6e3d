variable "name" {
  description = "Name of the role: prefix and workload, for example oms-prod-engine."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "name must be at most 64 characters: IAM's limit for role names."
  }
}

variable "cluster_name" {
  description = "The EKS cluster."
  type        = string
}

variable "namespace" {
  description = "Kubernetes namespace of the service account."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace)) && !contains(["default"], var.namespace)
    error_message = "namespace must be a Kubernetes name other than default: a role in default is everybody's role."
  }
}

variable "service_account" {
  description = "Kubernetes service account that gets the role."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.service_account)) && var.service_account != "default"
    error_message = "service_account must be a Kubernetes name other than default: every pod without an account of its own runs as default."
  }
}

variable "policy_json" {
  description = "What the workload may do in AWS."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy_json).Statement)
    error_message = "policy_json must be an IAM policy document: pass the json of a policy document data source."
  }

  validation {
    condition = try(alltrue([for s in jsondecode(var.policy_json).Statement :
    !contains(flatten([try(s.Action, [])]), "*") && alltrue([for a in flatten([try(s.Action, [])]) : !endswith(a, ":*")])]), true)
    error_message = "policy_json must name its actions: \"*\" and \"service:*\" are not least privilege."
  }
}
