"""Each rule bites: a good state, one value turned bad, and the rule says so."""

import copy

import pytest

from tfkit import rules
from tfkit.terraform import resources


@pytest.fixture
def state(run_of):
    return copy.deepcopy(resources(run_of("prod").state))


def the(state: list[dict], rtype: str, name: str = "") -> dict:
    return next(r["values"] for r in state if r["type"] == rtype and name in r["address"])


def put(values: dict, path: str, new: object) -> None:
    *steps, last = path.split(".")
    for step in steps:
        values = values[int(step)] if isinstance(values, list) else values[step]
    values[last] = new


BAD = [(kind, rtype, path, table) for kind, table in (
    ("encrypted", rules.ENCRYPTED), ("private", rules.PRIVATE), ("protected", rules.PROTECTED))
    for rtype, wants in table.items() for path, _ in wants]


@pytest.mark.parametrize(("kind", "rtype", "path"), [x[:3] for x in BAD],
                         ids=[f"{x[1]}.{x[2]}" for x in BAD])
def test_a_turned_value_is_found(state, kind, rtype, path):
    values = the(state, rtype)
    wanted = next(w for p, w in {k: t for k, _, _, t in BAD}[kind][rtype] if p == path)
    put(values, path, (not wanted) if isinstance(wanted, bool) else "")
    found = rules.broken(state, [getattr(rules, kind)])
    assert len(found) == 1 and path in found[0] and rtype in found[0]


@pytest.mark.parametrize("rtype", [
    "aws_s3_bucket_public_access_block", "aws_s3_bucket_versioning",
    "aws_s3_bucket_server_side_encryption_configuration"])
def test_a_bucket_left_alone_is_found(state, rtype):
    state.remove(next(r for r in state if r["type"] == rtype))
    assert len(rules.broken(state)) == 1


def test_an_open_cluster_api_is_found(state):
    vpc = the(state, "aws_eks_cluster")["vpc_config"][0]
    vpc |= {"endpoint_public_access": True, "public_access_cidrs": ["0.0.0.0/0"]}
    assert "open to the world" in rules.broken(state)[0]


@pytest.mark.parametrize("cidr", [{"cidr_ipv4": "0.0.0.0/0"}, {"cidr_ipv6": "::/0"}])
def test_an_open_group_is_found(state, cidr):
    the(state, "aws_vpc_security_group_ingress_rule", "nodes-to-postgres").update(cidr)
    assert rules.broken(state)[0].endswith("open to the world on 5432-5432")


def test_another_port_of_the_load_balancer_is_found(state):
    the(state, "aws_vpc_security_group_ingress_rule", ".alb[").update(from_port=22, to_port=22)
    assert len(rules.broken(state)) == 1


def test_a_rule_without_a_reason_is_found(state):
    the(state, "aws_vpc_security_group_ingress_rule", "nodes-to-redis")["description"] = ""
    assert "says why" in rules.broken(state)[0]


@pytest.mark.parametrize("store", sorted(rules.STORE_SUBNETS))
def test_a_store_in_a_public_subnet_is_found(state, store):
    public = the(state, "aws_subnet", ".public[")["id"]
    put(the(state, store), rules.STORE_SUBNETS[store], [public])
    found = rules.broken(state)
    assert any("tier public" in x for x in found) and any("route out" in x for x in found)


def test_a_data_subnet_with_a_way_out_is_found(state):
    way_out = the(state, "aws_route", ".internet")["route_table_id"]
    the(state, "aws_route_table_association", ".data[")["route_table_id"] = way_out
    assert all("has a route out of the VPC" in x for x in rules.broken(state))
    assert len(rules.broken(state)) == 4


def test_a_topic_that_may_forget_is_found(state):
    the(state, "aws_msk_topic")["replication_factor"] = 2
    assert len(rules.broken(state)) == 1


def test_an_alarm_for_nobody_is_found(state):
    the(state, "aws_cloudwatch_metric_alarm")["alarm_actions"] = []
    assert "notifies no topic" in rules.broken(state)[0]


def test_a_missing_tag_is_found(state):
    del the(state, "aws_msk_cluster")["tags_all"]["Environment"]
    assert "lacks the tags Environment" in rules.broken(state)[0]
