"""Values that the stand-in provider invents for computed attributes.

They are deterministic (same resource, same value) and have the shape of the real ones, because
modules split, index and join them: ARNs, endpoints, three zone names, a 12-digit account.
"""

from __future__ import annotations

import hashlib
import json

ACCOUNT = "123456789012"
REGION = "us-east-1"
ARN_SERVICES = {
    "aws_cloudfront_distribution": "cloudfront", "aws_cloudwatch_log_group": "logs",
    "aws_db_instance": "rds", "aws_docdb_cluster": "rds", "aws_ecr_repository": "ecr",
    "aws_eks_cluster": "eks", "aws_elasticache_replication_group": "elasticache",
    "aws_iam_role": "iam", "aws_iam_openid_connect_provider": "iam", "aws_kms_key": "kms",
    "aws_lb": "elasticloadbalancing", "aws_lb_target_group": "elasticloadbalancing",
    "aws_msk_cluster": "kafka", "aws_msk_configuration": "kafka", "aws_msk_topic": "kafka",
    "aws_s3_bucket": "s3", "aws_secretsmanager_secret": "secretsmanager", "aws_sns_topic": "sns",
    "aws_wafv2_web_acl": "wafv2", "aws_cloudwatch_metric_alarm": "cloudwatch",
}
# ARNs whose last part modules build policies from: the real layout, named after the resource.
ARN_LAYOUT = {
    "aws_iam_role": "arn:aws:iam::{account}:role/{name}",
    "aws_iam_policy": "arn:aws:iam::{account}:policy/{name}",
    "aws_s3_bucket": "arn:aws:s3:::{bucket}",
    "aws_msk_cluster": "arn:aws:kafka:{region}:{account}:cluster/{cluster_name}/{uuid}",
    "aws_eks_cluster": "arn:aws:eks:{region}:{account}:cluster/{name}",
    "aws_kms_key": "arn:aws:kms:{region}:{account}:key/{uuid}",
    "aws_cloudwatch_log_group": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "aws_ecr_repository": "arn:aws:ecr:{region}:{account}:repository/{name}",
    "aws_secretsmanager_secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-a1B2c3",
    "aws_sns_topic": "arn:aws:sns:{region}:{account}:{name}",
    "aws_lb": "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{uuid}",
    "aws_lb_target_group":
        "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{uuid}",
    "aws_cloudfront_distribution": "arn:aws:cloudfront::{account}:distribution/E{uuid}",
}
# Resources whose id is one of their arguments.
IDS = {"aws_s3_bucket": "bucket", "aws_cloudwatch_log_group": "name", "aws_eks_cluster": "name",
       "aws_iam_role": "name", "aws_docdb_cluster": "cluster_identifier"}
STRINGS = {
    "json": "{}", "minified_json": "{}", "policy": "{}", "partition": "aws",
    "account_id": ACCOUNT, "owner_id": ACCOUNT, "data": "c3R1Yi1jZXJ0aWZpY2F0ZQ==",
    "dns_suffix": "amazonaws.com",
    "random_password": "not-a-secret-0123456789abcdef012",
    "secret_string": '{"password": "not-a-secret-0123456789abcdef012"}',
}
BROKERS = {"bootstrap_brokers_sasl_iam": 9098, "bootstrap_brokers_sasl_scram": 9096,
           "bootstrap_brokers_tls": 9094, "bootstrap_brokers": 9092}


def invent(rtype: str, name: str, attribute: dict, config: dict, path: str = "") -> object:
    """A believable value for the computed attribute `name` of a resource.

    An optional list of objects that was left out is empty: it is a setting, not an answer.
    """
    typ = attribute["type"]
    # Two resources that differ in a plain argument or a tag are two things with two ids.
    # (But for what is named after the hour: the same thing is the same tomorrow.)
    plain = {k: v for k, v in config.items() if isinstance(v, str | int | float) or k == "tags"}
    plain.pop("final_snapshot_identifier", None)
    seed = json.dumps([rtype, path or name, plain], sort_keys=True, default=str)
    digest = hashlib.sha256(seed.encode()).hexdigest()
    if typ == "string":
        return _string(rtype, name, config, digest)
    if typ == "number":
        return 443 if "port" in name else 1
    if typ == "bool":
        return False
    if not isinstance(typ, list):
        return None
    kind, inner = typ
    if kind == "map":
        return {}
    if kind == "object":
        return {k: invent(rtype, k, {"type": t}, config, f"{path}.{k}") for k, t in inner.items()}
    if isinstance(inner, list) and inner[0] == "object":
        one = invent(rtype, name, {"type": inner}, config, path)
        return [] if attribute.get("optional") else [one]
    if rtype == "aws_availability_zones" and name == "names":
        return [REGION + letter for letter in "abc"]
    return []


def _string(rtype: str, name: str, config: dict, digest: str) -> str:
    kind = rtype.removeprefix("aws_").replace("_", "-")
    if name == "id" and isinstance(config.get(IDS.get(rtype)), str):
        return config[IDS[rtype]]
    if name == "arn" and rtype in ARN_LAYOUT:
        own = {k: v for k, v in config.items() if isinstance(v, str)}
        fields = {"name": digest[:12], "bucket": digest[:12], "cluster_name": digest[:12]} | own
        return ARN_LAYOUT[rtype].format_map(
            fields | {"account": ACCOUNT, "region": REGION, "uuid": digest[:12]})
    if name == "arn" or name.endswith("_arn"):
        service = ARN_SERVICES.get(rtype, rtype.split("_")[1] if "_" in rtype else rtype)
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rtype.removeprefix('aws_')}/{digest[:12]}"
    if name in STRINGS:
        return STRINGS[name]
    if name in BROKERS:
        return ",".join(f"b-{i}.{digest[:6]}.kafka.{REGION}.amazonaws.com:{BROKERS[name]}"
                        for i in (1, 2, 3))
    if name == "repository_url":
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{config['name']}"
    if name.endswith(("_at", "_date")):
        return "2026-01-01T00:00:00Z"
    if rtype in ("aws_region", "aws_availability_zones") and name in ("name", "id", "region"):
        return REGION
    if name == "region":
        return REGION
    if rtype == "aws_s3_bucket" and name.endswith("domain_name"):
        return f"{config.get('bucket', digest[:12])}.s3.{REGION}.amazonaws.com"
    if "url" in name or name == "issuer" or (rtype == "aws_eks_cluster" and name == "endpoint"):
        return f"https://{digest[:10]}.{REGION}.amazonaws.com"
    if "endpoint" in name or name in ("address", "dns_name", "domain_name"):
        return f"{kind}.{digest[:10]}.{REGION}.amazonaws.com"
    return f"{kind}-{digest[:8]}"


def policy_document(value: dict) -> str:
    """What data.aws_iam_policy_document renders: sources first, then statements by sid."""
    statements: list[dict] = []
    for source in (value.get("source_policy_documents") or []):
        statements += json.loads(source).get("Statement", [])
    statements += [_statement(s) for s in value.get("statement") or []]
    for override in (value.get("override_policy_documents") or []):
        for statement in json.loads(override).get("Statement", []):
            sid = statement.get("Sid")
            statements = [s for s in statements if not sid or s.get("Sid") != sid] + [statement]
    version = value.get("version") or "2012-10-17"
    return json.dumps({"Version": version, "Statement": statements}, indent=2)


def _statement(given: dict) -> dict:
    out: dict = {"Effect": given.get("effect") or "Allow"}
    if given.get("sid"):
        out["Sid"] = given["sid"]
    for key, word in (("actions", "Action"), ("not_actions", "NotAction"),
                      ("resources", "Resource"), ("not_resources", "NotResource")):
        if given.get(key):
            many = sorted(given[key])
            out[word] = many if len(many) > 1 else many[0]
    for key, word in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        for principal in given.get(key) or []:
            ids = sorted(principal["identifiers"])
            if principal["type"] == "*" and ids == ["*"]:
                out[word] = "*"
                continue
            out.setdefault(word, {}).setdefault(principal["type"], []).extend(ids)
    for condition in given.get("condition") or []:
        test = out.setdefault("Condition", {}).setdefault(condition["test"], {})
        test[condition["variable"]] = list(condition["values"])
    return out
