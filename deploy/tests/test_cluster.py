"""The overlays on a real Kubernetes API: accepted, scheduled, rolled, a zone lost, mistakes refused."""

from __future__ import annotations

import threading
import time

import pytest
import yaml
from conftest import FIGURES, SIZES, rendered, text

DEPLOYER = ("--as=pipeline", "--as-group=oms:deploy", "--as-group=system:authenticated")
NODES = {
    "dev": {"general": {"count": 3, "cpu": "2", "memory": "8Gi"}},
    "prod": {"general": {"count": 6, "cpu": "2", "memory": "8Gi"},
             "engine": {"count": 6, "cpu": "2", "memory": "8Gi", "taint": True}},
    "peak": {"general": {"count": 12, "cpu": "4", "memory": "16Gi"},
             "engine": {"count": 12, "cpu": "16", "memory": "32Gi", "taint": True}},
}
ALL_S = 120.0


def pods(plane, role: str = "") -> list[dict]:
    chosen = f"app.kubernetes.io/name={role}" if role else "app.kubernetes.io/part-of=crypto-oms"
    return [one for one in plane.get("pods", "-n", "oms", "-l", chosen)
            if "deletionTimestamp" not in one["metadata"]]


def is_ready(pod: dict) -> bool:
    found = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return found.get("Ready") == "True"


def is_up(plane) -> bool:
    """Every Deployment and StatefulSet has what it wants, of the newest template."""
    for one in plane.get("deployments,statefulsets", "-n", "oms"):
        wanted, status = one["spec"]["replicas"], one.get("status", {})
        if status.get("observedGeneration") != one["metadata"]["generation"]:
            return False
        if min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0)) < wanted:
            return False
        if status.get("replicas", 0) != wanted:
            return False
    minimum = {h["spec"]["scaleTargetRef"]["name"]: h["spec"]["minReplicas"]
               for h in plane.get("hpa", "-n", "oms")}
    return len(pods(plane, "web")) >= minimum.get("web", 0)


@pytest.fixture(scope="module", params=SIZES)
def size(request, plane):
    """One overlay, applied by the pipeline's own rights, on the nodes terraform gives that size."""
    name = request.param
    plane.nodes(NODES[name])
    began = time.monotonic()
    for folder in (f"overlays/{name}/jobs", f"overlays/{name}"):
        plane.kubectl("apply", "--validate=strict", "-f", "-", *DEPLOYER, given=text(folder))
    applied_s = time.monotonic() - began
    took_s = plane.until(lambda: is_up(plane), ALL_S)
    FIGURES[f"{name} applied"] = f"{applied_s:.1f} s, available {took_s:.1f} s later, {len(pods(plane))} pods"
    yield name
    for kinds in ("deployments,statefulsets,hpa,scaledobjects", "jobs,cronjobs,pdb", "pods"):
        plane.kubectl("delete", kinds, "--all", "-n", "oms", "--wait=true", "--timeout=60s")
    plane.kubectl("delete", "nodes", "--all")


def test_all_of_it_runs_and_the_jobs_complete(size, plane):
    assert {one["metadata"]["labels"]["app.kubernetes.io/name"] for one in pods(plane) if is_ready(one)} >= {
        "web", "engine", "projector", "marketdata", "pusher", "worker", "beat"}
    plane.until(lambda: all(one.get("status", {}).get("succeeded") == 1
                            for one in plane.get("jobs", "-n", "oms")), ALL_S)


def test_pods_stand_in_every_zone(size, plane):
    zone_of = {n["metadata"]["name"]: n["metadata"]["labels"]["topology.kubernetes.io/zone"]
               for n in plane.get("nodes")}
    for role in ("web", "engine", "projector"):
        found = [zone_of[one["spec"]["nodeName"]] for one in pods(plane, role)]
        most, least = (f([found.count(z) for z in set(zone_of.values())]) for f in (max, min))
        assert most - least <= 1, (role, found)


def test_engines_have_their_nodes_to_themselves(size, plane):
    if "engine" not in NODES[size]:
        pytest.skip("dev has one group of nodes")
    for one in pods(plane):
        own = one["spec"]["nodeName"].startswith("engine-")
        assert own == (one["metadata"]["labels"]["app.kubernetes.io/name"] == "engine")


def test_a_rollout_never_has_fewer_doors(size, plane):
    """A new template of web, watched all the time."""
    before = len(pods(plane, "web"))
    least, stop = [before], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            least[0] = min(least[0], sum(map(is_ready, pods(plane, "web"))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        plane.kubectl("rollout", "restart", "deployment/web", "-n", "oms", *DEPLOYER)
        FIGURES[f"{size} web rolled"] = f"{plane.until(lambda: is_up(plane), ALL_S):.1f} s"
    finally:
        stop.set()
        watcher.join()
    assert least[0] >= before


def test_it_comes_back_when_a_zone_is_lost(size, plane):
    """Every node of one zone is drained, disruption budgets and all."""
    lost = "topology.kubernetes.io/zone=us-east-1a"
    plane.kubectl("drain", "-l", lost, "--force", "--ignore-daemonsets", "--delete-emptydir-data",
                  "--timeout=120s")
    try:
        took_s = plane.until(lambda: is_up(plane), ALL_S)
        FIGURES[f"{size} zone lost"] = f"all running {took_s:.1f} s after the drain"
    finally:
        plane.kubectl("uncordon", "-l", lost)


# ------------------------------------------------------------------ what must be refused
def _web(plant) -> str:
    (found,) = [one for one in rendered("overlays/dev")
                if one["kind"] == "Deployment" and one["metadata"]["name"] == "web"]
    found["metadata"]["name"] = "planted"
    plant(found["spec"]["template"]["spec"])
    return yaml.safe_dump(found)


def _misspelt(spec: dict) -> None:
    spec["containers"][0]["readinesProbe"] = spec["containers"][0].pop("readinessProbe")


def _unit(spec: dict) -> None:
    spec["containers"][0]["resources"]["limits"]["memory"] = "1 GB"


def _secret_twice(spec: dict) -> None:
    spec["containers"][0]["envFrom"].append({"secretRef": {}, "configMapRef": {"name": "x"}})


@pytest.mark.parametrize(("plant", "says"), [
    (_misspelt, "readinesProbe"), (_unit, "quantities must match"), (_secret_twice, "more than one field")])
def test_a_mistake_in_a_pod_is_refused(plane, plant, says):
    said = plane.kubectl("apply", "--validate=strict", "-f", "-", given=_web(plant), ok=(1,))
    assert says in said


@pytest.mark.parametrize(("field", "value", "says"), [
    ("runAsNonRoot", False, "runAsNonRoot"), ("seccompProfile", {"type": "Unconfined"}, "seccompProfile"),
])
def test_a_pod_with_rights_is_refused(plane, field, value, says):
    (web,) = [one for one in rendered("overlays/dev")
              if one["kind"] == "Deployment" and one["metadata"]["name"] == "web"]
    spec = web["spec"]["template"]["spec"]
    spec["securityContext"][field] = value
    spec["serviceAccountName"] = "default"  # that of web need not be there
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "planted", "namespace": "oms"}, "spec": spec}
    said = plane.kubectl("create", "-f", "-", given=yaml.safe_dump(pod), ok=(1,))
    assert "violates PodSecurity" in said and says in said


def test_a_target_group_of_nodes_and_other_things_is_refused(plane):
    (binding, *_) = [one for one in rendered("overlays/dev") if one["kind"] == "TargetGroupBinding"]
    binding["metadata"]["name"] = "planted"
    for field, value in (("targetType", "pods"), ("serviceRef", {"name": "web"})):
        spec = binding["spec"] | {field: value}
        said = plane.kubectl("apply", "--validate=strict", "-f", "-", ok=(1,),
                             given=yaml.safe_dump(binding | {"spec": spec}))
        assert field in said


@pytest.mark.parametrize(("verb", "resource"), [
    ("create", "namespaces"), ("get", "secrets"), ("create", "pods/exec"), ("create", "roles"),
    ("create", "clusterrolebindings"), ("delete", "nodes")])
def test_the_pipeline_may_not(plane, verb, resource):
    said = plane.kubectl("auth", "can-i", verb, resource, "-n", "oms", *DEPLOYER, ok=(0, 1))
    assert said.split()[0] == "no" or said.strip().endswith("no"), said
