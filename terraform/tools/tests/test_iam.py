"""IAM through parliament: every action exists, and identity policies are sound."""

import json

import parliament
import pytest

from tfkit.terraform import resources

IDENTITY = {"aws_iam_role_policy": "policy"}
OTHERS = {"aws_iam_role": "assume_role_policy", "aws_kms_key": "policy",
          "aws_s3_bucket_policy": "policy", "aws_sns_topic_policy": "policy"}


def policies(state: list[dict], kinds: dict[str, str]) -> list[tuple[str, str]]:
    return [(r["address"], r["values"][kinds[r["type"]]]) for r in state if r["type"] in kinds]


def unknown_actions(text: str) -> list[str]:
    out = []
    for statement in json.loads(text)["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            try:
                parliament.expand_action(action)
            except Exception:
                out.append(action)
    return out


@pytest.fixture(scope="module")
def state(run_of):
    return resources(run_of("prod").state)


def test_parliament_finds_nothing_in_identity_policies(state, figures):
    found, seen = [], policies(state, IDENTITY)
    for address, text in seen:
        found += [f"{address}: {f}" for f in parliament.analyze_policy_string(text).findings]
    assert found == []
    assert len(seen) >= 14
    figures["parliament"] = f"{len(seen)} identity policies without a finding"


def test_every_action_of_every_policy_exists(state):
    seen = policies(state, IDENTITY | OTHERS)
    assert {a: unknown_actions(t) for a, t in seen if unknown_actions(t)} == {}
    assert len(seen) >= 40


def test_a_misspelt_action_is_found():
    document = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["kafka-cluster:Connekt"], "Resource": "*"}]}
    text = json.dumps(document)
    assert parliament.analyze_policy_string(text).findings
    assert unknown_actions(text) == ["kafka-cluster:Connekt"]


def test_nobody_is_trusted_by_name_alone(state):
    """A trust policy names a service, or GitHub with its repository and environment."""
    for address, text in policies(state, {"aws_iam_role": "assume_role_policy"}):
        for statement in json.loads(text)["Statement"]:
            principal = statement["Principal"]
            assert principal != "*" and "AWS" not in principal, address
            if "Federated" in principal:
                equals = statement["Condition"]["StringEquals"]
                assert equals["token.actions.githubusercontent.com:sub"] in (
                    ["repo:example/crypto-oms:environment:prod"],
                    ["repo:example/crypto-oms:environment:prod-plan"])
