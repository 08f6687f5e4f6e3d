# Sized for 50,000 orders a second. An estimate from published limits, not a load test in AWS; see
# docs/infrastructure.md before paying for it. Replace what is marked.
environment = "peak"
size        = "peak"
region      = "us-east-1"
vpc_cidr    = "10.40.0.0/16"

hosts                = ["oms.example.com"]                                                                   # replace
certificate_arn      = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000" # replace
admin_principal_arns = ["arn:aws:iam::111122223333:role/oms-admin"]                                          # replace
page_emails          = ["oms-oncall@example.com"]                                                            # replace
ticket_emails        = ["oms-team@example.com"]                                                              # replace
github_repository    = "example/crypto-oms"                                                                  # replace
tags                 = { CostCentre = "trading-desk" }
