# The only reader of the static bucket. Files carry a hash in their names, so they cache for ever.

resource "aws_cloudfront_origin_access_control" "static" {
  name                              = "${var.name}-static"
  description                       = "CloudFront signs its requests to the static bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_response_headers_policy" "static" {
  name = "${var.name}-static"

  security_headers_config {
    content_type_options {
      override = true
    }
    strict_transport_security {
      access_control_max_age_sec = 63072000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }
    frame_options {
      frame_option = "DENY"
      override     = true
    }
    referrer_policy {
      referrer_policy = "same-origin"
      override        = true
    }
  }
}

data "aws_cloudfront_cache_policy" "optimized" {
  name = "Managed-CachingOptimized"
}

resource "aws_cloudfront_distribution" "static" {
  #checkov:skip=CKV_AWS_68:Static files only, public by nature: WAF guards the application's load balancer.
  #checkov:skip=CKV2_AWS_47:Static files only: nothing here runs Log4j or anything else.
  #checkov:skip=CKV_AWS_305:There is no page at the root of the static files.
  #checkov:skip=CKV_AWS_310:One origin, rebuilt by a deploy; the application serves its files itself (WhiteNoise) if it is gone.
  #checkov:skip=CKV_AWS_374:Traders travel; access is decided by login, not by country.
  #checkov:skip=CKV_AWS_174:CloudFront's own certificate and host name; TLS 1.2 as a minimum needs a host name of one's own, which pages do not show.
  #checkov:skip=CKV2_AWS_42:CloudFront's own host name is used; pages refer to it, people do not type it.
  enabled         = true
  comment         = "${var.name} static files"
  price_class     = "PriceClass_100"
  http_version    = "http2and3"
  is_ipv6_enabled = true

  origin {
    origin_id                = "static"
    domain_name              = aws_s3_bucket.this["static"].bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.static.id
  }

  default_cache_behavior {
    target_origin_id           = "static"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    viewer_protocol_policy     = "redirect-to-https"
    compress                   = true
    cache_policy_id            = data.aws_cloudfront_cache_policy.optimized.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.static.id
  }

  logging_config {
    bucket          = aws_s3_bucket.this["logs"].bucket_domain_name
    prefix          = "cloudfront/"
    include_cookies = false
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }

  # The log delivery's ACL is accepted only once ownership allows ACLs.
  depends_on = [aws_s3_bucket_ownership_controls.this]
}
