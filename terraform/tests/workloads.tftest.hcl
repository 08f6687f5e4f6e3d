# Least privilege, read from the policies as AWS would see them.

variables {
  environment          = "dev"
  size                 = "dev"
  hosts                = ["oms.example.com"]
  certificate_arn      = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
  admin_principal_arns = ["arn:aws:iam::111122223333:role/oms-admin"]
  page_emails          = ["oncall@example.com"]
  github_repository    = "example/crypto-oms"
}

run "least_privilege" {
  command = apply

  assert {
    condition     = toset(keys(output.role_arns)) == toset(["web", "engine", "marketdata", "projector", "worker", "tools", "external-secrets", "aws-load-balancer-controller", "cluster-autoscaler", "fluent-bit", "alertmanager"])
    error_message = "Who talks to AWS has a role; pusher, beat and the migration do not."
  }
  assert {
    condition     = length(distinct(values(output.role_arns))) == length(output.role_arns)
    error_message = "No role is shared."
  }

  assert {
    condition = { for topic in ["oms.commands", "oms.events", "oms.venue", "oms.prices"] : topic => join(" ", sort([
      for name, d in data.aws_iam_policy_document.workload : name
      if anytrue([for s in jsondecode(d.json).Statement : contains(flatten([s.Action]), "kafka-cluster:WriteData") && anytrue([for r in flatten([s.Resource]) : endswith(r, "/${topic}")])])
      ])) } == {
      "oms.commands" = "engine marketdata tools web worker"
      "oms.events"   = "engine"
      "oms.venue"    = ""
      "oms.prices"   = "marketdata"
    }
    error_message = "Only the engine decides, only market data prices; everything else is a command."
  }
  assert {
    condition = alltrue([for name, d in data.aws_iam_policy_document.workload : alltrue([for s in jsondecode(d.json).Statement :
    !anytrue([for r in flatten([s.Resource]) : endswith(r, "/*") && strcontains(r, ":topic/")])])])
    error_message = "No role reaches all topics."
  }
  assert {
    condition = alltrue([for name, d in data.aws_iam_policy_document.workload : alltrue([for s in jsondecode(d.json).Statement :
    s.Resource != "*" || alltrue([for a in flatten([s.Action]) : can(regex(":(Describe|Get)", a))])])])
    error_message = "Resource * is for Describe and Get calls."
  }

  assert {
    condition     = alltrue([for url in values(output.app_env) : !strcontains(url, "@")])
    error_message = "URLs carry no credentials: a ConfigMap is not a secret."
  }
  assert {
    condition     = alltrue([for t in values(output.secret_env) : strcontains(t, "{{ .")])
    error_message = "What holds a password is a template."
  }
}

run "scram_needs_no_kafka_in_iam" {
  command = plan
  variables {
    kafka_client_authentication = "scram"
    kafka_scram_secret_arns     = ["arn:aws:secretsmanager:us-east-1:111122223333:secret:AmazonMSK_oms-a1b2c3"]
  }

  assert {
    condition     = length(data.aws_iam_policy_document.kafka) == 0 && strcontains(output.secret_env.LOG_URL, "{{ .kafka_password | urlquery }}@") && output.kafka.authentication == "scram"
    error_message = "With SCRAM the broker asks for a password, not for a role."
  }
}
