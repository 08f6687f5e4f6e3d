variables {
  name              = "oms-test"
  vpc_id            = "vpc-1"
  subnets           = { a = { id = "subnet-a", tier = "public" }, b = { id = "subnet-b", tier = "public" }, c = { id = "subnet-c", tier = "public" } }
  security_group_id = "sg-1"
  certificate_arn   = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
  hosts             = ["oms.example.com"]
  logs_bucket       = "oms-test-logs"
  logs_kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/k"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
}

run "one_door_with_a_lock" {
  command = apply

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "80 redirects to 443."
  }
  assert {
    condition     = aws_lb_listener.https.ssl_policy == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" && aws_lb_listener.https.certificate_arn == var.certificate_arn
    error_message = "TLS 1.3 with our certificate."
  }
  assert {
    condition     = aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "404" && alltrue([for r in values(aws_lb_listener_rule.this) : anytrue([for c in r.condition : try(c.host_header[0].values == toset(["oms.example.com"]), false)])])
    error_message = "Only our hosts reach a pod."
  }
  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.enable_deletion_protection && aws_lb.this.access_logs[0].enabled && aws_lb.this.desync_mitigation_mode == "strictest"
    error_message = "No smuggling, no accident, a record of every request."
  }
}

run "targets_are_pods" {
  command = apply

  assert {
    condition     = alltrue([for g in values(aws_lb_target_group.this) : g.target_type == "ip" && g.health_check[0].path == "/readyz" && g.health_check[0].port == "9100" && g.deregistration_delay == "30"])
    error_message = "Pod addresses, readiness, a drain."
  }
  assert {
    condition     = aws_lb.this.idle_timeout == 120
    error_message = "Longer than a websocket's 15-second heartbeat."
  }
  assert {
    condition     = aws_lb_listener_rule.this["ws"].priority < aws_lb_listener_rule.this["http"].priority && anytrue([for c in aws_lb_listener_rule.this["ws"].condition : try(c.path_pattern[0].values == toset(["/ws/*"]), false)])
    error_message = "Websockets are told apart first."
  }
}

run "inner_paths_are_closed" {
  command = apply

  assert {
    condition     = aws_lb_listener_rule.inner.priority == 1 && aws_lb_listener_rule.inner.action[0].fixed_response[0].status_code == "404" && one(aws_lb_listener_rule.inner.condition).path_pattern[0].values == toset(["/metrics*", "/livez*", "/readyz*"])
    error_message = "Probes and metrics are not for clients."
  }
  assert {
    condition     = length(aws_lb_listener_rule.admin) == 0 && aws_lb_listener_rule.admin_from_elsewhere.action[0].fixed_response[0].status_code == "404" && aws_lb_listener_rule.admin_from_elsewhere.priority < aws_lb_listener_rule.this["http"].priority
    error_message = "Without networks of its own, the admin is closed."
  }
}

run "the_admin_for_the_desks_networks" {
  command = apply
  variables {
    admin_cidrs = ["203.0.113.0/24"]
  }

  assert {
    condition     = aws_lb_listener_rule.admin[0].priority < aws_lb_listener_rule.admin_from_elsewhere.priority && anytrue([for c in aws_lb_listener_rule.admin[0].condition : try(c.source_ip[0].values == toset(["203.0.113.0/24"]), false)])
    error_message = "From there, and only from there."
  }
}

run "waf_in_front" {
  command = apply

  assert {
    condition     = aws_wafv2_web_acl_association.this.resource_arn == aws_lb.this.arn && length(aws_wafv2_web_acl.this.rule) == 5
    error_message = "Five rules, attached to the load balancer."
  }
  assert {
    condition     = one([for r in aws_wafv2_web_acl.this.rule : r.statement[0].rate_based_statement[0].limit if r.name == "rate-limit"]) == 600000
    error_message = "A limit for each address."
  }
  assert {
    condition     = [for o in one([for r in aws_wafv2_web_acl.this.rule : r.statement[0].managed_rule_group_statement[0].rule_action_override if r.name == "AWSManagedRulesCommonRuleSet"]) : o.name] == ["SizeRestrictions_BODY", "NoUserAgent_HEADER", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY"]
    error_message = "A batch of 500 orders of a program must pass."
  }
  assert {
    condition     = toset([for f in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : f.single_header[0].name]) == toset(["authorization", "cookie", "x-api-key"])
    error_message = "Credentials stay out of the log."
  }
  assert {
    condition     = contains([for r in aws_wafv2_web_acl.this.rule : r.statement[0].managed_rule_group_statement[0].name if r.name != "rate-limit"], "AWSManagedRulesKnownBadInputsRuleSet")
    error_message = "Log4j and other known bad inputs are blocked."
  }
  assert {
    condition     = startswith(aws_cloudwatch_log_group.waf.name, "aws-waf-logs-")
    error_message = "WAF's rule for the name."
  }
}

run "somebody_hears_of_an_empty_target_group" {
  command = apply

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.no_healthy_host) == 2 && length(aws_cloudwatch_metric_alarm.unhealthy_hosts) == 2 && length(aws_cloudwatch_metric_alarm.this) == 3 && aws_cloudwatch_metric_alarm.this["latency"].extended_statistic == "p99"
    error_message = "Health of both groups, errors, p99."
  }
}
