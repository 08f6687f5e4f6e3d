"""The static checker: nothing to say about our tree, and something about every planted mistake."""

import pytest

from tfkit.check import Checker
from tfkit.terraform import SOURCE

GOOD = """
resource "aws_sns_topic" "page" {
  name = "page"
}

resource "aws_msk_cluster" "main" {
  cluster_name           = "main"
  kafka_version          = "3.8.x"
  number_of_broker_nodes = 3

  broker_node_group_info {
    client_subnets  = ["a"]
    instance_type   = "kafka.m7g.large"
    security_groups = ["b"]
  }
}
"""


def said(schema, folder, text):
    (folder / "main.tf").write_text(text)
    checker = Checker(schema)
    checker.folder(folder)
    return "\n".join(checker.errors)


def test_our_tree_is_clean(schema, figures):
    checker = Checker(schema)
    checker.tree(SOURCE)
    assert checker.errors == []
    assert checker.counts["resource"] > 100 and checker.counts["arguments"] > 900
    figures["static checker"] = ", ".join(f"{n} {what}" for what, n in checker.counts.items())


def test_a_good_file_is_clean(schema, tmp_path):
    assert said(schema, tmp_path, GOOD) == ""


@pytest.mark.parametrize(("old", "new", "message"), [
    ("kafka_version  ", "kafka_versions ", 'unsupported argument "kafka_versions" (did you mean'),
    ('  kafka_version          = "3.8.x"\n', "", 'missing required argument "kafka_version"'),
    ('    instance_type   = "kafka.m7g.large"\n', "", 'missing required argument "instance_type"'),
    ("aws_msk_cluster", "aws_msk_clusters", "no such resource type in the provider"),
    ('name = "page"', 'name = "page"\n  arn = "x"', '"arn" is read-only'),
    ("number_of_broker_nodes = 3", 'number_of_broker_nodes = "many"', "wants a number"),
    ('client_subnets  = ["a"]', 'client_subnets  = "a"', "wants set, got a string"),
    ('cluster_name           = "main"', 'cluster_name           = ["main"]', "got a list"),
    ("broker_node_group_info {", "broker_node_group_info = {", "is a block, written as"),
    ('name = "page"', "name = aws_sns_topic.other.arn", "reference to undeclared resource"),
    ('["b"]', "[aws_sns_topic.page.arnn]", 'reference to unknown attribute "arnn"'),
    ('name = "page"', 'name = "page"\n  tags {\n    a = "b"\n  }', "written as a block"),
    ('name = "page"', 'name = "page', "does not parse"),
    ('  name = "page"', '  dynamic "rule" {\n    for_each = []\n    content {}\n  }',
     'dynamic block "rule" is not a block here'),
])
def test_a_planted_mistake_is_found(schema, tmp_path, old, new, message):
    assert old in GOOD
    assert message in said(schema, tmp_path, GOOD.replace(old, new, 1))


def test_a_missing_block_is_found(schema, tmp_path):
    start = GOOD.index("  broker_node_group_info")
    assert 'missing required block "broker_node_group_info"' in said(
        schema, tmp_path, GOOD[:start] + "}\n")
