"""Terraform's outputs as settings of an overlay: what the manifests cannot know by themselves.

    terraform -chdir=terraform output -json | python deploy/tools/settings.py prod

writes into deploy/kubernetes/overlays/prod/settings/ and jobs/: app.env (a ConfigMap), secrets.yaml (ExternalSecrets),
targets.yaml (TargetGroupBindings), network.yaml (NetworkPolicies to the stores). No secret is in them. YAML is
written as JSON, which it contains: nothing but Python is needed.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

OVERLAYS = Path(__file__).resolve().parents[1] / "kubernetes/overlays"
HEAD = "# Written by deploy/tools/settings.py from terraform's outputs.\n"
WORD = re.compile(r"\{\{ \.(\w+?)_(username|password|OMS_\w+?)(?: \| urlquery)? \}\}")
STORES = (("redis", 6379), ("documents", 27017), ("postgres", 5432))
STORE_NAME = "aws"
REFRESH = "5m"


def documents(*found: dict) -> str:
    return HEAD + "".join(f"---\n{json.dumps(one, indent=2)}\n" for one in found)


def app_env(outputs: dict) -> str:
    lines = [f"{name}={value}" for name, value in sorted(outputs["app_env"].items())]
    return HEAD + "\n".join(lines) + "\n"


def _external_secret(name: str, data: list[dict], template: dict | None = None) -> dict:
    target: dict = {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"}
    if template:
        target["template"] = {"engineVersion": "v2", "data": template}
    return {
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": name},
        "spec": {"refreshInterval": REFRESH, "target": target, "data": data,
                 "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE_NAME}},
    }


def secrets(outputs: dict) -> str:
    """oms-secrets is the pods' environment; oms-store-users are files of the job store-users."""
    sources = outputs["secret_sources"]
    words = {f"{source}_{prop}": (sources[source], prop)
             for template in outputs["secret_env"].values()
             for source, prop in WORD.findall(template)}
    data = [{"secretKey": word, "remoteRef": {"key": key, "property": prop}}
            for word, (key, prop) in sorted(words.items())]
    users = outputs["store_users"]
    files = []
    for store in ("documentdb", "postgres"):
        for which, key in (("master", users["masters"][store]),
                           ("current", users["users"]["current"][store]),
                           ("previous", users["users"]["previous"][store])):
            files.append({"secretKey": f"{store}-{which}", "remoteRef": {"key": key}})
    return documents(_external_secret("oms-secrets", data, outputs["secret_env"]),
                     _external_secret("oms-store-users", files))


def targets(outputs: dict) -> str:
    return documents(*(
        {"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding",
         "metadata": {"name": f"web-{name}"},
         "spec": {"serviceRef": {"name": "web", "port": 8000}, "targetType": "ip",
                  "targetGroupARN": arn}}
        for name, arn in sorted(outputs["target_group_arns"].items())))


def network(outputs: dict) -> str:
    found = outputs["network"]
    ports = dict(STORES) | {"kafka": found["kafka_port"]}
    to_stores = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "stores"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [
            {"to": [{"ipBlock": {"cidr": cidr}} for cidr in found["stores"]],
             "ports": [{"protocol": "TCP", "port": port} for port in sorted(ports.values())]}]},
    }
    from_door = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "load-balancer"},
        "spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "web"}},
                 "policyTypes": ["Ingress"], "ingress": [
            {"from": [{"ipBlock": {"cidr": cidr}} for cidr in found["load_balancer"]],
             "ports": [{"protocol": "TCP", "port": port} for port in (8000, 9100)]}]},
    }
    return documents(to_stores, from_door)


def files(outputs: dict) -> dict[str, str]:
    """Name -> content, from outputs as values."""
    return {"settings/app.env": app_env(outputs), "settings/secrets.yaml": secrets(outputs),
            "settings/targets.yaml": targets(outputs), "settings/network.yaml": network(outputs),
            "jobs/app.env": app_env(outputs)}  # kustomize reads no file above its own folder


def main() -> None:
    if len(sys.argv) != 2 or not (OVERLAYS / sys.argv[1]).is_dir():
        sys.exit(f"{__doc__}\noverlays: {', '.join(sorted(p.name for p in OVERLAYS.iterdir()))}")
    outputs = {name: one["value"] for name, one in json.load(sys.stdin).items()}
    for name, text in files(outputs).items():
        path = OVERLAYS / sys.argv[1] / name
        path.write_text(text)
        print(path.relative_to(OVERLAYS.parents[2]))


if __name__ == "__main__":
    main()
