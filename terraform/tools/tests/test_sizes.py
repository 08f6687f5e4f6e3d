"""The three sizes, executed: plan, apply, and a second plan that has nothing left to do."""

import json
import re

import pytest

from tfkit import cost, rules, terraform

SIZES = ["dev", "prod", "peak"]
EXECUTED = ["dev", "prod"]


@pytest.mark.parametrize("size", EXECUTED)
def test_a_second_plan_is_empty(run_of, size):
    done = run_of(size)
    assert done.left == 0
    assert len(terraform.resources(done.plan)) > 200


@pytest.mark.parametrize("size", EXECUTED)
def test_no_rule_is_broken(run_of, size):
    checked = rules.ALWAYS if size == "dev" else [*rules.ALWAYS, rules.protected]
    assert rules.broken(terraform.resources(run_of(size).state), checked) == []


@pytest.mark.parametrize("size", EXECUTED)
def test_no_password_is_in_plan_or_state(run_of, size):
    done = run_of(size)
    assert "not-a-secret" not in json.dumps([done.plan, done.state])
    for file in done.folder.glob(f"{size}.tfstate*"):
        assert "not-a-secret" not in file.read_text()


@pytest.mark.parametrize("size", EXECUTED)
def test_interface_endpoints_stand_where_the_price_says(run_of, size):
    """cost.network counts one endpoint a NAT zone; the applied state must agree."""
    state = terraform.resources(run_of(size).state)
    nats = sum(r["type"] == "aws_nat_gateway" for r in state)
    for endpoint in state:
        if endpoint["type"] == "aws_vpc_endpoint" and \
                endpoint["values"]["vpc_endpoint_type"] == "Interface":
            assert len(endpoint["values"]["subnet_ids"]) == nats


@pytest.fixture(scope="module")
def bills(tree, run_of):
    plans = {size: run_of(size).plan for size in EXECUTED} | {"peak": tree.plan("peak")}
    return {size: cost.bill(size, plans[size]) for size in SIZES}


def test_dev_costs_525_within_two_percent(bills, figures):
    figures["dev costs"] = f"{cost.total(bills['dev']):,.2f} $ a month"
    assert cost.total(bills["dev"]) == pytest.approx(525, rel=0.02)


def test_prod_costs_between_1500_and_2000(bills, figures):
    figures["prod costs"] = f"{cost.total(bills['prod']):,.2f} $ a month"
    assert 1500 <= cost.total(bills["prod"]) <= 2000


def test_peak_is_priced_and_within_its_budget(bills, tree, figures):
    figures["peak costs"] = f"{cost.total(bills['peak']):,.2f} $ a month"
    budget = int(re.findall(r"budget_usd\s+= (\d+)", (tree.folder / "sizes.tf").read_text())[2])
    assert cost.total(bills["prod"]) < cost.total(bills["peak"]) < budget


def test_the_readme_shows_these_bills(bills):
    assert cost.README.read_text() == cost.in_readme(bills), \
        "run terraform/tools/update_docs.sh"
