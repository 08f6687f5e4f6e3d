output "id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "The VPC's address range."
  value       = aws_vpc.this.cidr_block
}

# A subnet travels with its tier, so that a module can refuse one of the wrong tier at plan time,
# when the id is not known yet.
output "public_subnets" {
  description = "Zone to subnet, tier public."
  value       = { for az, s in aws_subnet.public : az => { id = s.id, tier = "public" } }
}

output "public_cidrs" {
  description = "Where the load balancer's addresses are: the application believes X-Forwarded-For from there (OMS_PROXIES)."
  value       = [for s in aws_subnet.public : s.cidr_block]
}

output "data_cidrs" {
  description = "Where the stores' addresses are, for the network policies of the cluster."
  value       = [for s in aws_subnet.data : s.cidr_block]
}

output "private_subnets" {
  description = "Zone to subnet, tier private."
  value       = { for az, s in aws_subnet.private : az => { id = s.id, tier = "private" } }
}

output "data_subnets" {
  description = "Zone to subnet, tier data."
  value       = { for az, s in aws_subnet.data : az => { id = s.id, tier = "data" } }
}

output "nat_addresses" {
  description = "The addresses that outgoing traffic comes from, for a partner's allow-list."
  value       = [for e in aws_eip.nat : e.public_ip]
}

output "endpoint_security_group_id" {
  description = "Security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}
