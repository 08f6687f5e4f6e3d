"""The stand-in provider: the real terraform takes it for hashicorp/aws, and it is not too kind."""

import os
import shutil
import subprocess

import pytest

from tfkit import legal, provider, terraform

HEAD = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { Project = "x" }
  }
}
"""
QUEUE = """
data "aws_iam_policy_document" "p" {
  statement {
    actions   = ["sns:Subscribe", "sns:Publish"]
    resources = ["arn:aws:sns:eu-central-1:123456789012:page"]
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["123456789012"]
    }
  }
}

resource "aws_sns_topic" "page" {
  name = "page"
  tags = { Own = "y" }
}

resource "aws_sns_topic_policy" "page" {
  arn    = aws_sns_topic.page.arn
  policy = data.aws_iam_policy_document.p.json
}
"""


@pytest.fixture
def work(tmp_path, socket):
    """terraform in an empty folder, given a text."""
    (tmp_path / "source").mkdir()

    def make(text: str) -> terraform.Terraform:
        (tmp_path / "source/main.tf").write_text(HEAD + text)
        made = terraform.Terraform(tmp_path / "work", socket, tmp_path / "source")
        made.init()
        return made
    return make


def state(tf: terraform.Terraform) -> dict[str, dict]:
    tf.run("apply", "-auto-approve", "-no-color", "-state=x.tfstate")
    return {r["address"]: r["values"] for r in terraform.resources(tf.show("x.tfstate"))}


def test_apply_invents_what_the_cloud_would(work):
    got = state(work(QUEUE))
    assert got["aws_sns_topic.page"]["arn"] == "arn:aws:sns:us-east-1:123456789012:page"
    assert got["aws_sns_topic.page"]["tags_all"] == {"Project": "x", "Own": "y"}


def test_a_policy_document_is_rendered(work):
    text = state(work(QUEUE))["aws_sns_topic_policy.page"]["policy"]
    assert '"Action": [\n        "sns:Publish",\n        "sns:Subscribe"' in text
    assert '"aws:SourceAccount": [\n            "123456789012"' in text


def test_a_change_is_planned_and_the_rest_left_alone(work):
    tf = work(QUEUE)
    state(tf)
    main = tf.folder / "main.tf"
    main.write_text(main.read_text().replace('Own = "y"', 'Own = "z"'))
    out = tf.run("plan", "-no-color", "-state=x.tfstate")
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in out


@pytest.mark.parametrize(("text", "message"), [
    ('resource "aws_sns_topic" "t" {\n  arn = "x"\n}', "its value is decided by the provider"),
    ('resource "aws_sns_topic" "t" {\n  nam = "x"\n}', 'An argument named "nam"'),
    ('resource "aws_msk_configuration" "t" {\n  name = "x"\n}', '"server_properties" is required'),
    ('resource "aws_cloudwatch_log_group" "t" {\n  retention_in_days = 100\n}',
     "expected retention_in_days to be one of"),
    ('resource "aws_lb_target_group" "t" {\n  target_type = "pod"\n}',
     "expected target_type to be one of [instance, ip, lambda, alb]"),
    ('resource "aws_eks_node_group" "t" {\n  cluster_name = "c"\n  node_role_arn = "r"\n'
     '  subnet_ids = ["s"]\n  ami_type = "AL1904"\n  scaling_config {\n    desired_size = 1\n'
     '    max_size = 1\n    min_size = 1\n  }\n}', "expected ami_type to be one of"),
    ('output "x" {\n  value = aws_sns_topic.nowhere.arn\n}', "undeclared resource"),
])
def test_what_the_real_one_refuses_is_refused(work, text, message):
    with pytest.raises(terraform.Failed) as refused:
        work(text).run("validate", "-no-color")
    # terraform wraps its lines
    assert message in " ".join(str(refused.value).replace("│", " ").split())


def test_the_lists_are_the_services_own():
    lists = legal.lists()
    assert "AL2023_ARM_64_STANDARD" in lists["aws_eks_node_group.ami_type"]
    assert len(lists["aws_eks_node_group.instance_types"]) > 1000
    assert lists["aws_msk_cluster.encryption_info.encryption_in_transit.client_broker"] == \
        ["TLS", "TLS_PLAINTEXT", "PLAINTEXT"]


def test_every_list_is_of_an_attribute_that_exists(schema):
    types = next(iter(schema["provider_schemas"].values()))["resource_schemas"]
    for path in [*legal.SHAPES, *legal.LISTS]:
        rtype, *steps = path.split(".")
        if rtype not in types:
            continue
        block = types[rtype]["block"]
        for step in steps[:-1]:
            block = block["block_types"][step]["block"]
        assert steps[-1] in block["attributes"], path


def test_terraform_starts_it_itself_from_a_mirror(tmp_path, schema_file):
    """init with our lock file, the launcher, go-plugin's handshake and mutual TLS, validate."""
    config = provider.mirror(schema_file, tmp_path / "mirror")
    for name in (".terraform.lock.hcl", "versions.tf"):
        shutil.copy(terraform.SOURCE / name, tmp_path)
    (tmp_path / "versions.tf").write_text(HEAD + QUEUE)
    env = os.environ | {"TF_CLI_CONFIG_FILE": str(config), "CHECKPOINT_DISABLE": "1",
                        "PYTHONPATH": str(terraform.TOOLS)}
    env.pop("TF_REATTACH_PROVIDERS", None)
    for args in (["init", "-no-color"], ["validate", "-no-color"]):
        done = subprocess.run([*terraform.command(), *args], cwd=tmp_path, env=env, check=False,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    lock = (tmp_path / ".terraform.lock.hcl").read_text()
    assert "h1:" in lock, "init records what it installed in a lock file that had no hashes"
