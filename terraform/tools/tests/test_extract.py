"""The schema that comes out of the bindings, held against what the provider documents."""

import re

import pytest

from tfkit.terraform import SOURCE


@pytest.fixture(scope="module")
def types(schema):
    return schema["provider_schemas"]["registry.terraform.io/hashicorp/aws"]


def block(types, rtype, *path):
    found = types["resource_schemas"][rtype]["block"]
    for step in path:
        found = found["block_types"][step]["block"]
    return found


def test_it_is_the_version_we_pin(schema):
    minimum = re.search(r'version = "~> (\d+)\.(\d+)"', (SOURCE / "versions.tf").read_text())
    major, minor = map(int, minimum.groups())
    have = tuple(map(int, schema["provider_version"].split(".")))
    assert have[0] == major and have[1] >= minor


def test_every_type_we_use_is_there(types):
    used = set()
    for file in [*SOURCE.glob("*.tf"), *SOURCE.glob("modules/*/*.tf")]:
        used |= set(re.findall(r'(?m)^resource "(aws_\w+)"', file.read_text()))
    assert len(used) > 60
    assert used - set(types["resource_schemas"]) == set()


@pytest.mark.parametrize(("rtype", "path", "name", "expected"), [
    ("aws_msk_cluster", (), "kafka_version", {"type": "string", "required": True}),
    ("aws_msk_cluster", (), "arn", {"type": "string", "computed": True}),
    ("aws_msk_cluster", ("broker_node_group_info",), "client_subnets",
     {"type": ["set", "string"], "required": True}),
    ("aws_eks_cluster", (), "deletion_protection",
     {"type": "bool", "computed": True, "optional": True}),
    ("aws_docdb_cluster", (), "manage_master_user_password", {"type": "bool", "optional": True}),
    ("aws_lb", (), "idle_timeout", {"type": "number", "optional": True}),
    ("aws_sns_topic", (), "tags",
     {"type": ["map", "string"], "optional": True}),
])
def test_an_attribute(types, rtype, path, name, expected):
    assert block(types, rtype, *path)["attributes"][name] == expected


@pytest.mark.parametrize(("rtype", "path", "name", "mode", "least", "most"), [
    ("aws_eks_cluster", (), "vpc_config", "list", 1, 1),
    ("aws_eks_node_group", (), "taint", "set", None, None),
    ("aws_msk_cluster", ("encryption_info",), "encryption_in_transit", "list", None, 1),
    ("aws_wafv2_web_acl", ("rule",), "statement", "list", 1, 1),
])
def test_a_block(types, rtype, path, name, mode, least, most):
    found = block(types, rtype, *path)["block_types"][name]
    assert (found["nesting_mode"], found.get("min_items"), found.get("max_items")) == \
        (mode, least, most)


def test_passwords_are_sensitive_and_write_only(types):
    group = block(types, "aws_elasticache_replication_group")["attributes"]
    assert group["auth_token_wo"]["write_only"] and group["auth_token_wo"]["sensitive"]
    password = types["ephemeral_resource_schemas"]["aws_secretsmanager_random_password"]
    assert password["block"]["attributes"]["random_password"]["sensitive"]
