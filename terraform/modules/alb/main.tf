# Terraform owns the load balancer, the cluster owns its targets (TargetGroupBinding): a rolling
# update registers pods without terraform, and deleting an Ingress cannot delete the front door.

locals {
  groups = { http = "http-", ws = "ws-" }
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_76:The attached ACL has AWSManagedRulesKnownBadInputsRuleSet, by a dynamic block that the check does not read; a test asserts it.
  #checkov:skip=CKV_AWS_150:Deletion protection is a variable; on by default and in prod and peak (asserted in their tests).
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = [for s in var.subnets : s.id]
  security_groups    = [var.security_group_id]

  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest"
  enable_http2               = true
  enable_waf_fail_open       = false
  idle_timeout               = var.idle_timeout
  enable_deletion_protection = var.deletion_protection
  enable_zonal_shift         = true

  access_logs {
    bucket  = var.logs_bucket
    prefix  = "alb"
    enabled = true
  }

  connection_logs {
    bucket  = var.logs_bucket
    prefix  = "alb-connections"
    enabled = true
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn
  # TLS 1.3 with a restricted TLS 1.2 fall-back: client programs of the desk are not all young.
  ssl_policy = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"

  routing_http_response_server_enabled                         = false
  routing_http_response_strict_transport_security_header_value = "max-age=63072000; includeSubDomains"
  routing_http_response_x_content_type_options_header_value    = "nosniff"

  # A request for a host that is not ours reaches no pod.
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Unknown host."
      status_code  = "404"
    }
  }
}

resource "aws_lb_target_group" "this" {
  for_each = local.groups

  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; pods are reached from its security group alone, inside the VPC.
  name_prefix          = each.value # a new one is made beside the old: a fixed name would be taken
  vpc_id               = var.vpc_id
  target_type          = "ip" # pods, not nodes
  port                 = var.app_port
  protocol             = "HTTP"
  deregistration_delay = var.drain_seconds
  # Requests differ a thousandfold in cost (a batch of 500, a health check): fewest open wins.
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = var.health_path
    port                = tostring(var.health_port) # the pods' inner port: asks for no Host, and what is behind it is not public
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  # A websocket stays with its pod by being one connection; the stream resumes from a sequence
  # number on any pod, so nothing needs a cookie.
  stickiness {
    type    = "lb_cookie"
    enabled = false
  }

  lifecycle {
    create_before_destroy = true
  }
}

# What no client has business with. Pods do not serve these on their public port either; the rule is
# there for the day that somebody makes them.
resource "aws_lb_listener_rule" "inner" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Not found."
      status_code  = "404"
    }
  }

  condition {
    path_pattern {
      values = ["/metrics*", "/livez*", "/readyz*"]
    }
  }
}

# The admin is for the desk's own networks: log-in and roles are behind this, not instead of it.
resource "aws_lb_listener_rule" "admin" {
  count = length(var.admin_cidrs) > 0 ? 1 : 0

  listener_arn = aws_lb_listener.https.arn
  priority     = 5

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["http"].arn
  }

  condition {
    path_pattern {
      values = ["/admin*"]
    }
  }
  condition {
    source_ip {
      values = var.admin_cidrs
    }
  }
  condition {
    host_header {
      values = slice(var.hosts, 0, 1) # a rule holds five values; the admin lives at the first name
    }
  }
}

resource "aws_lb_listener_rule" "admin_from_elsewhere" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 6

  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Not found."
      status_code  = "404"
    }
  }

  condition {
    path_pattern {
      values = ["/admin*"]
    }
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each = { ws = { priority = 10, path = "/ws/*" }, http = { priority = 20, path = null } }

  listener_arn = aws_lb_listener.https.arn
  priority     = each.value.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }

  condition {
    host_header {
      values = var.hosts
    }
  }

  # No path: everything that is not a websocket.
  dynamic "condition" {
    for_each = each.value.path == null ? [] : [each.value.path]
    content {
      path_pattern {
        values = [condition.value]
      }
    }
  }
}
