data "aws_partition" "current" {}

locals {
  # Ports of nodes and pods that the control plane calls.
  api_calls = {
    10250 = "Kubelets: logs, exec; webhook of External Secrets and of the Prometheus operator"
    10251 = "Metrics server"
    6443  = "KEDA's metrics"
    9443  = "Webhook of the load balancer controller"
  }
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy"
}

# Made before the cluster, or EKS makes it without retention and key.
resource "aws_cloudwatch_log_group" "control_plane" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arns.logs
}

data "aws_iam_policy_document" "cluster_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.cluster_trust.json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policy_arn}/AmazonEKSClusterPolicy"
}

# The control plane encrypts Kubernetes secrets as this role.
data "aws_iam_policy_document" "cluster_secrets" {
  statement {
    sid       = "EncryptKubernetesSecrets"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:ListGrants"]
    resources = [var.kms_key_arns.secrets]
  }
}

resource "aws_iam_role_policy" "cluster_secrets" {
  name   = "encrypt-secrets"
  role   = aws_iam_role.cluster.id
  policy = data.aws_iam_policy_document.cluster_secrets.json
}

resource "aws_eks_cluster" "this" {
  name                          = var.name
  version                       = var.kubernetes_version
  role_arn                      = aws_iam_role.cluster.arn
  deletion_protection           = var.deletion_protection
  bootstrap_self_managed_addons = false # the add-ons below, at versions we choose
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  vpc_config {
    subnet_ids              = [for s in var.subnets : s.id]
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  access_config {
    authentication_mode = "API" # access entries only: no aws-auth ConfigMap to break
    # Whoever ran terraform first must not stay a hidden administrator.
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]
    provider {
      key_arn = var.kms_key_arns.secrets
    }
  }

  upgrade_policy {
    support_type = "STANDARD" # upgraded by AWS at the end of support, never billed extended support
  }

  zonal_shift_config {
    enabled = true
  }

  depends_on = [
    aws_cloudwatch_log_group.control_plane,
    aws_iam_role_policy_attachment.cluster,
    aws_iam_role_policy.cluster_secrets,
  ]
}

# Nodes carry the one group that the table of flows knows, not the cluster's own with its way to
# everywhere. So what the control plane and the nodes say to each other is written down here.
resource "aws_vpc_security_group_ingress_rule" "api_from_nodes" {
  security_group_id            = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  referenced_security_group_id = var.node_security_group_id
  description                  = "Kubelets and pods ask the cluster API"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = { Name = "nodes-to-api" }
}

resource "aws_vpc_security_group_ingress_rule" "nodes_from_api" {
  for_each = { for port, why in local.api_calls : tostring(port) => why }

  security_group_id            = var.node_security_group_id
  referenced_security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  description                  = each.value
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
  tags                         = { Name = "api-to-nodes-${each.key}" }
}

resource "aws_eks_access_entry" "this" {
  for_each = var.access

  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = each.value.principal_arn
  kubernetes_groups = each.value.groups # what RBAC in the cluster binds (deploy/kubernetes/platform)
}

resource "aws_eks_access_policy_association" "this" {
  for_each = { for name, a in var.access : name => a if a.policy != null }

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/${each.value.policy}"

  access_scope {
    type       = length(each.value.namespaces) > 0 ? "namespace" : "cluster"
    namespaces = length(each.value.namespaces) > 0 ? each.value.namespaces : null
  }
}
