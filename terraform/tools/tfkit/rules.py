"""What no plan of ours may contain: our own rules over the applied state.

`terraform apply` against the stand-in resolves every reference to an id, so a rule can follow a
database to its subnets and a subnet to its routes, which a scanner of the source cannot.

    python -m tfkit.rules state.json
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable, Iterator

from tfkit.terraform import resources

WORLD = ("0.0.0.0/0", "::/0")
# type -> (path of values, what it must be; None: anything but empty)
ENCRYPTED: dict[str, list[tuple[str, object]]] = {
    "aws_cloudwatch_log_group": [("kms_key_id", None)],
    "aws_db_instance": [("storage_encrypted", True), ("kms_key_id", None)],
    "aws_docdb_cluster": [("storage_encrypted", True), ("kms_key_id", None)],
    "aws_ecr_repository": [("encryption_configuration.0.encryption_type", "KMS")],
    "aws_eks_cluster": [("encryption_config.0.provider.0.key_arn", None)],
    "aws_elasticache_replication_group": [
        ("at_rest_encryption_enabled", "true"), ("kms_key_id", None),
        ("transit_encryption_enabled", True), ("transit_encryption_mode", "required")],
    "aws_launch_template": [("block_device_mappings.0.ebs.0.encrypted", "true"),
                            ("block_device_mappings.0.ebs.0.kms_key_id", None)],
    "aws_msk_cluster": [
        ("encryption_info.0.encryption_at_rest_kms_key_arn", None),
        ("encryption_info.0.encryption_in_transit.0.client_broker", "TLS"),
        ("encryption_info.0.encryption_in_transit.0.in_cluster", True)],
    "aws_secretsmanager_secret": [("kms_key_id", None)],
    "aws_sns_topic": [("kms_master_key_id", None)],
}
PRIVATE: dict[str, list[tuple[str, object]]] = {
    "aws_db_instance": [("publicly_accessible", False)],
    "aws_eks_cluster": [("vpc_config.0.endpoint_private_access", True)],
    "aws_launch_template": [("metadata_options.0.http_tokens", "required")],
    "aws_msk_cluster": [
        ("broker_node_group_info.0.connectivity_info.0.public_access.0.type", "DISABLED"),
        ("client_authentication.0.unauthenticated", False)],
    "aws_s3_bucket_public_access_block": [(name, True) for name in (
        "block_public_acls", "block_public_policy", "ignore_public_acls",
        "restrict_public_buckets")],
}
PROTECTED: dict[str, list[tuple[str, object]]] = {
    "aws_db_instance": [("deletion_protection", True), ("multi_az", True),
                        ("skip_final_snapshot", False)],
    "aws_docdb_cluster": [("deletion_protection", True), ("skip_final_snapshot", False)],
    "aws_eks_cluster": [("deletion_protection", True)],
    "aws_elasticache_replication_group": [("automatic_failover_enabled", True),
                                          ("multi_az_enabled", True)],
    "aws_lb": [("enable_deletion_protection", True)],
    "aws_s3_bucket": [("force_destroy", False)],
}
TAGS = {"Project", "Environment", "Size", "ManagedBy"}
UNTAGGED = {"aws_default_security_group", "aws_autoscaling_group"}


def at(values: object, path: str) -> object:
    """values["a"][0]["b"] for "a.0.b"; None where there is nothing."""
    for step in path.split("."):
        if isinstance(values, list):
            values = values[int(step)] if int(step) < len(values) else None
        else:
            values = values.get(step) if isinstance(values, dict) else None
    return values


def _table(state: list[dict], table: dict, say: str) -> Iterator[str]:
    for resource in state:
        for path, wanted in table.get(resource["type"], []):
            got = at(resource["values"], path)
            if (got in (None, "", []) if wanted is None else got != wanted):
                want = "set" if wanted is None else json.dumps(wanted)
                yield f"{resource['address']}: {path} is {json.dumps(got)}, {say} ({want})"


def encrypted(state: list[dict]) -> Iterator[str]:
    yield from _table(state, ENCRYPTED, "everything is encrypted with our keys")
    yield from _each_bucket_has(state, "aws_s3_bucket_server_side_encryption_configuration")
    yield from _each_bucket_has(state, "aws_s3_bucket_versioning")


def private(state: list[dict]) -> Iterator[str]:
    yield from _table(state, PRIVATE, "nothing is open to the public")
    yield from _each_bucket_has(state, "aws_s3_bucket_public_access_block")
    for cluster in _of(state, "aws_eks_cluster"):
        vpc = cluster["values"]["vpc_config"][0]
        if vpc["endpoint_public_access"] and set(WORLD) & set(vpc["public_access_cidrs"] or WORLD):
            yield f"{cluster['address']}: the cluster API is open to the world"


def _of(state: list[dict], *types: str) -> list[dict]:
    return [r for r in state if r["type"] in types]


def _each_bucket_has(state: list[dict], rtype: str) -> Iterator[str]:
    have = {r["values"]["bucket"] for r in _of(state, rtype)}
    for bucket in _of(state, "aws_s3_bucket"):
        if bucket["values"]["id"] not in have:
            yield f"{bucket['address']}: has no {rtype}"


def no_open_groups(state: list[dict]) -> Iterator[str]:
    """The world reaches ports 80 and 443 of the load balancer's group, and nothing else."""
    doors = {r["values"]["id"] for r in _of(state, "aws_security_group")
             if r["values"]["name"].endswith("-alb")}
    for rule in _of(state, "aws_vpc_security_group_ingress_rule"):
        got = rule["values"]
        if not {got.get("cidr_ipv4"), got.get("cidr_ipv6")} & set(WORLD):
            continue
        at_door = got["security_group_id"] in doors and got["from_port"] == got["to_port"]
        if not (at_door and got["to_port"] in (80, 443)):
            yield f"{rule['address']}: open to the world on {got['from_port']}-{got['to_port']}"
    for group in _of(state, "aws_security_group", "aws_default_security_group"):
        if group["values"].get("ingress"):
            yield f"{group['address']}: rules inside a group; write one rule resource each"
    for rule in _of(state, "aws_security_group_rule"):
        yield f"{rule['address']}: use aws_vpc_security_group_ingress_rule"
    for rule in _of(state, "aws_vpc_security_group_ingress_rule",
                    "aws_vpc_security_group_egress_rule"):
        if not rule["values"].get("description"):
            yield f"{rule['address']}: a rule says why it is there"


STORE_SUBNETS = {
    "aws_db_subnet_group": "subnet_ids", "aws_docdb_subnet_group": "subnet_ids",
    "aws_elasticache_subnet_group": "subnet_ids",
    "aws_msk_cluster": "broker_node_group_info.0.client_subnets",
}


def stores_have_no_way_out(state: list[dict]) -> Iterator[str]:
    """Every store's subnet is of tier data, and its routes lead to no gateway."""
    subnets = {r["values"]["id"]: r for r in _of(state, "aws_subnet")}
    table_of = {r["values"]["subnet_id"]: r["values"]["route_table_id"]
                for r in _of(state, "aws_route_table_association")}
    ways_out = {r["values"]["route_table_id"] for r in _of(state, "aws_route")
                if r["values"].get("gateway_id") or r["values"].get("nat_gateway_id")}
    for store in _of(state, *STORE_SUBNETS):
        for subnet_id in at(store["values"], STORE_SUBNETS[store["type"]]) or []:
            subnet = subnets[subnet_id]
            tier = (subnet["values"].get("tags") or {}).get("Tier")
            if tier != "data" or subnet["values"].get("map_public_ip_on_launch"):
                yield f"{store['address']}: lives in {subnet['address']}, tier {tier}"
            if subnet_id not in table_of or table_of[subnet_id] in ways_out:
                yield f"{store['address']}: {subnet['address']} has a route out of the VPC"


def topics_are_durable(state: list[dict]) -> Iterator[str]:
    for topic in _of(state, "aws_msk_topic"):
        config = json.loads(topic["values"]["configs"])
        if topic["values"]["replication_factor"] != 3 or config["min.insync.replicas"] != "2":
            yield f"{topic['address']}: replication factor 3 and min ISR 2 keep an acked order"
        if config["unclean.leader.election.enable"] != "false":
            yield f"{topic['address']}: an unclean leader forgets acknowledged orders"


def alarms_are_heard(state: list[dict]) -> Iterator[str]:
    topics = {r["values"]["arn"] for r in _of(state, "aws_sns_topic", "aws_sns_topic_policy")}
    for alarm in _of(state, "aws_cloudwatch_metric_alarm"):
        got = alarm["values"]
        if not set(got.get("alarm_actions") or []) & topics:
            yield f"{alarm['address']}: notifies no topic of ours"
        if not got.get("alarm_description"):
            yield f"{alarm['address']}: does not say what it means"


def everything_is_tagged(state: list[dict]) -> Iterator[str]:
    for resource in state:
        tags = resource["values"].get("tags_all")
        if "tags_all" in resource["values"] and resource["type"] not in UNTAGGED:
            missing = TAGS - set(tags or {})
            if missing:
                yield f"{resource['address']}: lacks the tags {', '.join(sorted(missing))}"


def protected(state: list[dict]) -> Iterator[str]:
    """For prod and peak."""
    yield from _table(state, PROTECTED, "production is not deleted by accident")


ALWAYS: list[Callable] = [encrypted, private, no_open_groups, stores_have_no_way_out,
                          topics_are_durable, alarms_are_heard, everything_is_tagged]


def broken(state: list[dict], rules: list[Callable] = ALWAYS) -> list[str]:
    """Every sentence of every rule; empty is good."""
    managed = [r for r in state if r["mode"] == "managed"]
    return [f"{rule.__name__}: {sentence}" for rule in rules for sentence in rule(managed)]


def main() -> int:
    found = broken(resources(json.loads(pathlib.Path(sys.argv[1]).read_text())))
    print("\n".join(found) or "no rule broken")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
