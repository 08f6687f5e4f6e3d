"""The bill follows the plan, and nothing is silently free."""

import copy

import pytest

from tfkit import cost
from tfkit.terraform import resources


@pytest.fixture
def plan(run_of):
    return copy.deepcopy(run_of("dev").plan)


def the(plan: dict, rtype: str) -> dict:
    return next(r["values"] for r in resources(plan) if r["type"] == rtype)


def test_more_brokers_cost_more(plan):
    before = cost.total(cost.bill("dev", plan))
    the(plan, "aws_msk_cluster")["number_of_broker_nodes"] = 6
    added = 3 * (0.0456 * 730 + 40 * 0.10)
    assert cost.total(cost.bill("dev", plan)) == pytest.approx(before + added, abs=0.02)


def test_a_standby_costs_as_much_as_the_first(plan):
    before = cost.total(cost.bill("dev", plan))
    the(plan, "aws_db_instance")["multi_az"] = True
    added = 0.016 * 730 + 20 * 0.115
    assert cost.total(cost.bill("dev", plan)) == pytest.approx(before + added, abs=0.02)


def test_redis_costs_a_quarter_more_than_valkey(plan):
    before = next(x.usd for x in cost.bill("dev", plan) if x.what.startswith("ElastiCache"))
    the(plan, "aws_elasticache_replication_group")["engine"] = "redis"
    after = next(x.usd for x in cost.bill("dev", plan) if x.what.startswith("ElastiCache"))
    assert after == pytest.approx(before * 1.25)


def test_a_type_without_a_price_stops_the_run(plan):
    the(plan, "aws_eks_node_group")["instance_types"] = ["p5.48xlarge"]
    with pytest.raises(KeyError, match=r"no price for ec2\.p5\.48xlarge"):
        cost.bill("dev", plan)


def test_every_price_says_where_it_was_read():
    book = cost.Book("dev")
    for table in (book.hourly, book.monthly):
        for key, (usd, source) in table.items():
            assert usd > 0 and source[0] in "ICWK", key


def test_every_size_assumes_the_same_things():
    used = [set(cost.Book(size).usage) for size in ("dev", "prod", "peak")]
    assert used[0] == used[1] == used[2]
