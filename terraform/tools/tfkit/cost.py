"""What a plan costs a month: counted from the plan's JSON, priced by prices.json.

What is in the plan (types, counts, sizes) is counted; what only traffic decides (I/O, gigabytes)
is an assumption, and stands as such in prices.json under `usage`. A type without a price stops
the run: nothing is silently free.

    python -m tfkit.cost SIZE plan.json
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tfkit.rules import at
from tfkit.terraform import TOOLS, resources

HOURS = 730
PRICES = TOOLS / "prices.json"
README = TOOLS.parent / "README.md"
BEGIN, END = "<!-- cost: generated -->\n", "<!-- cost: end -->\n"


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    what: str
    usd: float


class Book:
    """The price list and one size's assumed use."""

    def __init__(self, size: str, path: pathlib.Path = PRICES):
        data = json.loads(path.read_text())
        self.hourly, self.monthly = data["hourly"], data["monthly"]
        self.valkey = data["valkey_factor"][0]
        self.usage = data["usage"][size]

    def hour(self, key: str, count: float = 1) -> float:
        return self._price(self.hourly, key) * count * HOURS

    def month(self, key: str, count: float = 1) -> float:
        return self._price(self.monthly, key) * count

    def used(self, key: str) -> float:
        return self.month(key, self.usage[key])

    @staticmethod
    def _price(table: dict, key: str) -> float:
        if key not in table:
            raise KeyError(f"no price for {key}: add it to prices.json with where it was read")
        return table[key][0]


class Plan:
    """The planned resources, by type."""

    def __init__(self, document: dict):
        self.all = [r for r in resources(document) if r["mode"] == "managed"]

    def of(self, rtype: str) -> list[dict]:
        return [r["values"] | {"_index": r.get("index")} for r in self.all if r["type"] == rtype]


def cluster(plan: Plan, book: Book) -> list[Line]:
    lines = [Line("EKS control plane", book.hour("eks", len(plan.of("aws_eks_cluster"))))]
    disks = {t["_index"]: at(t, "block_device_mappings.0.ebs.0.volume_size")
             for t in plan.of("aws_launch_template")}
    for group in plan.of("aws_eks_node_group"):
        kind, count = group["instance_types"][0], at(group, "scaling_config.0.desired_size")
        disk = disks[group["_index"]]
        usd = book.hour(f"ec2.{kind}", count) + book.month("ebs.gp3.gb", count * disk)
        lines.append(Line(f"{count} x {kind} ({group['_index']}), {disk} GB gp3 each", usd))
    return lines


def network(plan: Plan, book: Book) -> list[Line]:
    nats = len(plan.of("aws_nat_gateway"))
    zones = len(plan.of("aws_subnet")) // 3
    # A new endpoint's subnet ids are unknown to the plan; how many it will have is not: one per
    # zone with NAT, as both follow the same setting (asserted in the tests of the sizes).
    endpoints = [e for e in plan.of("aws_vpc_endpoint") if e["vpc_endpoint_type"] == "Interface"]
    each = zones if nats > 1 else 1
    addresses = nats + zones * len(plan.of("aws_lb"))
    return [
        Line(f"{nats} NAT gateway(s), {book.usage['nat.gb']} GB",
             book.hour("nat", nats) + book.used("nat.gb")),
        Line(f"{len(endpoints)} interface endpoints x {each} zone(s)",
             book.hour("vpce", len(endpoints) * each)),
        Line(f"{addresses} public IPv4 addresses", book.hour("ipv4", addresses)),
        Line(f"traffic between zones {book.usage['cross_az.gb']} GB, out "
             f"{book.usage['egress.gb']} GB", book.used("cross_az.gb") + book.used("egress.gb")),
    ]


def stores(plan: Plan, book: Book) -> list[Line]:
    lines = []
    for msk in plan.of("aws_msk_cluster"):
        count = msk["number_of_broker_nodes"]
        kind = at(msk, "broker_node_group_info.0.instance_type")
        disk = at(msk, "broker_node_group_info.0.storage_info.0.ebs_storage_info.0.volume_size")
        usd = book.hour(kind, count) + book.month("kafka.storage.gb", count * disk)
        lines.append(Line(f"MSK {count} x {kind}, {disk} GB each", usd))
    for cache in plan.of("aws_elasticache_replication_group"):
        count, kind = cache["num_cache_clusters"], cache["node_type"]
        factor = book.valkey if cache["engine"] == "valkey" else 1
        lines.append(Line(f"ElastiCache ({cache['engine']}) {count} x {kind}",
                          book.hour(kind, count) * factor))
    for store in plan.of("aws_docdb_cluster"):
        classes = [i["instance_class"] for i in plan.of("aws_docdb_cluster_instance")]
        prefix = "docdb.iopt1" if store["storage_type"] == "iopt1" else "docdb"
        usd = sum(book.hour(f"{prefix}.{c}") for c in classes)
        usd += book.month(f"{prefix}.storage.gb", book.usage["docdb.storage.gb"])
        usd += book.used("docdb.io.million")
        lines.append(Line(f"DocumentDB {len(classes)} x {classes[0]}, {store['storage_type']}, "
                          f"{book.usage['docdb.storage.gb']} GB", usd))
    for db in plan.of("aws_db_instance"):
        copies = 2 if db["multi_az"] else 1
        usd = book.hour(f"rds.{db['instance_class']}", copies)
        usd += book.month("rds.gp3.gb", copies * db["allocated_storage"])
        lines.append(Line(f"PostgreSQL {db['instance_class']} x {copies}, "
                          f"{db['allocated_storage']} GB", usd))
    return lines


def door(plan: Plan, book: Book) -> list[Line]:
    rules = sum(len(acl["rule"]) for acl in plan.of("aws_wafv2_web_acl"))
    balancers, lcu = len(plan.of("aws_lb")), book.usage["alb.lcu"]
    return [
        Line(f"load balancer, {lcu} LCU", book.hour("alb", balancers) + book.hour("alb.lcu", lcu)),
        Line(f"WAF, {rules} rules, {book.usage['waf.million']} M requests",
             book.month("waf.acl", len(plan.of("aws_wafv2_web_acl")))
             + book.month("waf.rule", rules) + book.used("waf.million")),
    ]


def keeping(plan: Plan, book: Book) -> list[Line]:
    keys, alarms = len(plan.of("aws_kms_key")), len(plan.of("aws_cloudwatch_metric_alarm"))
    # DocumentDB and RDS each keep their managed password in a secret of their own.
    managed = sum(bool(s["manage_master_user_password"])
                  for s in plan.of("aws_docdb_cluster") + plan.of("aws_db_instance"))
    secrets = len(plan.of("aws_secretsmanager_secret")) + managed
    use = book.usage
    return [
        Line(f"{keys} KMS keys, {secrets} secrets",
             book.month("kms.key", keys) + book.month("secret", secrets)),
        Line(f"{use['logs.gb']} GB of logs, {alarms} alarms",
             book.used("logs.gb") + book.month("alarm", alarms)),
        Line(f"S3 {use['s3.gb']} GB, images {use['ecr.gb']} GB",
             book.used("s3.gb") + book.used("ecr.gb")),
    ]


PARTS: list[Callable[[Plan, Book], list[Line]]] = [cluster, network, stores, door, keeping]


def bill(size: str, document: dict) -> list[Line]:
    """The month's lines for one size's plan."""
    plan, book = Plan(document), Book(size)
    return [line for part in PARTS for line in part(plan, book)]


def total(lines: list[Line]) -> float:
    return round(sum(line.usd for line in lines), 2)


def table(bills: dict[str, list[Line]]) -> str:
    """The README's section: one table a size."""
    out = []
    for size, lines in bills.items():
        head = f"**{size}: {total(lines):,.2f} $ a month**\n"
        out += [head, "| what | $ a month |", "|---|---:|"]
        out += [f"| {line.what} | {line.usd:,.2f} |" for line in lines]
        out.append("")
    return "\n".join(out) + "\n"


def in_readme(bills: dict[str, list[Line]]) -> str:
    """The README with its generated section renewed."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + table(bills) + END + rest.split(END)[1]


def main() -> None:
    size, file = sys.argv[1:]
    lines = bill(size, json.loads(pathlib.Path(file).read_text()))
    for line in lines:
        print(f"{line.what:<70} {line.usd:>10,.2f}")
    print(f"{'total':<70} {total(lines):>10,.2f}")


if __name__ == "__main__":
    main()
