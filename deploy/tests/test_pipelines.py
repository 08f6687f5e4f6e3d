"""The pipelines: audited, pinned, with no more rights than they use, and of this repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RIGHTS = {"contents": {"read"}, "id-token": {"write"}}


def steps() -> list[tuple[str, dict]]:
    return [(file.name, step) for file in WORKFLOWS
            for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]


def zizmor(*files: str) -> subprocess.CompletedProcess:
    found = shutil.which("zizmor") or str(Path(sys.executable).with_name("zizmor"))
    if not Path(found).exists():
        pytest.skip("no zizmor on this machine (pip install zizmor)")
    return subprocess.run([found, "--offline", "--no-progress", *files], capture_output=True, text=True, check=False)


def test_zizmor_finds_nothing():
    done = zizmor(str(ROOT / ".github"))
    assert done.returncode == 0, done.stdout


def test_zizmor_would_find_something(tmp_path):
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    bad.write_text("on: pull_request_target\njobs: {x: {runs-on: ubuntu-24.04, steps: ["
                   "{uses: actions/checkout@v4}, {run: 'echo ${{ github.event.pull_request.title }}'}]}}\n")
    done = zizmor(str(bad))
    assert done.returncode != 0 and "dangerous-triggers" in done.stdout and "template-injection" in done.stdout


def test_every_action_is_one_commit_and_says_which_release():
    for file in WORKFLOWS:
        for line in file.read_text().splitlines():
            if "uses:" in line:
                assert re.search(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), f"{file.name}: {line}"


def test_a_job_has_the_rights_it_uses_and_an_end():
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text())
        assert workflow["permissions"] == {}, file.name
        for name, job in workflow["jobs"].items():
            assert job["timeout-minutes"] <= 90, name
            for right, value in job["permissions"].items():
                assert value in RIGHTS[right], f"{file.name}: {name}: {right}"
            takes_a_role = any("configure-aws" in step.get("uses", "") for step in job["steps"])
            assert ("id-token" in job["permissions"]) == takes_a_role, name
            assert ("environment" in job) == takes_a_role, f"{name}: a role is behind an environment's reviewers"


def test_what_they_run_is_in_this_repository():
    makefile = (ROOT / "Makefile").read_text()
    for file, step in steps():
        text = step.get("run", "")
        for target in re.findall(r"\bmake ([a-z-]+)", text):
            assert f"\n{target}:" in makefile, f"{file}: make {target}"
        for path in re.findall(r"(?<![\w/])(?:deploy|terraform|\.ci)/[\w./-]+", text):
            assert (ROOT / path).exists(), f"{file}: {path}"


def test_environments_are_those_that_terraform_trusts():
    """The roles believe one environment each (terraform/modules/ci); applying has the account's own role."""
    used = {job["environment"] for file in WORKFLOWS
            for job in yaml.safe_load(file.read_text())["jobs"].values() if "environment" in job}
    assert used == {"prod", "prod-plan", "prod-terraform"}
    trusted = (ROOT / "terraform/modules/ci/main.tf").read_text()
    assert 'deploy = var.environment, plan = "${var.environment}-plan"' in trusted


def test_what_is_deployed_in_order_is_what_there_is():
    """Every workload of the overlay is watched, and undone."""
    from conftest import rendered
    there = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in rendered("overlays/prod")
             if one["kind"] in ("Deployment", "StatefulSet")}
    text = (ROOT / ".github/workflows/deploy.yml").read_text()
    watch, undo = (set(re.findall(r"(?:deployment|statefulset)/\w+", part))
                   for part in (text.split("- name: Undo")[0], text.split("- name: Undo")[1]))
    assert watch == undo == there
    jobs = {one["metadata"]["name"] for one in rendered("overlays/prod/jobs") if one["kind"] == "Job"}
    assert all(f"job/{name}" in text for name in jobs)
