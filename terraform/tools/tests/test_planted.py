"""Mistakes planted into a copy of the tree: each must make the run fail, and say why."""

import dataclasses

import pytest

from tfkit import rules, terraform
from tfkit.check import Checker


def plant(tf: terraform.Terraform, file: str, old: str, new: str) -> None:
    path = tf.folder / file
    text = path.read_text()
    assert old in text, f"{file} no longer holds {old!r}: plant something else"
    path.write_text(text.replace(old, new, 1))


def refusal(tf: terraform.Terraform, *args: str, cwd: str = ".") -> str:
    """What terraform says when it fails, on one line; it must fail."""
    with pytest.raises(terraform.Failed) as refused:
        tf.run(*args, cwd=cwd)
    return " ".join(str(refused.value).replace("│", " ").split())


@dataclasses.dataclass(frozen=True)
class Plant:
    """One mistake, and what is said of it."""

    file: str
    old: str
    new: str
    says: str


SCHEMA_MISTAKES = {
    "a_wrong_attribute": Plant(
        "modules/eks/main.tf", "enabled_cluster_log_types ", "enabled_cluster_log_typez ",
        'unsupported argument "enabled_cluster_log_typez"'),
    "a_missing_required_attribute": Plant(
        "modules/msk/main.tf", "  kafka_version          = var.kafka_version\n", "",
        'missing required argument "kafka_version"'),
    "a_missing_required_block": Plant(
        "modules/eks/nodes.tf", "  scaling_config {", "  scaling_konfig {",
        'missing required block "scaling_config"'),
    "a_read_only_attribute": Plant(
        "modules/alb/main.tf", "  idle_timeout               = var.idle_timeout",
        '  arn_suffix                 = "x"', '"arn_suffix" is read-only'),
    "a_reference_to_nothing": Plant(
        "modules/redis/main.tf", "aws_elasticache_subnet_group.this.name",
        "aws_elasticache_subnet_group.that.name", "reference to undeclared resource"),
}


@pytest.mark.parametrize("name", SCHEMA_MISTAKES)
def test_terraform_and_the_static_checker_both_find(new_tree, schema, name):
    mistake, tf = SCHEMA_MISTAKES[name], new_tree(name)
    plant(tf, mistake.file, mistake.old, mistake.new)
    tf.init()
    assert "Error:" in refusal(tf, "validate", "-no-color")
    checker = Checker(schema)
    checker.folder((tf.folder / mistake.file).parent)
    assert any(mistake.says in error for error in checker.errors)


DEV = ("plan", "-no-color", "-input=false", f"-var-file={terraform.SIZES['dev']}")
PLAN_MISTAKES = {
    "a_public_subnet_for_a_database": Plant(
        "main.tf", 'source = "./modules/documentdb"\n\n  name                = local.name\n'
        "  subnets             = module.vpc.data_subnets",
        'source = "./modules/documentdb"\n\n  name                = local.name\n'
        "  subnets             = module.vpc.public_subnets",
        "subnets must be of tier data: a store is not reachable from the internet"),
    "four_brokers": Plant(
        "main.tf", "brokers               = local.kafka.brokers", "brokers = 4",
        "MSK wants the same number in each of the 3 zones"),
    "two_zones": Plant(
        "main.tf", "azs                   = local.azs", "azs = slice(local.azs, 0, 2)",
        "azs must name at least 3 different zones"),
    "plaintext_kafka": Plant(
        "main.tf", 'kafka_port        = var.kafka_client_authentication == "iam" ? 9098 : 9096',
        "kafka_port        = 9092", "9092 is plaintext"),
    "no_certificate": Plant(
        "main.tf", "certificate_arn     = var.certificate_arn", 'certificate_arn = ""',
        "orders do not travel without TLS"),
    "a_week_of_backups_less_one_day": Plant(
        "modules/documentdb/variables.tf", "default     = 14", "default     = 6",
        "backup_retention_days must be 7-35"),
    "an_illegal_retention": Plant(
        "modules/vpc/flow_logs.tf", "retention_in_days = var.flow_log_retention_days",
        "retention_in_days = 99", "expected retention_in_days to be one of"),
    "overlapping_subnets": Plant(
        "main.tf", "azs                   = local.azs",
        'azs                   = local.azs\n  public_subnets = ["10.20.0.0/22", "10.20.100.0/22", '
        '"10.20.104.0/22"]', "These subnets overlap: 10.20.0.0/19 and 10.20.0.0/22"),
}


@pytest.mark.parametrize("name", PLAN_MISTAKES)
def test_the_plan_is_refused_for(new_tree, name):
    mistake, tf = PLAN_MISTAKES[name], new_tree(name)
    plant(tf, mistake.file, mistake.old, mistake.new)
    tf.init()
    assert mistake.says in refusal(tf, *DEV)


# What is legal terraform, plans well, and is wrong.
SILENT_MISTAKES = {
    "an open security group": Plant(
        "modules/security_groups/main.tf",
        "  referenced_security_group_id = aws_security_group.this[each.value.from].id",
        '  cidr_ipv4 = "0.0.0.0/0"', "open to the world on 5432-5432"),
    "an unencrypted notification topic": Plant(
        "modules/observability/main.tf", "  kms_master_key_id = var.kms_key_arns.notifications\n",
        "", "kms_master_key_id is null"),
    "kafka topics in the clear": Plant(
        "modules/msk/main.tf", 'client_broker = "TLS"', 'client_broker = "TLS_PLAINTEXT"',
        'client_broker is "TLS_PLAINTEXT"'),
    "a data tier with a way out": Plant(
        "modules/vpc/main.tf", "  route_table_id = aws_route_table.data.id",
        "  route_table_id = aws_route_table.public.id", "has a route out of the VPC"),
    "a public database": Plant(
        "modules/postgres/main.tf", "publicly_accessible    = false",
        "publicly_accessible    = true", "publicly_accessible is true"),
    "an alarm for nobody": Plant(
        "modules/postgres/alarms.tf", "  alarm_actions       = var.alarm_topic_arns\n", "",
        "notifies no topic of ours"),
    "a topic that forgets": Plant(
        "modules/msk/main.tf", "replication = 3", "replication = 1",
        "replication factor 3 and min ISR 2"),
}
# The module whose own tests must fail too.
OWN_TESTS = ["security_groups", "observability", "msk", "postgres"]


@pytest.fixture(scope="module")
def silent(new_tree):
    """One copy with all of them, applied."""
    tf = new_tree("silent")
    for mistake in SILENT_MISTAKES.values():
        plant(tf, mistake.file, mistake.old, mistake.new)
    tf.init()
    tf.plan("dev")
    return tf, terraform.resources(tf.apply("dev"))


@pytest.mark.parametrize("name", SILENT_MISTAKES)
def test_our_rules_find(silent, name):
    _, state = silent
    assert any(SILENT_MISTAKES[name].says in found for found in rules.broken(state))


@pytest.mark.parametrize("module", OWN_TESTS)
def test_the_modules_own_tests_fail(silent, module):
    tf, _ = silent
    tf.init(f"modules/{module}")
    out = refusal(tf, "test", "-no-color", f"-filter=tests/{module}.tftest.hcl",
                  cwd=f"modules/{module}")
    assert "Test assertion failed" in out


def test_checkov_finds_them_too(silent, checkov):
    tf, _ = silent
    report, *_ = checkov("-d", ".", "--framework", "terraform", "--check",
                         "CKV_AWS_26,CKV_AWS_17,CKV_AWS_81", cwd=tf.folder)
    failed = {f["check_id"] for f in report["results"]["failed_checks"]}
    assert failed == {"CKV_AWS_26", "CKV_AWS_17", "CKV_AWS_81"}
