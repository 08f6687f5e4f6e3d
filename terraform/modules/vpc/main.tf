# Three tiers a zone. public: the load balancer and NAT. private: nodes and pods, out through NAT.
# data: brokers and stores, with no route out at all.

data "aws_region" "current" {}

locals {
  count = length(var.azs)
  # /16: private /19 (pods need the addresses), public and data /22.
  newbits = concat([for az in var.azs : "3"], [for az in var.azs : "6"], [for az in var.azs : "6"])
  carved  = cidrsubnets(var.cidr, local.newbits...)
  private = coalesce(var.private_subnets, slice(local.carved, 0, local.count))
  public  = coalesce(var.public_subnets, slice(local.carved, local.count, 2 * local.count))
  data    = coalesce(var.data_subnets, slice(local.carved, 2 * local.count, 3 * local.count))

  # Every range as (first, last) integers, the VPC's own included: overlap is arithmetic.
  all = concat(local.private, local.public, local.data)
  ranges = { for c in distinct(concat([var.cidr], local.all)) : c => {
    first = sum([for i, octet in split(".", cidrhost(c, 0)) : tonumber(octet) * pow(256, 3 - i)])
    last  = sum([for i, octet in split(".", cidrhost(c, -1)) : tonumber(octet) * pow(256, 3 - i)])
  } }
  outside = [for c in local.all : c
  if local.ranges[c].first < local.ranges[var.cidr].first || local.ranges[c].last > local.ranges[var.cidr].last]
  overlapping = [for pair in setproduct(range(length(local.all)), range(length(local.all))) :
    "${local.all[pair[0]]} and ${local.all[pair[1]]}"
    if pair[0] < pair[1]
    && local.ranges[local.all[pair[0]]].first <= local.ranges[local.all[pair[1]]].last
    && local.ranges[local.all[pair[1]]].first <= local.ranges[local.all[pair[0]]].last
  ]

  nat_azs      = var.nat_per_az ? var.azs : slice(var.azs, 0, 1)
  endpoint_azs = var.endpoints_in_every_az ? var.azs : slice(var.azs, 0, 1)
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # private DNS of the endpoints needs it
  tags                 = { Name = var.name }

  lifecycle {
    precondition {
      condition     = length(local.public) == local.count && length(local.private) == local.count && length(local.data) == local.count
      error_message = "Give one public, one private and one data subnet for each of the ${local.count} zones (or none, and they are carved out of ${var.cidr})."
    }
    precondition {
      condition     = length(local.outside) == 0
      error_message = "These subnets are outside the VPC ${var.cidr}: ${join(", ", local.outside)}. Choose ranges inside it."
    }
    precondition {
      condition     = length(local.overlapping) == 0
      error_message = "These subnets overlap: ${join("; ", local.overlapping)}. Choose disjoint ranges."
    }
  }
}

# AWS's default group lets its members talk to each other and out. Taken over and emptied, so that
# a resource that names no group gets no network instead of a hidden one.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-default-empty" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = toset(var.azs)

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = local.public[index(var.azs, each.key)]
  map_public_ip_on_launch = false # the load balancer and NAT bring their own addresses
  tags = {
    Name                     = "${var.name}-public-${each.key}"
    Tier                     = "public"
    "kubernetes.io/role/elb" = "1"
  }
}

resource "aws_subnet" "private" {
  for_each = toset(var.azs)

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = local.private[index(var.azs, each.key)]
  tags = {
    Name                              = "${var.name}-private-${each.key}"
    Tier                              = "private"
    "kubernetes.io/role/internal-elb" = "1"
  }
}

resource "aws_subnet" "data" {
  for_each = toset(var.azs)

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = local.data[index(var.azs, each.key)]
  tags = {
    Name = "${var.name}-data-${each.key}"
    Tier = "data"
  }
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_azs)

  domain = "vpc"
  tags   = { Name = "${var.name}-nat-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_azs)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = { Name = "${var.name}-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = toset(var.azs)

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  for_each = toset(var.azs)

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = toset(var.azs)

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.nat_per_az ? each.key : var.azs[0]].id
}

resource "aws_route_table_association" "private" {
  for_each = toset(var.azs)

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# The data tier knows the VPC, and no way out.
resource "aws_route_table" "data" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-data" }
}

resource "aws_route_table_association" "data" {
  for_each = toset(var.azs)

  subnet_id      = aws_subnet.data[each.key].id
  route_table_id = aws_route_table.data.id
}

# A second lock on the data tier: whatever the security groups say, nothing from outside the VPC.
resource "aws_network_acl" "data" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = [for s in aws_subnet.data : s.id]
  tags       = { Name = "${var.name}-data" }

  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    cidr_block = var.cidr
    from_port  = 1024 # stores listen and answer above it; 22 and 3389 are below or refused next
    to_port    = 65535
  }

  egress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    cidr_block = var.cidr
    from_port  = 1024
    to_port    = 65535
  }
}
