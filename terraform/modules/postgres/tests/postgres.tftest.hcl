variables {
  name              = "oms-test"
  subnets           = { a = { id = "subnet-a", tier = "data" }, b = { id = "subnet-b", tier = "data" }, c = { id = "subnet-c", tier = "data" } }
  security_group_id = "sg-1"
  alarm_topic_arns  = ["arn:aws:sns:us-east-1:123456789012:page"]
  kms_key_arns      = { data = "arn:aws:kms:us-east-1:123456789012:key/k", secrets = "arn:aws:kms:us-east-1:123456789012:key/k", logs = "arn:aws:kms:us-east-1:123456789012:key/k" }
  instance_class    = "db.t4g.small"
}

run "a_database_that_fails_over" {
  command = apply

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.backup_retention_period == 14
    error_message = "A standby, protection, a last snapshot, two weeks of recovery."
  }
  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.kms_key_arns.data && !aws_db_instance.this.publicly_accessible
    error_message = "Encrypted, and not on the internet."
  }
  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.master_user_secret_kms_key_id == var.kms_key_arns.secrets && aws_db_instance.this.password == null
    error_message = "AWS keeps the password, under our key."
  }
  assert {
    condition     = one([for p in aws_db_parameter_group.this.parameter : p.value if p.name == "rds.force_ssl"]) == "1" && aws_db_parameter_group.this.family == "postgres17"
    error_message = "TLS is forced."
  }
  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(["postgresql", "upgrade"]) && aws_db_instance.this.performance_insights_enabled && aws_db_instance.this.monitoring_interval == 60
    error_message = "Logged and measured."
  }
}

run "what_the_application_gets" {
  command = apply

  assert {
    condition     = startswith(output.url_template, "postgres://{{ .postgres_username }}:{{ .postgres_password | urlquery }}@") && endswith(output.url_template, ":5432/oms?sslmode=verify-full&sslrootcert=/etc/ssl/rds/global-bundle.pem")
    error_message = "A URL with TLS verified and without a password."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 4 && aws_cloudwatch_metric_alarm.this["disk"].comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.this["disk"].threshold == 3221225472
    error_message = "Four alarms; the disk's at 15 % of 20 GB."
  }
}
