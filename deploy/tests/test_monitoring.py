"""Rules that parse, fire when they must and only then; alerts that say where it is written what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy/monitoring"
RULES = sorted(MONITORING.glob("*.rules.yaml"))
WORD = re.compile(r"\boms_[a-z_]+\b")
RECORDED = re.compile(r"\boms:[a-z0-9_:]+\b")


def rules(kind: str) -> list[dict]:
    return [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"]
            for rule in group["rules"] if kind in rule]


def promtool(*arguments: str) -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("NOT PROVEN HERE: no promtool on this machine (Debian: prometheus)")
    done = subprocess.run([found, *arguments], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_are_rules():
    promtool("check", "rules", *(file.name for file in RULES))


def test_each_alert_fires_once_and_none_on_a_calm_day():
    files = sorted(file.name for file in MONITORING.glob("*.test.yaml"))
    promtool("test", "rules", *files)
    tests = [test for file in files
             for test in yaml.safe_load((MONITORING / file).read_text())["tests"]]
    fired = [one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]]
    assert sorted(fired) == sorted(rule["alert"] for rule in rules("alert"))


def test_every_alert_says_where_it_is_written_what_to_do():
    headings = {line[3:].strip().lower() for line in (ROOT / "docs/runbooks.md").read_text().splitlines()
                if line.startswith("## ")}
    for rule in rules("alert"):
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (ROOT / page).exists() and anchor in headings, rule["alert"]
        assert anchor == rule["alert"].lower()
        assert rule["labels"]["severity"] in ("page", "ticket")
    written = headings - {"what is promised"}
    assert written == {rule["alert"].lower() for rule in rules("alert")}


def test_every_metric_is_one_of_ours():
    """As the roles tell them on their inner ports: the registry, and what is asked in the background."""
    code = ("import django; django.setup()\n"
            "from oms_project import health, metrics\n"
            "from prometheus_client import REGISTRY\n"
            "names = {s.name for m in REGISTRY.collect() for s in m.samples} | {m.name for m in REGISTRY.collect()}\n"
            "for source in health.SOURCES: names |= set(source.families)\n"
            "families = {m.name: m.type for m in REGISTRY.collect()}\n"
            "names |= {n + '_total' for n, t in families.items() if t == 'counter'}\n"
            "names |= {n + end for n, t in families.items() if t == 'histogram' for end in ('_bucket', '_count', '_sum')}\n"
            "print(*sorted(n for n in names if n.startswith('oms_')))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={"DJANGO_SETTINGS_MODULE": "oms_project.settings", "PATH": "/usr/bin",
                               "OMS_DATA_DIR": "/tmp/oms-metrics"})
    assert done.returncode == 0, done.stderr[-2000:]
    known, recorded = set(done.stdout.split()), {rule["record"] for rule in rules("record")}
    for rule in rules("expr"):
        for name in WORD.findall(rule["expr"]):
            assert name in known, f"{rule.get('alert', rule.get('record'))}: no role tells {name}"
        for name in RECORDED.findall(rule["expr"]):
            assert name in recorded, f"{rule['alert']}: nobody records {name}"


def test_a_page_or_a_ticket_has_a_promise_or_a_harm():
    for rule in rules("alert"):
        assert len(rule["annotations"]["summary"]) > 10 and rule["annotations"]["description"], rule["alert"]
