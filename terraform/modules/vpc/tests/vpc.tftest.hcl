variables {
  name             = "oms-test"
  cidr             = "10.20.0.0/16"
  azs              = ["us-east-1a", "us-east-1b", "us-east-1c"]
  logs_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
}

run "three_tiers_in_three_zones" {
  command = apply

  assert {
    condition     = length(aws_subnet.public) == 3 && length(aws_subnet.private) == 3 && length(aws_subnet.data) == 3
    error_message = "Each of the three zones needs a public, a private and a data subnet."
  }
  assert {
    condition     = length(distinct([for s in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.data)) : s.cidr_block])) == 9
    error_message = "Nine different ranges."
  }
  assert {
    condition     = aws_subnet.private["us-east-1a"].cidr_block == "10.20.0.0/19" && aws_subnet.public["us-east-1a"].cidr_block == "10.20.96.0/22" && aws_subnet.data["us-east-1c"].cidr_block == "10.20.116.0/22"
    error_message = "Ranges moved: a running VPC would be rebuilt."
  }
  assert {
    condition     = alltrue([for s in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.data)) : s.map_public_ip_on_launch != true])
    error_message = "No subnet hands out public addresses."
  }
  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group must be empty."
  }
  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 365 && aws_cloudwatch_log_group.flow.kms_key_id == var.logs_kms_key_arn
    error_message = "All traffic is logged, for a year, encrypted."
  }
  assert {
    condition     = alltrue([for s in values(output.data_subnets) : s.tier == "data"]) && alltrue([for s in values(output.public_subnets) : s.tier == "public"])
    error_message = "Subnets travel with their tier."
  }
}

run "a_nat_gateway_in_each_zone" {
  command = apply

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_eip.nat) == 3
    error_message = "nat_per_az means three."
  }
  assert {
    condition     = alltrue([for az, r in aws_route.nat : r.nat_gateway_id == aws_nat_gateway.this[az].id])
    error_message = "Each zone goes out through its own gateway."
  }
}

run "one_nat_gateway_for_all" {
  command = apply
  variables {
    nat_per_az            = false
    endpoints_in_every_az = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && alltrue([for r in values(aws_route.nat) : r.nat_gateway_id == aws_nat_gateway.this["us-east-1a"].id])
    error_message = "One gateway, and every zone's route to it."
  }
  assert {
    condition     = alltrue([for e in values(aws_vpc_endpoint.interface) : length(e.subnet_ids) == 1])
    error_message = "Endpoints in one zone only."
  }
}

run "endpoints_answer_inside_only" {
  command = apply

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 7 && alltrue([for e in values(aws_vpc_endpoint.interface) : e.private_dns_enabled && length(e.subnet_ids) == 3])
    error_message = "Seven interface endpoints with private DNS in every zone."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.20.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints.from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints.to_port == 443
    error_message = "Endpoints take HTTPS from the VPC, nothing else."
  }
  assert {
    condition     = toset([for e in values(aws_vpc_endpoint.gateway) : e.vpc_endpoint_type]) == toset(["Gateway"])
    error_message = "S3 and DynamoDB by gateway, which is free."
  }
}

run "the_data_tier_has_no_way_out" {
  command = apply

  assert {
    condition     = alltrue([for a in values(aws_route_table_association.data) : a.route_table_id == aws_route_table.data.id])
    error_message = "Data subnets use the data route table."
  }
  assert {
    condition     = !contains(concat([for r in values(aws_route.nat) : r.route_table_id], [aws_route.internet.route_table_id]), aws_route_table.data.id)
    error_message = "No route out of the data tier."
  }
  assert {
    condition     = alltrue([for r in aws_network_acl.data.ingress : r.cidr_block == var.cidr])
    error_message = "The data tier's ACL lets in the VPC alone."
  }
}

run "ranges_of_ones_own" {
  command = apply
  variables {
    public_subnets  = ["10.20.0.0/24", "10.20.1.0/24", "10.20.2.0/24"]
    private_subnets = ["10.20.16.0/20", "10.20.32.0/20", "10.20.48.0/20"]
    data_subnets    = ["10.20.4.0/24", "10.20.5.0/24", "10.20.6.0/24"]
  }

  assert {
    condition     = aws_subnet.data["us-east-1b"].cidr_block == "10.20.5.0/24"
    error_message = "Given ranges are used."
  }
}
