variables {
  name        = "oms-test"
  account_id  = "123456789012"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
}

run "nobody_reads_them_from_outside" {
  command = apply

  assert {
    condition     = alltrue([for b in values(aws_s3_bucket_public_access_block.this) : b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets]) && length(aws_s3_bucket_public_access_block.this) == 2
    error_message = "Both buckets are closed to the public."
  }
  assert {
    condition     = length([for s in jsondecode(aws_s3_bucket_policy.this["archive"].policy).Statement : s if s.Effect == "Allow"]) == 0
    error_message = "Who may write the archive is said by the role that does."
  }
  assert {
    condition     = one([for s in jsondecode(aws_s3_bucket_policy.this["logs"].policy).Statement : s.Resource if s.Sid == "LoadBalancersOfThisAccountWrite"]) == [for p in ["alb-connections", "alb"] : "${aws_s3_bucket.this["logs"].arn}/${p}/AWSLogs/123456789012/*"]
    error_message = "Load balancers write below this account's number."
  }
  assert {
    condition     = alltrue([for p in values(aws_s3_bucket_policy.this) : anytrue([for s in jsondecode(p.policy).Statement : s.Effect == "Deny" && try(s.Condition.Bool["aws:SecureTransport"], null) == ["false"]])])
    error_message = "TLS only."
  }
}

run "an_archive_that_nobody_rewrites" {
  command = apply

  assert {
    condition     = aws_s3_bucket.this["archive"].object_lock_enabled && aws_s3_bucket_object_lock_configuration.archive.rule[0].default_retention[0].days == 365
    error_message = "Locked for a year."
  }
  assert {
    condition     = alltrue([for v in values(aws_s3_bucket_versioning.this) : v.versioning_configuration[0].status == "Enabled"])
    error_message = "Versioned."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this["archive"].rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms" && one(one(aws_s3_bucket_server_side_encryption_configuration.this["archive"].rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    error_message = "Under our key."
  }
  assert {
    condition     = alltrue([for r in aws_s3_bucket_lifecycle_configuration.this["archive"].rule : length(r.expiration) == 0])
    error_message = "The archive ends never."
  }
}

run "logs_end_and_do_not_log_themselves" {
  command = apply

  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.this["logs"].rule : r.expiration[0].days if r.id == "expire-logs"] == [365]
    error_message = "Logs end after a year."
  }
  assert {
    condition     = aws_s3_bucket_logging.archive.bucket == aws_s3_bucket.this["archive"].id && aws_s3_bucket_logging.archive.target_bucket == aws_s3_bucket.this["logs"].id
    error_message = "The archive's accesses are logged; the logs' are not, into themselves."
  }
}
