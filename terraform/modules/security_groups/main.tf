# Who may talk to whom, as one table. Each row becomes one ingress rule at the target and one
# egress rule at the source; a flow that is not in the table does not exist. Nothing is opened to
# the world but the load balancer's 80 and 443.

locals {
  groups = {
    alb        = "Load balancer: HTTP(S) from the allowed networks"
    nodes      = "EKS nodes and pods"
    kafka      = "MSK brokers"
    redis      = "ElastiCache"
    documentdb = "DocumentDB"
    postgres   = "RDS PostgreSQL"
  }

  flows = {
    alb-to-web          = { from = "alb", to = "nodes", first = var.app_port, last = var.app_port, why = "Requests to the web pods" }
    alb-to-web-health   = { from = "alb", to = "nodes", first = var.health_port, last = var.health_port, why = "Health checks on the web pods' inner port" }
    nodes-to-kafka      = { from = "nodes", to = "kafka", first = var.kafka_port, last = var.kafka_port, why = "Kafka clients over TLS with authentication" }
    nodes-to-exporters  = { from = "nodes", to = "kafka", first = 11001, last = 11002, why = "Prometheus scrapes the JMX and node exporters" }
    nodes-to-redis      = { from = "nodes", to = "redis", first = 6379, last = 6379, why = "Cache, channel layer and Celery broker over TLS" }
    nodes-to-documentdb = { from = "nodes", to = "documentdb", first = 27017, last = 27017, why = "Order store over TLS" }
    nodes-to-postgres   = { from = "nodes", to = "postgres", first = 5432, last = 5432, why = "Django's own tables over TLS" }
    nodes-to-nodes      = { from = "nodes", to = "nodes", first = 1025, last = 65535, why = "Pod to pod" }
    nodes-to-dns-tcp    = { from = "nodes", to = "nodes", first = 53, last = 53, why = "CoreDNS over TCP" }
  }
}

resource "aws_security_group" "this" {
  for_each = local.groups

  #checkov:skip=CKV2_AWS_5:Each is attached in its service's module, which the check does not follow.
  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "flow" {
  for_each = local.flows

  #checkov:skip=CKV_AWS_25:The source is a security group of ours, never 0.0.0.0/0.
  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  description                  = each.value.why
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
  tags                         = { Name = each.key }
}

resource "aws_vpc_security_group_egress_rule" "flow" {
  for_each = local.flows

  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  description                  = each.value.why
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
  tags                         = { Name = each.key }
}

resource "aws_vpc_security_group_ingress_rule" "dns_udp" {
  security_group_id            = aws_security_group.this["nodes"].id
  referenced_security_group_id = aws_security_group.this["nodes"].id
  description                  = "CoreDNS over UDP"
  ip_protocol                  = "udp"
  from_port                    = 53
  to_port                      = 53
  tags                         = { Name = "nodes-to-dns-udp" }
}

resource "aws_vpc_security_group_egress_rule" "dns_udp" {
  security_group_id            = aws_security_group.this["nodes"].id
  referenced_security_group_id = aws_security_group.this["nodes"].id
  description                  = "CoreDNS over UDP"
  ip_protocol                  = "udp"
  from_port                    = 53
  to_port                      = 53
  tags                         = { Name = "nodes-to-dns-udp" }
}

# The cluster API, image registries and AWS services; HTTPS only.
resource "aws_vpc_security_group_egress_rule" "nodes_https" {
  security_group_id = aws_security_group.this["nodes"].id
  description       = "HTTPS out: cluster API, AWS services, image registries"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = { Name = "nodes-to-https" }
}

resource "aws_vpc_security_group_ingress_rule" "alb" {
  for_each = { for pair in setproduct(var.alb_allowed_cidrs, [80, 443]) : "${pair[0]}-${pair[1]}" => { cidr = pair[0], port = pair[1] } }

  #checkov:skip=CKV_AWS_260:Port 80 answers with a redirect to 443 and nothing else.
  security_group_id = aws_security_group.this["alb"].id
  description       = each.value.port == 80 ? "HTTP, answered with a redirect to HTTPS" : "HTTPS"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  tags              = { Name = "world-to-alb-${each.value.port}" }
}
