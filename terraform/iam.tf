# What each workload may do in AWS. One row a role, one role a service account: an engine cannot
# write prices, a web pod cannot publish events, and nobody reads a secret they do not use.

locals {
  workloads = {
    # The door: appends commands, reads them back by their place, reads events and prices for pages.
    web = { namespace = var.namespace, writes = ["oms.commands"], reads = ["oms.commands", "oms.events", "oms.prices"], secrets = ["redis", "documentdb", "postgres"] }
    # The one writer of an account. It fences a partition by a command of its own, and reads its own
    # events back after a crash.
    engine = { namespace = var.namespace, writes = ["oms.commands", "oms.events", "oms.venue", "oms.deadletter"], reads = ["oms.commands", "oms.events", "oms.deadletter"], secrets = ["redis", "documentdb", "postgres"] }
    # Reports come back as commands; after a restart it reads there what it already reported.
    venue = { namespace = var.namespace, writes = ["oms.commands", "oms.deadletter"], reads = ["oms.venue", "oms.prices", "oms.commands", "oms.deadletter"], secrets = ["redis"] }
    # Prices out; the latest mark of each symbol is a command too.
    marketdata = { namespace = var.namespace, writes = ["oms.prices", "oms.commands"], reads = ["oms.prices"], secrets = ["redis", "postgres"] }
    projector  = { namespace = var.namespace, writes = ["oms.deadletter"], reads = ["oms.events", "oms.deadletter"], secrets = ["redis", "documentdb", "postgres"] }
    pusher     = { namespace = var.namespace, writes = [], reads = ["oms.events", "oms.prices"], secrets = ["redis", "documentdb"] }
    # Trips the kill switch, which is a command.
    risk-monitor = { namespace = var.namespace, writes = ["oms.commands"], reads = ["oms.events", "oms.prices"], secrets = ["redis", "documentdb", "postgres"] }
    # Expiry and reconciliation are commands; dead letters are retried from here.
    worker = { namespace = var.namespace, writes = ["oms.commands", "oms.deadletter"], reads = ["oms.commands", "oms.events", "oms.prices", "oms.deadletter"], secrets = ["redis", "documentdb", "postgres"] }
    # Only schedules tasks, in Redis.
    beat = { namespace = var.namespace, writes = [], reads = [], secrets = ["redis", "postgres"] }

    # Cluster software. Their policies are extended below.
    external-secrets             = { namespace = "external-secrets", writes = [], reads = [], secrets = ["redis", "documentdb", "postgres"] }
    aws-load-balancer-controller = { namespace = "kube-system", writes = [], reads = [], secrets = [] }
    cluster-autoscaler           = { namespace = "kube-system", writes = [], reads = [], secrets = [] }
    fluent-bit                   = { namespace = "logging", writes = [], reads = [], secrets = [] }
  }

  secret_arns = {
    redis      = module.redis.secret_arn
    documentdb = module.documentdb.secret_arn
    postgres   = module.postgres.secret_arn
  }
  uses_kafka = { for name, w in local.workloads : name => var.kafka_client_authentication == "iam" && length(w.writes) + length(w.reads) > 0 }
}

data "aws_iam_policy_document" "workload" {
  for_each = local.workloads

  #checkov:skip=CKV_AWS_356:Describe calls of ELB, EC2 and Auto Scaling take no resource; every call that changes something names its own or is bound by a tag.
  dynamic "statement" {
    for_each = local.uses_kafka[each.key] ? [1] : []
    content {
      sid       = "ConnectToKafka"
      actions   = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:WriteDataIdempotently"]
      resources = [module.msk.arn]
    }
  }

  dynamic "statement" {
    for_each = local.uses_kafka[each.key] && length(each.value.writes) > 0 ? [1] : []
    content {
      sid       = "WriteTopics"
      actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"]
      resources = [for t in each.value.writes : "${module.msk.topic_arn_prefix}${t}"]
    }
  }

  dynamic "statement" {
    for_each = local.uses_kafka[each.key] && length(each.value.reads) > 0 ? [1] : []
    content {
      sid       = "ReadTopics"
      actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration", "kafka-cluster:ReadData"]
      resources = [for t in each.value.reads : "${module.msk.topic_arn_prefix}${t}"]
    }
  }

  # Each process checks at start that every topic has the number of partitions it was told.
  dynamic "statement" {
    for_each = local.uses_kafka[each.key] ? [1] : []
    content {
      sid       = "CountPartitions"
      actions   = ["kafka-cluster:DescribeTopic"]
      resources = ["${module.msk.topic_arn_prefix}oms.*"]
    }
  }

  # Consumer groups are called oms-ROLE, with a suffix where every pod reads everything.
  dynamic "statement" {
    for_each = local.uses_kafka[each.key] && length(each.value.reads) > 0 ? [1] : []
    content {
      sid       = "OwnConsumerGroup"
      actions   = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
      resources = ["${module.msk.group_arn_prefix}oms-${each.key}", "${module.msk.group_arn_prefix}oms-${each.key}-*"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.secrets) > 0 ? [1] : []
    content {
      sid       = "ReadOwnSecrets"
      actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      resources = [for s in each.value.secrets : local.secret_arns[s]]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.secrets) > 0 ? [1] : []
    content {
      sid       = "DecryptOwnSecrets"
      actions   = ["kms:Decrypt"]
      resources = [module.kms.arns["secrets"]]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${var.region}.amazonaws.com"]
      }
    }
  }

  # TargetGroupBinding only: the controller fills our target groups, it makes no load balancers.
  dynamic "statement" {
    for_each = each.key == "aws-load-balancer-controller" ? [1] : []
    content {
      sid       = "FillOurTargetGroups"
      actions   = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
      resources = values(module.alb.target_group_arns)
    }
  }

  dynamic "statement" {
    for_each = each.key == "aws-load-balancer-controller" ? [1] : []
    content {
      sid = "SeeTargets"
      actions = [
        "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets", "ec2:DescribeVpcs", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
      ]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "cluster-autoscaler" ? [1] : []
    content {
      sid       = "ResizeOurNodeGroups"
      actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
      resources = ["arn:${local.partition}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/eks-*"]
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/eks:cluster-name"
        values   = [local.name]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "cluster-autoscaler" ? [1] : []
    content {
      sid = "SeeNodeGroups"
      actions = [
        "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities", "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
      ]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "cluster-autoscaler" ? [1] : []
    content {
      sid       = "SeeManagedNodeGroups"
      actions   = ["eks:DescribeNodegroup"]
      resources = ["arn:${local.partition}:eks:${var.region}:${local.account}:nodegroup/${local.name}/*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "fluent-bit" ? [1] : []
    content {
      sid       = "ShipLogs"
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      resources = ["${module.observability.log_group_arn}:*"]
    }
  }
}
