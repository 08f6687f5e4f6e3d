# What each workload may do in AWS. One row a role, one role a service account: an engine cannot
# write prices, a web pod cannot publish events, and nobody reads a secret they do not use. The rows are
# what a recording log saw each role touch in a real run (tools/tests/test_contract.py): no more, no less.

locals {
  kafka_rights = {
    # The door: appends commands, reads back what is not shown yet, tells how far engines are (committed).
    web = { writes = ["oms.commands"], reads = ["oms.commands", "oms.events", "oms.prices", "oms.deadletter"], member = [], looks = ["oms-engine"] }
    # The one writer of an account. It fences a partition by a command of its own, and reads its own
    # events back after a crash; the venue is in it.
    engine = { writes = ["oms.commands", "oms.events", "oms.deadletter"], reads = ["oms.commands", "oms.events", "oms.prices", "oms.deadletter"], member = ["oms-engine"], looks = [] }
    # Prices out; the latest mark of each symbol is a command too.
    marketdata = { writes = ["oms.prices", "oms.commands"], reads = ["oms.prices"], member = [], looks = [] }
    projector  = { writes = ["oms.deadletter"], reads = ["oms.events", "oms.deadletter"], member = ["oms-projector"], looks = [] }
    # Healing is a command; what trims an embedded log looks at where Kafka's ends.
    worker = { writes = ["oms.commands"], reads = ["oms.commands", "oms.events", "oms.prices"], member = [], looks = [] }
    # An operator's commands: doctor, deadletter, replay, check_invariants; the archive of the log.
    tools = { writes = ["oms.commands", "oms.deadletter"], reads = ["oms.commands", "oms.events", "oms.prices", "oms.deadletter"], member = [], looks = ["oms-engine"] }
  }
  # No Kafka: pusher and beat live on the stores alone; migrate makes tables and users.
  roles = toset(concat(keys(local.kafka_rights), ["pusher", "beat", "migrate"]))

  # Cluster software, each with the service account its chart or manifest gives it.
  controllers = {
    external-secrets             = "external-secrets"
    aws-load-balancer-controller = "kube-system"
    cluster-autoscaler           = "kube-system"
    fluent-bit                   = "logging"
    alertmanager                 = "monitoring"
  }

  workloads = merge(
    { for role in local.roles : role => { namespace = var.namespace } },
    { for name, namespace in local.controllers : name => { namespace = namespace } },
  )
  # Pods get their secrets from External Secrets; it alone may read them.
  secret_arns = concat(flatten(values(module.credentials.arns)), [module.redis.secret_arn, module.documentdb.master_secret_arn, module.postgres.master_secret_arn])
  kafka_iam   = var.kafka_client_authentication == "iam"
  with_policy = { for name, w in local.workloads : name => w if contains(keys(local.controllers), name) || name == "tools" || local.kafka_iam && contains(keys(local.kafka_rights), name) }
}

data "aws_iam_policy_document" "kafka" {
  for_each = { for role, rights in local.kafka_rights : role => rights if local.kafka_iam }

  statement {
    sid       = "ConnectToKafka"
    actions   = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:WriteDataIdempotently"]
    resources = [module.msk.arn]
  }
  statement {
    sid       = "WriteTopics"
    actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"]
    resources = [for t in each.value.writes : "${module.msk.topic_arn_prefix}${t}"]
  }
  statement {
    sid       = "ReadTopics"
    actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"]
    resources = [for t in each.value.reads : "${module.msk.topic_arn_prefix}${t}"]
  }
  # The job before a rollout counts every topic's partitions (topics_create).
  dynamic "statement" {
    for_each = each.key == "tools" ? [1] : []
    content {
      sid       = "CountPartitions"
      actions   = ["kafka-cluster:DescribeTopic"]
      resources = [for t in keys(module.msk.partitions) : "${module.msk.topic_arn_prefix}${t}"]
    }
  }
  # Partitions are shared out by the group: its members alter it.
  dynamic "statement" {
    for_each = length(each.value.member) > 0 ? [1] : []
    content {
      sid       = "OwnConsumerGroup"
      actions   = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
      resources = [for g in each.value.member : "${module.msk.group_arn_prefix}${g}"]
    }
  }
  # How far another's group is: looking must not take a partition from it.
  dynamic "statement" {
    for_each = length(each.value.looks) > 0 ? [1] : []
    content {
      sid       = "SeeConsumerGroup"
      actions   = ["kafka-cluster:DescribeGroup"]
      resources = [for g in each.value.looks : "${module.msk.group_arn_prefix}${g}"]
    }
  }
}

data "aws_iam_policy_document" "external_secrets" {
  statement {
    sid       = "ReadOurSecrets"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = local.secret_arns
  }
  statement {
    sid       = "DecryptOurSecrets"
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
data "aws_iam_policy_document" "load_balancer_controller" {
  #checkov:skip=CKV_AWS_356:Describe calls of ELB and EC2 take no resource; what changes something names our target groups.
  statement {
    sid       = "FillOurTargetGroups"
    actions   = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
    resources = values(module.alb.target_group_arns)
  }
  statement {
    sid = "SeeTargets"
    actions = [
      "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets", "ec2:DescribeVpcs", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "autoscaler" {
  #checkov:skip=CKV_AWS_356:Describe calls of EC2 and Auto Scaling take no resource; what resizes is bound by this cluster's tag.
  statement {
    sid       = "ResizeOurNodeGroups"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:${local.partition}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/eks-*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/eks:cluster-name"
      values   = [local.name]
    }
  }
  statement {
    sid = "SeeNodeGroups"
    actions = [
      "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities", "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }
  statement {
    sid       = "SeeManagedNodeGroups"
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:${local.partition}:eks:${var.region}:${local.account}:nodegroup/${local.name}/*"]
  }
}

data "aws_iam_policy_document" "fluent_bit" {
  statement {
    sid       = "ShipLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${module.observability.log_group_arn}:*"]
  }
}

data "aws_iam_policy_document" "alertmanager" {
  statement {
    sid       = "TellPeople"
    actions   = ["sns:Publish"]
    resources = [module.observability.page_topic_arn, module.observability.ticket_topic_arn]
  }
  statement {
    sid       = "EncryptWhatIsTold"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [module.kms.arns["notifications"]]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sns.${var.region}.amazonaws.com"]
    }
  }
}

# Adds to the archive and reads it back; takes nothing away.
data "aws_iam_policy_document" "archive" {
  statement {
    sid       = "ArchiveLog"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${module.s3.archive_bucket_arn}/*"]
  }
  statement {
    sid       = "ListArchive"
    actions   = ["s3:ListBucket"]
    resources = [module.s3.archive_bucket_arn]
  }
  statement {
    sid       = "EncryptArchive"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [module.kms.arns["archive"]]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "workload" {
  for_each = local.with_policy

  source_policy_documents = concat(
    contains(keys(data.aws_iam_policy_document.kafka), each.key) ? [data.aws_iam_policy_document.kafka[each.key].json] : [],
    lookup({
      external-secrets             = [data.aws_iam_policy_document.external_secrets.json]
      aws-load-balancer-controller = [data.aws_iam_policy_document.load_balancer_controller.json]
      cluster-autoscaler           = [data.aws_iam_policy_document.autoscaler.json]
      fluent-bit                   = [data.aws_iam_policy_document.fluent_bit.json]
      alertmanager                 = [data.aws_iam_policy_document.alertmanager.json]
      tools                        = [data.aws_iam_policy_document.archive.json]
    }, each.key, []),
  )
}
