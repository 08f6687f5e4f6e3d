variables {
  name              = "oms-test"
  subnets           = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" }, c = { id = "subnet-c", tier = "data" } }
  security_group_id = "sg-1"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
  kms_key_arns      = { data = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  instance_class    = "db.r6g.large"
}

run "an_order_store_that_survives" {
  command = apply

  assert {
    condition     = length(aws_docdb_cluster_instance.this) == 2 && length(distinct([for i in aws_docdb_cluster_instance.this : i.availability_zone])) == 2
    error_message = "Two instances in two zones."
  }
  assert {
    condition     = aws_docdb_cluster.this.deletion_protection && !aws_docdb_cluster.this.skip_final_snapshot && aws_docdb_cluster.this.backup_retention_period == 14
    error_message = "Protected, with a last snapshot and two weeks of recovery."
  }
  assert {
    condition     = aws_docdb_cluster.this.storage_encrypted && aws_docdb_cluster.this.kms_key_id == var.kms_key_arns.data
    error_message = "Encrypted with our key."
  }
  assert {
    condition     = aws_docdb_cluster.this.manage_master_user_password && aws_docdb_cluster.this.master_password == null
    error_message = "AWS keeps the password."
  }
}

run "tls_audit_and_profiler" {
  command = apply

  assert {
    condition = { for p in aws_docdb_cluster_parameter_group.this.parameter : p.name => p.value } == {
      tls = "enabled", audit_logs = "enabled", profiler = "enabled", profiler_threshold_ms = "100", ttl_monitor = "enabled"
    }
    error_message = "TLS, audit, profiler, TTL."
  }
  assert {
    condition     = tolist(aws_docdb_cluster.this.enabled_cloudwatch_logs_exports) == tolist(["audit", "profiler"]) && alltrue([for g in values(aws_cloudwatch_log_group.this) : g.kms_key_id == var.kms_key_arns.logs])
    error_message = "Both logs exported, encrypted."
  }
  assert {
    condition     = aws_docdb_cluster_parameter_group.this.family == "docdb5.0"
    error_message = "The parameter family follows the engine."
  }
}

run "what_the_application_gets" {
  command = apply

  assert {
    condition     = startswith(output.url_template, "mongodb://{{ .documentdb_username }}:{{ .documentdb_password | urlquery }}@") && strcontains(output.url_template, ":27017/oms?authSource=admin&tls=true&tlsCAFile=/etc/ssl/rds/global-bundle.pem&replicaSet=rs0&") && strcontains(output.url_template, "retryWrites=false")
    error_message = "A URL with TLS, without retryWrites (5.0 has none) and without a password."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 5
    error_message = "CPU, connections, lag, latency, memory."
  }
}

run "io_optimized" {
  command = apply
  variables {
    storage_type = "iopt1"
    instances    = 3
  }

  assert {
    condition     = aws_docdb_cluster.this.storage_type == "iopt1" && length(distinct([for i in aws_docdb_cluster_instance.this : i.availability_zone])) == 3
    error_message = "Three zones, I/O included."
  }
}
