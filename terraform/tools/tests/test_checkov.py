"""checkov on the source and on the plan: nothing fails without a reason beside the resource."""

import json
import pathlib
import re

import pytest

from tfkit.terraform import SOURCE

SKIP = re.compile(r"#checkov:skip=(\w+):(.*)")
BLOCK = re.compile(r'(?ms)^(?:resource|data) "(\w+)" "(\w+)" \{\n(.*?)^\}')
# A plan has no references, so these see no connection between two resources. Each of them passes
# on the source, where checkov sees it, and is a rule of ours over the applied state.
PLAN_CANNOT_SEE = {
    "CKV2_AWS_6": "the bucket's public access block",
    "CKV_AWS_21": "the bucket's versioning",
    "CKV2_AWS_35": "which subnets a route is for",
    "CKV_AWS_300": "that an empty filter means the whole bucket",
}


def skips() -> dict[tuple[str, str], dict[str, str]]:
    """(type, name) -> {check: reason}, from the comments beside the resources."""
    out: dict = {}
    for file in [*SOURCE.glob("*.tf"), *SOURCE.glob("modules/*/*.tf")]:
        for rtype, name, body in BLOCK.findall(file.read_text()):
            out.setdefault((rtype, name), {}).update(dict(SKIP.findall(body)))
    return out


def resource_of(address: str) -> tuple[str, str]:
    """("aws_x", "y") of module.a.module.b["c"].aws_x.y["z"]."""
    rtype, name = re.search(r"(?:^|\.)(?:data\.)?(aws_\w+)\.(\w+)(?:\[.*\])?$", address).groups()
    return rtype, name


@pytest.fixture(scope="module")
def on_source(checkov, tree):
    return checkov("-d", ".", "--framework", "terraform", cwd=tree.folder)[0]["results"]


def test_the_source_has_no_failed_check(on_source, figures):
    failed = [f"{f['check_id']} {f['resource']}: {f['check_name']}"
              for f in on_source["failed_checks"]]
    assert failed == []
    figures["checkov on the source"] = (
        f"{len(on_source['passed_checks'])} passed, 0 failed, "
        f"{len(on_source['skipped_checks'])} skipped with a reason")
    assert len(on_source["passed_checks"]) > 500


def test_every_skip_has_a_reason():
    found = {(r, c): why for r, checks in skips().items() for c, why in checks.items()}
    assert found
    for (resource, check), reason in found.items():
        assert len(reason.strip()) > 30 and reason.strip().endswith("."), (resource, check)


def test_every_skip_is_of_a_check_that_looks_there(on_source, on_plans):
    """A skip of a misspelt check, or beside the wrong resource, hides nothing and explains less."""
    used = {(resource_of(s["resource"]), s["check_id"]) for s in on_source["skipped_checks"]}
    used |= {(resource_of(f["resource"]), f["check_id"]) for _, f in on_plans}
    written = {(resource, check) for resource, checks in skips().items() for check in checks}
    assert written - used == set()


@pytest.fixture(scope="module")
def on_plans(checkov, run_of, tmp_path_factory, figures):
    """(size, failed check) over the second plans, whose values are all known."""
    folder, files = tmp_path_factory.mktemp("plans"), []
    for size in ("dev", "prod"):
        (folder / f"{size}.json").write_text(json.dumps(run_of(size).second))
        files += ["-f", f"{size}.json"]
    report, *_ = checkov(*files, "--framework", "terraform_plan", cwd=folder)
    passed = len(report["results"]["passed_checks"])
    failed = [(pathlib.Path(f["file_path"]).stem, f) for f in report["results"]["failed_checks"]]
    assert {size for size, _ in failed} <= {"dev", "prod"}
    figures["checkov on the plans"] = (
        f"{passed} passed, {len(failed)} failed, each explained in the source")
    assert passed > 800
    return failed


def test_a_failed_check_of_a_plan_has_its_reason_in_the_source(on_plans):
    reasons = skips()
    unexplained = [
        f"{size}: {f['check_id']} {f['resource']}: {f['check_name']}" for size, f in on_plans
        if f["check_id"] not in PLAN_CANNOT_SEE
        and f["check_id"] not in reasons.get(resource_of(f["resource"]), {})]
    assert unexplained == []


def test_what_a_plan_cannot_see_is_seen_in_the_source(on_source):
    passed = {f["check_id"] for f in on_source["passed_checks"]}
    skipped = {f["check_id"] for f in on_source["skipped_checks"]}
    assert set(PLAN_CANNOT_SEE) <= passed and not set(PLAN_CANNOT_SEE) & skipped
