# Two buckets: the archive of the order log, and access logs. Static files live in the image, with a hash
# in their names, and the application serves them itself.

data "aws_partition" "current" {}

locals {
  buckets = {
    archive = "${var.name}-archive-${var.account_id}"
    logs    = "${var.name}-logs-${var.account_id}"
  }
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets

  #checkov:skip=CKV_AWS_145:The archive is under our key; load balancers can write logs only under S3's own (AES256).
  #checkov:skip=CKV_AWS_144:The archive is itself the copy of the log; a second region is a decision of its own (docs/infrastructure.md), and logs are not needed to run.
  #checkov:skip=CKV_AWS_18:The archive's accesses are logged; logging the logs' bucket into itself would never end.
  #checkov:skip=CKV2_AWS_62:Nothing reacts to a new object here, so there is nobody to notify.
  bucket              = each.value
  force_destroy       = var.force_destroy
  object_lock_enabled = each.key == "archive"
  tags                = { Name = each.value }

  lifecycle {
    prevent_destroy = true
  }
}

# What was archived cannot be changed or taken away before its time, by a pod that was taken over neither.
resource "aws_s3_bucket_object_lock_configuration" "archive" {
  bucket = aws_s3_bucket.this["archive"].id
  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.archive_lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

# Load balancers can write to a bucket under S3's own key (AES256) only, not under one of ours.
resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  rule {
    bucket_key_enabled = each.key == "archive"
    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "archive" ? "aws:kms" : "AES256"
      kms_master_key_id = each.key == "archive" ? var.kms_key_arn : null
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "abort-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.old_version_days
    }
  }

  dynamic "rule" {
    for_each = each.key == "logs" ? [1] : []
    content {
      id     = "expire-logs"
      status = "Enabled"
      filter {}
      transition {
        days          = 30
        storage_class = "STANDARD_IA"
      }
      expiration {
        days = var.log_retention_days
      }
    }
  }

  # Read once, when everything else is gone; then at once.
  dynamic "rule" {
    for_each = each.key == "archive" ? [1] : []
    content {
      id     = "archive-for-ever"
      status = "Enabled"
      filter {}
      transition {
        days          = 90
        storage_class = "GLACIER_IR"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# Not the bucket of the logs itself: each object would make another, for ever.
resource "aws_s3_bucket_logging" "archive" {
  bucket        = aws_s3_bucket.this["archive"].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "s3/archive/"
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid     = "TlsOnly"
    effect  = "Deny"
    actions = ["s3:*"]
    resources = [
      aws_s3_bucket.this[each.key].arn,
      "${aws_s3_bucket.this[each.key].arn}/*",
    ]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # A load balancer writes below its own account's number, and fails to start if it cannot write.
  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []
    content {
      sid     = "LoadBalancersOfThisAccountWrite"
      actions = ["s3:PutObject"]
      resources = [for prefix in ["alb", "alb-connections"] :
      "${aws_s3_bucket.this["logs"].arn}/${prefix}/AWSLogs/${var.account_id}/*"]
      principals {
        type        = "Service"
        identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []
    content {
      sid       = "BucketsOfThisAccountWrite"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.this["logs"].arn}/s3/*"]
      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.account_id]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = data.aws_iam_policy_document.bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.this]
}
