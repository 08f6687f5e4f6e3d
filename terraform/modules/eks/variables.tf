variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2-24 lower-case letters, digits and dashes, starting with a letter, such as oms-prod: roles and log groups derive their names from it."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes minor version."
  type        = string
  default     = "1.35"

  validation {
    condition     = contains(["1.35", "1.36"], var.kubernetes_version)
    error_message = "kubernetes_version must be 1.35 or 1.36: the manifests are checked against these, and older ones cost 0.50 $ an hour more in extended support."
  }
}

variable "subnets" {
  description = "Zone to subnet for the control plane's interfaces and the nodes."
  type        = map(object({ id = string, tier = string }))

  validation {
    condition     = length(var.subnets) >= 3
    error_message = "subnets must span at least 3 zones: pods are spread over them."
  }

  validation {
    condition     = alltrue([for s in values(var.subnets) : s.tier == "private"])
    error_message = "subnets must be of tier private: nodes have no business with a public address. Pass module.vpc.private_subnets."
  }
}

variable "node_security_group_id" {
  description = "Group that the stores and the load balancer know the nodes by."
  type        = string
}

variable "public_access_cidrs" {
  description = "Networks that may reach the cluster API from outside. Empty: private endpoint only."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for c in var.public_access_cidrs : can(cidrnetmask(c)) && try(tonumber(split("/", c)[1]) >= 16, false)])
    error_message = "public_access_cidrs must be IPv4 networks of /16 or smaller: the cluster API is never open to the world. Leave it empty and come in by VPN."
  }
}

variable "kms_key_arns" {
  description = "Keys for Kubernetes secrets, node volumes and control-plane logs."
  type        = object({ secrets = string, volumes = string, logs = string })

  validation {
    condition     = alltrue([for k in values(var.kms_key_arns) : startswith(k, "arn:")])
    error_message = "kms_key_arns must be key ARNs: Kubernetes secrets, node volumes and logs are not stored in the clear."
  }
}

variable "log_retention_days" {
  description = "Days that control-plane logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's values and at least 90: the audit log is evidence."
  }
}

variable "node_groups" {
  description = "Managed node groups. A taint keeps everything but the pods that tolerate it away."
  type = map(object({
    instance_types = list(string)
    ami_type       = optional(string, "AL2023_ARM_64_STANDARD")
    capacity_type  = optional(string, "ON_DEMAND")
    min            = number
    max            = number
    desired        = number
    disk_gb        = optional(number, 40)
    taint          = optional(string)
  }))

  validation {
    condition     = length(var.node_groups) > 0
    error_message = "node_groups must hold at least one group."
  }

  validation {
    condition     = alltrue([for g in values(var.node_groups) : g.min >= 1 && g.min <= g.desired && g.desired <= g.max && g.max <= 100])
    error_message = "Each node group needs 1 <= min <= desired <= max <= 100."
  }

  validation {
    condition     = alltrue([for g in values(var.node_groups) : g.disk_gb >= 20 && g.disk_gb <= 1000])
    error_message = "disk_gb must be 20-1000: image layers alone take 10."
  }

  validation {
    condition     = alltrue([for g in values(var.node_groups) : contains(["ON_DEMAND", "SPOT"], g.capacity_type)])
    error_message = "capacity_type must be ON_DEMAND or SPOT."
  }

  validation {
    # An arm64 image on an x86 type boots nothing, and AWS says so only after ten minutes.
    condition = alltrue([for g in values(var.node_groups) : alltrue([for t in g.instance_types :
    can(regex("^[a-z]+[0-9]+g[a-z]*\\.", t)) == strcontains(g.ami_type, "ARM_64")])])
    error_message = "instance_types and ami_type must be of one architecture: Graviton types (m7g, t4g, c7g) with an ARM_64 image, others with x86_64."
  }
}

variable "access" {
  description = "Who may use the cluster: IAM principal to an EKS access policy (AmazonEKSClusterAdminPolicy, AmazonEKSAdminPolicy, AmazonEKSEditPolicy, AmazonEKSViewPolicy) with its namespaces (none: the whole cluster), or to groups that RBAC in the cluster binds."
  type = map(object({
    principal_arn = string
    policy        = optional(string)
    namespaces    = optional(set(string), [])
    groups        = optional(set(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for a in values(var.access) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/", a.principal_arn))])
    error_message = "access takes IAM role or user ARNs: arn:aws:iam::123456789012:role/NAME."
  }

  validation {
    condition     = alltrue([for a in values(var.access) : a.policy == null ? length(a.groups) > 0 : contains(["AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy"], a.policy)])
    error_message = "policy must be AmazonEKSClusterAdminPolicy, AmazonEKSAdminPolicy, AmazonEKSEditPolicy or AmazonEKSViewPolicy, or groups must name one."
  }
}

variable "addon_versions" {
  description = "Pinned add-on versions. An add-on that is not named gets the cluster version's default."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.addon_versions) : contains(["vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent", "metrics-server", "aws-ebs-csi-driver"], name)])
    error_message = "addon_versions knows vpc-cni, kube-proxy, coredns, eks-pod-identity-agent, metrics-server and aws-ebs-csi-driver."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster."
  type        = bool
  default     = true
}
