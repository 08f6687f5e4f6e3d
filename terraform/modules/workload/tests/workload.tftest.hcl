variables {
  name            = "oms-test-engine"
  cluster_name    = "oms-test"
  namespace       = "oms"
  service_account = "engine"
  policy_json     = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = "arn:aws:s3:::b/*" }] })
}

run "one_service_account_one_role" {
  command = apply

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:RequestTag/kubernetes-namespace"       = ["oms"]
      "aws:RequestTag/kubernetes-service-account" = ["engine"]
    }
    error_message = "The role is for pods of oms/engine."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Service = ["pods.eks.amazonaws.com"] }
    error_message = "EKS Pod Identity, nobody else."
  }
  assert {
    condition     = aws_eks_pod_identity_association.this.role_arn == aws_iam_role.this.arn && aws_eks_pod_identity_association.this.service_account == "engine"
    error_message = "The association binds the two."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[0].Action == ["s3:GetObject"]
    error_message = "The policy is the one given."
  }
}
