# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name                   = "oms-test"
  subnets                = { a = { id = "subnet-a", tier = "private" }, b = { id = "subnet-b", tier = "private" }, c = { id = "subnet-c", tier = "private" } }
  node_security_group_id = "sg-1"
  kms_key_arns           = { secrets = "arn:aws:kms:us-east-1:123456789012:key/k", volumes = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  node_groups            = { general = { instance_types = ["m7g.large"], min = 2, max = 4, desired = 2 } }
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_an_old_kubernetes" {
  command = plan
  variables {
    kubernetes_version = "1.29"
  }
  expect_failures = [var.kubernetes_version]
}

run "refuses_nodes_in_two_zones" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "private" }, b = { id = "subnet-b", tier = "private" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_nodes_in_public_subnets" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", tier = "public" }, b = { id = "subnet-b", tier = "public" }, c = { id = "subnet-c", tier = "public" } }
  }
  expect_failures = [var.subnets]
}

run "refuses_a_cluster_api_for_the_world" {
  command = plan
  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.public_access_cidrs]
}

run "refuses_a_cluster_api_for_half_the_world" {
  command = plan
  variables {
    public_access_cidrs = ["128.0.0.0/1"]
  }
  expect_failures = [var.public_access_cidrs]
}

run "refuses_secrets_in_the_clear" {
  command = plan
  variables {
    kms_key_arns = { secrets = "", volumes = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }
  expect_failures = [var.kms_key_arns]
}

run "refuses_an_audit_log_for_a_day" {
  command = plan
  variables {
    log_retention_days = 1
  }
  expect_failures = [var.log_retention_days]
}

run "refuses_no_nodes" {
  command = plan
  variables {
    node_groups = {}
  }
  expect_failures = [var.node_groups]
}

run "refuses_less_wanted_than_the_minimum" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7g.large"], ami_type = "AL2023_ARM_64_STANDARD", capacity_type = "ON_DEMAND", min = 3, max = 4, desired = 2, disk_gb = 40 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_disk_too_small_for_images" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7g.large"], ami_type = "AL2023_ARM_64_STANDARD", capacity_type = "ON_DEMAND", min = 2, max = 4, desired = 2, disk_gb = 8 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_an_unknown_way_to_pay" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m7g.large"], ami_type = "AL2023_ARM_64_STANDARD", capacity_type = "RESERVED", min = 2, max = 4, desired = 2, disk_gb = 40 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_an_arm_image_on_intel" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["m6i.large"], ami_type = "AL2023_ARM_64_STANDARD", capacity_type = "ON_DEMAND", min = 2, max = 4, desired = 2, disk_gb = 40 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_access_for_a_name" {
  command = plan
  variables {
    access = { me = { principal_arn = "alice", policy = "AmazonEKSViewPolicy" } }
  }
  expect_failures = [var.access]
}

run "refuses_an_unknown_access_policy" {
  command = plan
  variables {
    access = { me = { principal_arn = "arn:aws:iam::123456789012:role/a", policy = "AdministratorAccess" } }
  }
  expect_failures = [var.access]
}

run "refuses_an_unknown_addon" {
  command = plan
  variables {
    addon_versions = { istio = "v1" }
  }
  expect_failures = [var.addon_versions]
}
