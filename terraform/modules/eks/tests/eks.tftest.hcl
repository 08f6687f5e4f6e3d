variables {
  name                   = "oms-test"
  subnets                = { a = { id = "subnet-a", tier = "private" }, b = { id = "subnet-b", tier = "private" }, c = { id = "subnet-c", tier = "private" } }
  node_security_group_id = "sg-1"
  kms_key_arns           = { secrets = "arn:aws:kms:us-east-1:123456789012:key/k", volumes = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  node_groups            = { general = { instance_types = ["m7g.large"], min = 2, max = 4, desired = 2 } }
}

run "a_private_cluster_that_logs_everything" {
  command = apply

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The cluster API is private."
  }
  assert {
    condition     = aws_eks_cluster.this.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "All five control-plane logs."
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.kms_key_arns.secrets && tolist(aws_eks_cluster.this.encryption_config[0].resources) == tolist(["secrets"])
    error_message = "Kubernetes secrets are encrypted with our key."
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Access entries only, and no hidden administrator."
  }
  assert {
    condition     = aws_eks_cluster.this.deletion_protection && aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Protected, and never billed extended support."
  }
  assert {
    condition     = aws_cloudwatch_log_group.control_plane.name == "/aws/eks/oms-test/cluster" && aws_cloudwatch_log_group.control_plane.kms_key_id == var.kms_key_arns.logs
    error_message = "The log group that EKS writes to, encrypted."
  }
}

run "nodes_that_give_nothing_away" {
  command = apply

  assert {
    condition     = alltrue([for t in values(aws_launch_template.node) : t.metadata_options[0].http_tokens == "required" && t.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "IMDSv2 only, and not from a pod."
  }
  assert {
    condition     = alltrue([for t in values(aws_launch_template.node) : t.block_device_mappings[0].ebs[0].encrypted == "true" && t.block_device_mappings[0].ebs[0].kms_key_id == var.kms_key_arns.volumes && t.block_device_mappings[0].ebs[0].volume_type == "gp3"])
    error_message = "Encrypted gp3 volumes."
  }
  assert {
    condition     = aws_eks_node_group.this["general"].ami_type == "AL2023_ARM_64_STANDARD" && aws_eks_node_group.this["general"].scaling_config[0].max_size == 4
    error_message = "AL2023 on Graviton, sized as asked."
  }
  assert {
    condition     = toset(keys(aws_iam_role_policy_attachment.node)) == toset(["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"])
    error_message = "Nodes join and pull, nothing more."
  }
}

run "nodes_carry_the_group_of_the_table_alone" {
  command = apply

  assert {
    condition     = alltrue([for l in values(aws_launch_template.node) : l.vpc_security_group_ids == toset(["sg-1"])])
    error_message = "The cluster's own group opens everything."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.api_from_nodes.to_port == 443 && toset([for r in values(aws_vpc_security_group_ingress_rule.nodes_from_api) : r.to_port]) == toset([6443, 9443, 10250, 10251])
    error_message = "What the control plane and the nodes need of each other."
  }
}

run "a_group_for_the_engine_alone" {
  command = apply
  variables {
    node_groups = {
      general = { instance_types = ["m7g.large"], min = 2, max = 4, desired = 2 }
      engine  = { instance_types = ["c7g.xlarge"], min = 2, max = 6, desired = 2, taint = "engine" }
    }
  }

  assert {
    condition     = one(aws_eks_node_group.this["engine"].taint).value == "engine" && one(aws_eks_node_group.this["engine"].taint).effect == "NO_SCHEDULE"
    error_message = "The engine's nodes refuse other pods."
  }
  assert {
    condition     = length(aws_eks_node_group.this["general"].taint) == 0
    error_message = "The general group takes everything."
  }
  assert {
    condition     = toset(keys(aws_autoscaling_group_tag.label)) == toset(["general", "engine"]) && one(aws_autoscaling_group_tag.taint["engine"].tag).value == "engine:NoSchedule"
    error_message = "An empty group says what its nodes would carry."
  }
}

run "addons_at_our_versions" {
  command = apply
  variables {
    addon_versions = { coredns = "v1.12.4-eksbuild.1" }
  }

  assert {
    condition     = toset(concat(keys(aws_eks_addon.before_nodes), keys(aws_eks_addon.on_nodes))) == toset(["vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "metrics-server", "aws-ebs-csi-driver"])
    error_message = "Network, DNS, identity, metrics and volumes."
  }
  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "Network policies must be enforced, not just stored."
  }
  assert {
    condition     = aws_eks_addon.on_nodes["coredns"].addon_version == "v1.12.4-eksbuild.1"
    error_message = "A pinned version is used."
  }
  assert {
    condition     = one(aws_eks_addon.before_nodes["vpc-cni"].pod_identity_association).service_account == "aws-node"
    error_message = "The CNI has its own role."
  }
}

run "people_come_in_by_access_entries" {
  command = apply
  variables {
    public_access_cidrs = ["203.0.113.0/24"]
    access = {
      admin  = { principal_arn = "arn:aws:iam::123456789012:role/admin", policy = "AmazonEKSClusterAdminPolicy" }
      viewer = { principal_arn = "arn:aws:iam::123456789012:role/viewer", policy = "AmazonEKSViewPolicy", namespaces = ["oms"] }
      deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy", groups = ["oms:deploy"] }
    }
  }

  assert {
    condition     = aws_eks_access_policy_association.this["viewer"].access_scope[0].type == "namespace" && aws_eks_access_policy_association.this["viewer"].access_scope[0].namespaces == toset(["oms"])
    error_message = "A policy can be bound to namespaces."
  }
  assert {
    condition     = aws_eks_access_policy_association.this["admin"].access_scope[0].type == "cluster"
    error_message = "Administrators see the cluster."
  }
  assert {
    condition     = !contains(keys(aws_eks_access_policy_association.this), "deploy") && aws_eks_access_entry.this["deploy"].kubernetes_groups == toset(["oms:deploy"])
    error_message = "The pipeline is a group: no policy of EKS knows our custom resources."
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "Named networks only."
  }
}
