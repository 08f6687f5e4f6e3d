# A key per service: the reader of a leaked MSK volume reads no order, and a key can be revoked
# without stopping the rest. The account's root may administer a key but not decrypt with it;
# data moves only through the service that the key is for.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  root      = "arn:${local.partition}:iam::${local.account}:root"
  usage     = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]

  # What each service says of itself when it uses a key.
  service_principals = {
    logs = {
      principal  = "logs.${local.region}.amazonaws.com"
      conditions = { "kms:EncryptionContext:aws:logs:arn" = { test = "ArnLike", value = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*" } }
    }
    cloudfront = {
      principal  = "cloudfront.amazonaws.com"
      conditions = { "aws:SourceArn" = { test = "ArnLike", value = "arn:${local.partition}:cloudfront::${local.account}:distribution/*" } }
    }
    budgets = {
      principal  = "budgets.amazonaws.com"
      conditions = { "aws:SourceAccount" = { test = "StringEquals", value = local.account } }
    }
    # AWS documents no condition for alarms, and one that does not match silences them.
    cloudwatch = { principal = "cloudwatch.amazonaws.com", conditions = {} }
  }
}

data "aws_iam_policy_document" "key" {
  for_each = var.keys

  #checkov:skip=CKV_AWS_109:In a key policy, resource * is this key: there is no other way to write it.
  #checkov:skip=CKV_AWS_111:In a key policy, resource * is this key: there is no other way to write it.
  #checkov:skip=CKV_AWS_356:In a key policy, resource * is this key: there is no other way to write it.
  statement {
    sid = "Administer"
    actions = [
      "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey",
      "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants",
      "kms:ListKeyPolicies", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:ScheduleKeyDeletion",
      "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
    ]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [local.root]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.via) > 0 ? [1] : []
    content {
      sid       = "UseThroughTheService"
      actions   = concat(local.usage, ["kms:CreateGrant"])
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = [local.root]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for s in each.value.via : "${s}.${local.region}.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:CallerAccount"
        values   = [local.account]
      }
    }
  }

  dynamic "statement" {
    for_each = each.value.iam ? [1] : []
    content {
      sid       = "UseByRolesWhosePolicyNamesTheKey"
      actions   = concat(local.usage, ["kms:CreateGrant"])
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = [local.root]
      }
    }
  }

  dynamic "statement" {
    for_each = { for s in each.value.services : s => local.service_principals[s] }
    content {
      sid       = "Service${title(statement.key)}"
      actions   = statement.key == "logs" ? local.usage : ["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = [statement.value.principal]
      }
      dynamic "condition" {
        for_each = statement.value.conditions
        content {
          test     = condition.value.test
          variable = condition.key
          values   = [condition.value.value]
        }
      }
    }
  }

  dynamic "statement" {
    for_each = length(each.value.roles) > 0 ? [1] : []
    content {
      sid       = "NamedRoles"
      actions   = local.usage
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = each.value.roles
      }
    }
  }

  dynamic "statement" {
    for_each = length(each.value.roles) > 0 ? [1] : []
    content {
      sid       = "NamedRolesAttachVolumes"
      actions   = ["kms:CreateGrant"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = each.value.roles
      }
      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }
}

resource "aws_kms_key" "this" {
  for_each = var.keys

  description             = each.value.description
  policy                  = data.aws_iam_policy_document.key[each.key].json
  enable_key_rotation     = true
  rotation_period_in_days = var.rotation_days
  deletion_window_in_days = var.deletion_window_days
  tags                    = { Name = "${var.name}-${each.key}" }

  lifecycle {
    prevent_destroy = true # when a key is gone, so is everything it encrypted
  }
}

resource "aws_kms_alias" "this" {
  for_each = var.keys

  name          = "alias/${var.name}/${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
