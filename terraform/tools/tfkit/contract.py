"""Terraform against the application: what one says and the other reads, as sentences.

Attributes can be right one by one while the whole does not fit: a variable nobody reads, a topic
under another name, an alarm on a metric that does not exist. Each function takes what was applied
(resources, outputs) and what the application says of itself (tools/app/facts.py), and yields what
does not agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

# ------------------------------------------------------------------ names that AWS publishes
# Namespace -> metric -> dimensions that it is published with (service documentation).
METRICS: dict[str, dict[str, set[str]]] = {
    "AWS/Kafka": {
        **{m: {"Cluster Name"} for m in (
            "OfflinePartitionsCount", "ActiveControllerCount", "GlobalPartitionCount")},
        **{m: {"Cluster Name", "Broker ID"} for m in (
            "KafkaDataLogsDiskUsed", "UnderReplicatedPartitions", "CpuUser", "CpuSystem")},
        "MaxOffsetLag": {"Cluster Name", "Consumer Group", "Topic"},
    },
    "AWS/ElastiCache": {m: {"CacheClusterId"} for m in (
        "DatabaseMemoryUsagePercentage", "EngineCPUUtilization", "ReplicationLag", "Evictions")},
    "AWS/DocDB": {m: {"DBClusterIdentifier"} for m in (
        "CPUUtilization", "DatabaseConnections", "DBClusterReplicaLagMaximum", "WriteLatency",
        "FreeableMemory")},
    "AWS/RDS": {m: {"DBInstanceIdentifier"} for m in (
        "CPUUtilization", "FreeStorageSpace", "FreeableMemory", "DatabaseConnections")},
    "AWS/ApplicationELB": {
        **{m: {"LoadBalancer"} for m in (
            "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "TargetResponseTime")},
        **{m: {"LoadBalancer", "TargetGroup"} for m in ("HealthyHostCount", "UnHealthyHostCount")},
    },
}
# What each piece of cluster software must be allowed to do at least.
CONTROLLERS = {
    "aws-load-balancer-controller": {"elasticloadbalancing:RegisterTargets",
                                     "elasticloadbalancing:DeregisterTargets",
                                     "elasticloadbalancing:DescribeTargetHealth"},
    "cluster-autoscaler": {"autoscaling:SetDesiredCapacity",
                           "autoscaling:TerminateInstanceInAutoScalingGroup",
                           "autoscaling:DescribeAutoScalingGroups"},
    "external-secrets": {"secretsmanager:GetSecretValue", "kms:Decrypt"},
    "fluent-bit": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "alertmanager": {"sns:Publish", "kms:GenerateDataKey", "kms:Decrypt"},
}
NODE_LABEL = "oms/node-group"
APP_PORT, INNER_PORT = 8000, 9100
SOURCE = re.compile(r"\{\{ \.(\w+?)_(username|password|OMS_\w+?)(?: \| urlquery)? \}\}")


def of(state: list[dict], rtype: str) -> list[dict]:
    return [r for r in state if r["type"] == rtype and r["mode"] == "managed"]


def policies(state: list[dict]) -> dict[str, list[dict]]:
    """Service account -> statements of its role."""
    roles = {r["values"]["role"]: json.loads(r["values"]["policy"])["Statement"]
             for r in of(state, "aws_iam_role_policy")}
    return {r["values"]["service_account"]: roles[r["values"]["role_arn"].rsplit("/", 1)[-1]]
            for r in of(state, "aws_eks_pod_identity_association")
            if r["values"]["role_arn"].rsplit("/", 1)[-1] in roles}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


# ------------------------------------------------------------------ environment and topics
def environment(outputs: dict, facts: dict) -> Iterator[str]:
    """Every variable that terraform gives is one that the application reads."""
    given = [*outputs["app_env"], *outputs["secret_env"]]
    for name in given:
        if name not in facts["variables"]:
            yield f"{name}: no such variable in oms_project/env.py"
    for name in ("LOG_URL", "DATABASE_URL", "ORDER_STORE_URL", "REDIS_URL", "OMS_SECRET_KEY",
                 "OMS_JWT_KEY", "OMS_ALLOWED_HOSTS", "OMS_PARTITIONS", "OMS_INNER_PORT",
                 "OMS_INNER_HOST", "OMS_PROXIES", "OMS_SECURE_COOKIES", "OMS_LOG_FORMAT"):
        if name not in given:
            yield f"{name}: nobody gives it to the pods"
    sources = set(outputs["secret_sources"])
    for name, template in outputs["secret_env"].items():
        for word in re.findall(r"\{\{ (.*?) \}\}", template):
            found = SOURCE.fullmatch("{{ " + word + " }}")
            if not found or found.group(1) not in sources:
                yield f"{name}: {{{{ {word} }}}} has no secret behind it"


def filled(outputs: dict, secret: str) -> dict[str, str]:
    """The environment of a pod, each secret word replaced as External Secrets does."""
    from urllib.parse import quote
    made = dict(outputs["app_env"])
    for name, template in outputs["secret_env"].items():
        text = SOURCE.sub(lambda m: quote(secret, safe="") if "urlquery" in m.group(0)
                          else f"{m.group(1)}-{m.group(2)}-{'k' * 40}", template)
        made[name] = text
    return made


def topics(state: list[dict], facts: dict) -> Iterator[str]:
    made = {r["values"]["name"] for r in of(state, "aws_msk_topic")}
    for name in sorted(made ^ set(facts["topics"])):
        where = "the application" if name in made else "the cluster"
        yield f"topic {name}: {where} knows no such topic"


# ------------------------------------------------------------------ rights
def rights(state: list[dict], seen: dict) -> Iterator[str]:
    """What a role may touch in Kafka is what it was seen to touch: no more, no less."""
    allowed = policies(state)
    for role in sorted(set(seen) - {"nobody", "prepare"}):
        if role not in allowed:
            yield f"{role}: touches the log and has no role in AWS"
            continue
        got = _kafka(allowed[role])
        for right in ("write", "read", "member", "look"):
            want = set(seen[role].get(right, []))
            if right == "look":
                want -= set(seen[role].get("member", []))
            for name in sorted(want - got[right]):
                yield f"{role}: was seen to {right} {name}, and may not"
            for name in sorted(got[right] - want):
                yield f"{role}: may {right} {name}, and was never seen to"
        if not got["connect"]:
            yield f"{role}: may not connect to the cluster"
    described = {last(a) for s in allowed.get("tools", []) for a in listed(s["Resource"])
                 if "kafka-cluster:DescribeTopic" in listed(s["Action"])}
    for topic in of(state, "aws_msk_topic"):
        if topic["values"]["name"] not in described:
            yield f"tools: cannot count the partitions of {topic['values']['name']}"
    for role, statements in allowed.items():
        if role not in seen and any(_kafka(statements).values()):
            yield f"{role}: has rights in Kafka and never touched it"


def _kafka(statements: list[dict]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {k: set() for k in ("write", "read", "member", "look", "connect")}
    described, readable, writable = set(), set(), set()
    for one in statements:
        actions, names = set(listed(one["Action"])), {last(a) for a in listed(one["Resource"])}
        if "kafka-cluster:DescribeTopic" in actions:
            described |= names
        if "kafka-cluster:ReadData" in actions:
            readable |= names
        if "kafka-cluster:WriteData" in actions:
            writable |= names
        if "kafka-cluster:DescribeGroup" in actions:
            found["member" if "kafka-cluster:AlterGroup" in actions else "look"] |= names
        if {"kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"} <= actions:
            found["connect"] |= names
    found["read"], found["write"] = readable & described, writable & described
    return found


def controllers(state: list[dict], outputs: dict) -> Iterator[str]:
    allowed = policies(state)
    for name, need in CONTROLLERS.items():
        have = {a for s in allowed.get(name, []) for a in listed(s["Action"])}
        for action in sorted(need - have):
            yield f"{name}: cannot {action}"
    for statement in allowed.get("cluster-autoscaler", []):
        if set(listed(statement["Action"])) & CONTROLLERS["cluster-autoscaler"] and \
                any(a.startswith("autoscaling:Set") for a in listed(statement["Action"])) and \
                "aws:ResourceTag/eks:cluster-name" not in json.dumps(statement.get("Condition")):
            yield "cluster-autoscaler: may resize other clusters' groups"
    readable = " ".join(r for s in allowed.get("external-secrets", [])
                        if "secretsmanager:GetSecretValue" in listed(s["Action"])
                        for r in listed(s["Resource"]))
    users = outputs["store_users"]
    for name in [*outputs["secret_sources"].values(), *users["masters"].values(),
                 *(n for g in users["users"].values() for n in g.values())]:
        if name not in readable:
            yield f"external-secrets: cannot read {name}"


# ------------------------------------------------------------------ alarms and filters
def alarms(state: list[dict], facts: dict) -> Iterator[str]:
    """Every alarm watches a metric that exists, by the dimensions it has."""
    own = {(t["namespace"], t["name"]) for f in of(state, "aws_cloudwatch_log_metric_filter")
           for t in f["values"]["metric_transformation"]}
    for alarm in of(state, "aws_cloudwatch_metric_alarm"):
        values = alarm["values"]
        watched = [values] if values.get("metric_name") else [
            q["metric"][0] for q in values["metric_query"] if q.get("metric")]
        if not watched:
            yield f"{alarm['address']}: watches nothing"
        for one in watched:
            space, name = one["namespace"], one["metric_name"]
            if (space, name) in own:
                continue
            wanted = METRICS.get(space, {}).get(name)
            if wanted is None:
                yield f"{alarm['address']}: there is no metric {space} {name}"
            elif wanted != set(one["dimensions"] or {}):
                yield (f"{alarm['address']}: {name} has the dimensions {sorted(wanted)}, "
                       f"not {sorted(one['dimensions'])}")
            topic = (one["dimensions"] or {}).get("Topic")
            if topic and topic not in facts["topics"]:
                yield f"{alarm['address']}: no topic {topic}"
    groups = {a["values"]["dimensions"].get("Consumer Group")
              for a in of(state, "aws_cloudwatch_metric_alarm") if a["values"].get("dimensions")}
    for group in facts["groups"]:
        if group not in groups:
            yield f"{group}: nobody is told when it stops"


FILTERS = {"errors": {"a library's error", "a library's end", "dead_letter", "partition_paused",
                      "integrity_breach"},
           "dead-letters": {"dead_letter"}, "paused": {"partition_paused"},
           "integrity": {"integrity_breach"}}


def filters(state: list[dict], lines: Iterable[dict]) -> Iterator[str]:
    """Each filter finds exactly the lines it is for, among lines that the application wrote."""
    made = {f["values"]["metric_transformation"][0]["name"]: f["values"]["pattern"]
            for f in of(state, "aws_cloudwatch_log_metric_filter")}
    for name in sorted(set(made) ^ set(FILTERS)):
        yield f"filter {name}: " + ("has no lines here" if name in made else "is not there")
    for name in sorted(set(made) & set(FILTERS)):
        found = {line["event"] for line in lines if matches(made[name], line)}
        if found != FILTERS[name]:
            yield f"filter {name}: finds {sorted(found)}, not {sorted(FILTERS[name])}"


TERM = re.compile(r'\$\.(\w+) = "([^"]*)"')


def matches(pattern: str, line: dict) -> bool:
    """CloudWatch's filter of JSON, as far as ours go: { $.a = "x" || $.b = "y" }."""
    inside = re.fullmatch(r"\{ (.*) \}", pattern)
    assert inside, f"not a JSON filter: {pattern}"
    terms = inside.group(1).split(" || ")
    assert all(TERM.fullmatch(t) for t in terms), f"more than this reads: {pattern}"
    return any(line.get(m.group(1)) == m.group(2) for m in map(TERM.fullmatch, terms))


# ------------------------------------------------------------------ network and nodes
def flows(state: list[dict]) -> Iterator[str]:
    """The load balancer reaches two ports of the nodes, they reach the world by HTTPS."""
    ids = {r["values"]["name"].rsplit("-", 1)[-1]: r["values"]["id"]
           for r in of(state, "aws_security_group")}
    ports = sorted((r["values"]["from_port"], r["values"]["to_port"])
                   for r in of(state, "aws_vpc_security_group_ingress_rule")
                   if r["values"]["security_group_id"] == ids["nodes"]
                   and r["values"].get("referenced_security_group_id") == ids["alb"])
    if ports != [(APP_PORT, APP_PORT), (INNER_PORT, INNER_PORT)]:
        yield f"the load balancer reaches {ports} of the nodes"
    for rule in of(state, "aws_vpc_security_group_egress_rule"):
        got = rule["values"]
        if got.get("cidr_ipv4") == "0.0.0.0/0" and (got["from_port"], got["to_port"]) != (443, 443):
            yield f"{rule['address']}: a way out on {got['from_port']}-{got['to_port']}"
    for template in of(state, "aws_launch_template"):
        if template["values"]["vpc_security_group_ids"] != [ids["nodes"]]:
            yield f"{template['address']}: carries a group that the table of flows does not know"


def health(state: list[dict], outputs: dict) -> Iterator[str]:
    """Health checks go where the pods answer them without a Host."""
    inner = outputs["app_env"].get("OMS_INNER_PORT")
    for group in of(state, "aws_lb_target_group"):
        check = group["values"]["health_check"][0]
        if check["port"] != inner or check["path"] != "/readyz":
            yield f"{group['address']}: asks {check['port']}{check['path']}, pods answer on {inner}"


def nodes(state: list[dict]) -> Iterator[str]:
    """Manifests choose nodes by this label and tolerate this taint."""
    for group in of(state, "aws_eks_node_group"):
        if group["values"]["labels"] != {NODE_LABEL: group["index"]}:
            got = group["values"]["labels"]
            yield f"{group['address']}: labels {got}, manifests want {NODE_LABEL}"
        for taint in group["values"]["taint"]:
            if taint["key"] != "oms/dedicated":
                yield f"{group['address']}: taint {taint['key']}"


def pools(state: list[dict], outputs: dict) -> Iterator[str]:
    """All pods' connections together fit into what PostgreSQL takes: memory / 9,531,392 at RDS."""
    memory_gb = {"db.t4g.micro": 1, "db.t4g.small": 2, "db.t4g.medium": 4, "db.m7g.large": 8,
                 "db.m7g.2xlarge": 32}
    processes = {"db.t4g.micro": 14, "db.t4g.medium": 40, "db.m7g.2xlarge": 160}
    for db in of(state, "aws_db_instance"):
        kind = db["values"]["instance_class"]
        most = min(5000, memory_gb[kind] * 2**30 // 9_531_392)
        used = processes[kind] * int(outputs["app_env"]["OMS_DATABASE_POOL"])
        if used > most * 0.8:
            yield f"{kind} takes {most} connections, the pods may want {used}"


def broken(state: list[dict], outputs: dict, facts: dict, lines: list[dict],
           seen: dict) -> list[str]:
    """Every sentence; empty is good."""
    return [*environment(outputs, facts), *topics(state, facts), *rights(state, seen),
            *controllers(state, outputs), *alarms(state, facts), *filters(state, lines),
            *flows(state), *health(state, outputs), *nodes(state), *pools(state, outputs)]
