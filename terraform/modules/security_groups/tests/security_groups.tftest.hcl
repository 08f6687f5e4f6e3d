variables {
  name   = "oms-test"
  vpc_id = "vpc-1"
}

run "only_the_load_balancer_knows_the_world" {
  command = apply

  assert {
    condition     = alltrue([for r in values(aws_vpc_security_group_ingress_rule.flow) : r.cidr_ipv4 == null && r.referenced_security_group_id != null])
    error_message = "Stores and pods are reached from groups, not from addresses."
  }
  assert {
    condition     = toset([for r in values(aws_vpc_security_group_ingress_rule.alb) : r.from_port]) == toset([80, 443]) && alltrue([for r in values(aws_vpc_security_group_ingress_rule.alb) : r.from_port == r.to_port && r.security_group_id == aws_security_group.this["alb"].id])
    error_message = "The world gets 80 and 443 of the load balancer."
  }
  assert {
    condition     = alltrue([for r in concat(values(aws_vpc_security_group_ingress_rule.flow), values(aws_vpc_security_group_ingress_rule.alb)) : length(r.description) > 3])
    error_message = "Every rule says why it is there."
  }
}

run "each_store_is_reached_by_the_nodes_alone" {
  command = apply

  assert {
    condition = alltrue([for r in values(aws_vpc_security_group_ingress_rule.flow) : r.referenced_security_group_id == aws_security_group.this["nodes"].id
    if contains([for s in ["kafka", "redis", "documentdb", "postgres"] : aws_security_group.this[s].id], r.security_group_id)])
    error_message = "Only nodes talk to stores."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.flow["nodes-to-kafka"].from_port == 9098 && aws_vpc_security_group_ingress_rule.flow["nodes-to-documentdb"].from_port == 27017 && aws_vpc_security_group_ingress_rule.flow["nodes-to-postgres"].from_port == 5432 && aws_vpc_security_group_ingress_rule.flow["nodes-to-redis"].from_port == 6379
    error_message = "Each store on its own port."
  }
  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.flow) == keys(aws_vpc_security_group_egress_rule.flow)
    error_message = "Each flow is allowed at both ends."
  }
}

run "scram_has_its_own_port" {
  command = plan
  variables {
    kafka_port = 9096
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.flow["nodes-to-kafka"].to_port == 9096
    error_message = "SCRAM listens on 9096."
  }
}
