"""Rules over the rendered overlays that no schema knows. Need kubectl, no server."""

from __future__ import annotations

import re

import pytest
from conftest import KUBERNETES, SIZES, rendered

WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")
EVERY = [*(f"overlays/{size}" for size in SIZES), *(f"overlays/{size}/jobs" for size in SIZES)]
ROLES = {"web", "engine", "projector", "marketdata", "pusher", "worker", "beat"}
DRAIN_S = 30  # terraform: modules/alb, drain_seconds


def of(objects: list[dict], *kinds: str) -> dict[str, dict]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] in kinds}


def pod(one: dict) -> dict:
    spec = one["spec"].get("jobTemplate", one)["spec"]
    return spec["template"]["spec"]


def labels(one: dict) -> dict:
    spec = one["spec"].get("jobTemplate", one)["spec"]
    return spec["template"]["metadata"]["labels"]


@pytest.mark.parametrize("size", SIZES)
def test_every_role_is_there_and_is_one_of_the_product(size):
    found = of(rendered(f"overlays/{size}"), "Deployment", "StatefulSet")
    assert set(found) == ROLES
    up = (KUBERNETES.parents[1] / "oms_project/management/commands/up.py").read_text()
    known = set(re.findall(r'"(\w+)"', re.search(r"ROLES: Final = \((.*?)\)", up).group(1)))
    assert known == ROLES - {"beat"}


@pytest.mark.parametrize("folder", EVERY)
def test_pods_are_restricted_and_pinned(folder):
    for name, one in of(rendered(folder), *WORKLOADS).items():
        spec = pod(one)
        (container,) = spec["containers"]
        assert "@sha256:" in container["image"], name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsUser"] > 10_000, name
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert set(container["resources"]) == {"requests", "limits"}, name
        mounted = {one["mountPath"] for one in container["volumeMounts"]}
        assert {"/data", "/tmp"} <= mounted, name


@pytest.mark.parametrize("size", SIZES)
def test_started_alive_and_ready_are_three_questions(size):
    for name, one in of(rendered(f"overlays/{size}"), "Deployment", "StatefulSet").items():
        container = pod(one)["containers"][0]
        if name == "beat":
            assert "readinessProbe" not in container
            continue
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "inner"}, name
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "inner"}, name
        assert {"name": "inner", "containerPort": 9100} in container["ports"], name
        probe = container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 300, name


@pytest.mark.parametrize("size", SIZES)
def test_a_door_that_leaves_loses_nothing(size):
    """Out of the target group, then the last answers, then the end: each longer than the one in it."""
    web = of(rendered(f"overlays/{size}"), "Deployment")["web"]
    spec, container = pod(web), pod(web)["containers"][0]
    arguments = container["args"]
    drain_s = int(arguments[arguments.index("--drain-s") + 1])
    pause_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause_s > DRAIN_S
    assert spec["terminationGracePeriodSeconds"] > pause_s + drain_s
    assert int(arguments[arguments.index("--keep-alive-s") + 1]) > 120  # alb: idle_timeout
    assert web["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("size", SIZES)
def test_there_are_never_more_consumers_than_partitions(size):
    objects = rendered(f"overlays/{size}")
    partitions = int(_env(objects)["OMS_PARTITIONS"])
    for name in ("engine", "projector"):
        assert of(objects, "StatefulSet")[name]["spec"].get("replicas", 1) <= partitions
    for one in of(objects, "ScaledObject").values():
        assert one["spec"]["maxReplicaCount"] <= partitions


@pytest.mark.parametrize("size", SIZES)
def test_what_scales_is_told_its_number_by_one_only(size):
    objects = rendered(f"overlays/{size}")
    scaled = [one["spec"]["scaleTargetRef"]
              for one in of(objects, "HorizontalPodAutoscaler", "ScaledObject").values()]
    for target in scaled:
        assert "replicas" not in of(objects, target["kind"])[target["name"]]["spec"], target


@pytest.mark.parametrize("size", SIZES)
def test_who_must_be_one_is_never_two(size):
    found = of(rendered(f"overlays/{size}"), "Deployment")
    for name in ("marketdata", "pusher", "beat"):
        assert found[name]["spec"]["replicas"] == 1, name
        assert found[name]["spec"]["strategy"]["type"] == "Recreate", name


@pytest.mark.parametrize("size", SIZES)
def test_members_keep_their_name_over_a_restart(size):
    for name in ("engine", "projector"):
        found = of(rendered(f"overlays/{size}"), "StatefulSet")[name]
        env = {one["name"]: one for one in pod(found)["containers"][0]["env"]}
        assert env["LOG_URL"]["value"] == "$(LOG_BASE)&instance=$(POD_NAME)"
        assert [*env].index("LOG_BASE") < [*env].index("LOG_URL")


@pytest.mark.parametrize("size", SIZES)
def test_a_zone_may_go(size):
    objects = rendered(f"overlays/{size}")
    for name, one in of(objects, "Deployment", "StatefulSet").items():
        zones = [s for s in pod(one).get("topologySpreadConstraints", [])
                 if s["topologyKey"] == "topology.kubernetes.io/zone"]
        if name in ("marketdata", "pusher", "beat"):
            assert zones == [], name
            continue
        assert [z["nodeTaintsPolicy"] for z in zones] == ["Honor"], name
        assert zones[0]["labelSelector"]["matchLabels"].items() <= labels(one).items(), name
        assert of(objects, "PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("folder", EVERY)
def test_references_lead_somewhere(folder):
    objects = rendered(folder)
    whole = objects + rendered(folder.removesuffix("/jobs"))
    accounts = of(whole, "ServiceAccount")
    priorities = of(rendered("platform"), "PriorityClass")
    secrets = {one["spec"]["target"]["name"] for one in of(whole, "ExternalSecret").values()}
    for name, one in of(objects, *WORKLOADS).items():
        spec = pod(one)
        assert spec["serviceAccountName"] in accounts, name
        assert spec.get("priorityClassName") in {None, *priorities}, name
        for source in spec["containers"][0]["envFrom"]:
            if "configMapRef" in source:
                assert source["configMapRef"]["name"] in of(objects, "ConfigMap"), name
            else:
                assert source["secretRef"]["name"] in secrets, name
        for volume in spec["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets, name
    for name, one in of(objects, "Service").items():
        chosen = [w for w in of(objects, "Deployment", "StatefulSet").values()
                  if one["spec"]["selector"].items() <= labels(w).items()]
        assert len(chosen) == 1, name
        ports = {p["name"] for p in pod(chosen[0])["containers"][0].get("ports", [])}
        assert {p["targetPort"] for p in one["spec"].get("ports", [])} <= ports, name
    for name, one in of(objects, "TargetGroupBinding").items():
        service = of(objects, "Service")[one["spec"]["serviceRef"]["name"]]
        assert one["spec"]["serviceRef"]["port"] in {p["port"] for p in service["spec"]["ports"]}
        assert "networking" not in one["spec"], f"{name}: two groups are on a node's interface"


@pytest.mark.parametrize("size", SIZES)
def test_secrets_and_settings_do_not_say_the_same(size):
    """A variable in both is one that shadows the other, in an order nobody remembers."""
    objects = rendered(f"overlays/{size}")
    secret = of(objects, "ExternalSecret")["oms-secrets"]["spec"]["target"]["template"]["data"]
    assert not set(secret) & set(_env(objects))
    for name in ("DATABASE_URL", "ORDER_STORE_URL", "REDIS_URL", "OMS_SECRET_KEY", "OMS_JWT_KEY"):
        assert name in secret


@pytest.mark.parametrize("size", SIZES)
def test_nothing_speaks_that_was_not_allowed(size):
    found = of(rendered(f"overlays/{size}"), "NetworkPolicy")
    deny = found["default-deny"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, one in found.items():
        for rule in one["spec"].get("egress", []) + one["spec"].get("ingress", []):
            assert rule.get("ports"), name
            for peer in rule.get("to", []) + rule.get("from", []):
                assert peer.get("ipBlock", {}).get("cidr") != "0.0.0.0/0", name
    out = {p["port"] for name in found for r in found[name]["spec"].get("egress", [])
           for p in r["ports"]}
    assert out == {53, 80, 9098, 6379, 27017, 5432}


def test_the_pipeline_may_apply_each_kind_and_no_other():
    role = of(rendered("platform"), "Role")["oms-deploy"]
    allowed = {(group, resource) for rule in role["rules"] if "create" in rule["verbs"]
               for group in rule["apiGroups"] for resource in rule["resources"]}
    used = set()
    for folder in EVERY:
        for one in rendered(folder):
            group = one["apiVersion"].rpartition("/")[0]
            plural = one["kind"].lower()
            plural = plural[:-1] + "ies" if plural.endswith("y") else plural + "s"
            used.add((group, plural))
    assert used == allowed - {("monitoring.coreos.com", "prometheusrules")}
    for rule in role["rules"]:
        assert "secrets" not in rule["resources"] and "*" not in rule["verbs"]


def _env(objects: list[dict]) -> dict[str, str]:
    (found,) = of(objects, "ConfigMap").values()
    return found["data"]
