variables {
  name         = "oms-test"
  account_id   = "123456789012"
  kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/k"
  cors_origins = ["https://oms.example.com"]
}

run "nobody_reads_past_cloudfront" {
  command = apply

  assert {
    condition     = alltrue([for b in values(aws_s3_bucket_public_access_block.this) : b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets]) && length(aws_s3_bucket_public_access_block.this) == 2
    error_message = "Both buckets are closed to the public."
  }
  assert {
    condition = one([for s in jsondecode(aws_s3_bucket_policy.this["static"].policy).Statement : s if s.Effect == "Allow"]) == {
      Sid       = "OurDistributionReads", Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.this["static"].arn}/*"
      Principal = { Service = ["cloudfront.amazonaws.com"] }, Condition = { StringEquals = { "aws:SourceArn" = [aws_cloudfront_distribution.static.arn] } }
    }
    error_message = "One reader: our distribution."
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

run "kept_and_cleaned" {
  command = apply

  assert {
    condition     = alltrue([for v in values(aws_s3_bucket_versioning.this) : v.versioning_configuration[0].status == "Enabled"])
    error_message = "Versioned."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this["static"].rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms" && one(one(aws_s3_bucket_server_side_encryption_configuration.this["static"].rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    error_message = "Static files under our key."
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.this["logs"].rule : r.expiration[0].days if r.id == "expire-logs"] == [365]
    error_message = "Logs end after a year."
  }
  assert {
    condition     = !aws_s3_bucket.this["static"].force_destroy && length(aws_s3_bucket_logging.this) == 2
    error_message = "Not deleted with objects in it; access is logged."
  }
}

run "pages_of_ours_load_them" {
  command = apply

  assert {
    condition     = toset(one(aws_s3_bucket_cors_configuration.static.cors_rule).allowed_origins) == toset(["https://oms.example.com"])
    error_message = "CORS for our own site."
  }
  assert {
    condition     = aws_cloudfront_distribution.static.default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https" && aws_cloudfront_origin_access_control.static.signing_behavior == "always"
    error_message = "HTTPS to the viewer, signed to the bucket."
  }
  assert {
    condition     = startswith(output.static_url, "https://") && endswith(output.static_url, "/")
    error_message = "STATIC_URL ends in a slash, as Django wants it."
  }
}
