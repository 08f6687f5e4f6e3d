"""Terraform fits the application, and one contract says so. What was planted is found."""

import json
import re
import subprocess

import pytest
import settings

from tests.test_planted import Plant, plant
from tfkit import contract, terraform

APP = terraform.TOOLS / "app" / "facts.py"
PYTHON = terraform.SOURCE.parent / ".venv/bin/python"
INVENTED = re.compile(r"\b[0-9a-f]{6,17}\b")  # the stand-in's ids: every run's own
SECRET = "p@ss/w:rd%?#&=+ é"  # a password that only a quoted one survives


def ask(what: str, given: object = None) -> object:
    """What the application says of itself."""
    assert PYTHON.exists(), "the application's environment is missing: make setup"
    done = subprocess.run([str(PYTHON), str(APP), what], input=json.dumps(given), text=True,
                          capture_output=True, check=False, cwd=APP.parent, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def facts():
    return ask("names")


@pytest.fixture(scope="session")
def lines():
    return ask("lines")


@pytest.fixture(scope="session")
def seen(figures):
    found = ask("rights")
    figures["roles seen at work"] = ", ".join(sorted(set(found) - {"prepare", "nobody"}))
    return found


def applied(state: dict) -> tuple[list[dict], dict]:
    outputs = {k: v["value"] for k, v in state["values"]["outputs"].items()}
    return terraform.resources(state), outputs


@pytest.mark.parametrize("size", ["dev", "prod"])
def test_terraform_fits_the_application(run_of, size, facts, lines, seen):
    state, outputs = applied(run_of(size).state)
    assert contract.broken(state, outputs, facts, lines, seen) == []


@pytest.mark.parametrize("size", ["dev", "prod"])
def test_the_overlay_holds_these_outputs(run_of, size):
    """What deploy/tools/settings.py makes of the outputs is what the overlay of that size holds."""
    _, outputs = applied(run_of(size).state)
    for name, text in settings.files(outputs).items():
        held = (settings.OVERLAYS / size / name).read_text()
        assert INVENTED.sub("*", held) == INVENTED.sub("*", text), \
            f"{size}/{name}: run terraform/tools/update_docs.sh"


@pytest.mark.parametrize("size", ["dev", "prod"])
def test_every_adapter_reads_its_url(run_of, size):
    """As a pod would have it, with a password full of what URLs are made of."""
    _, outputs = applied(run_of(size).state)
    got = ask("read", contract.filled(outputs, SECRET))
    assert got["unsafe"] == [] and got["unknown"] == []
    assert len(got["brokers"]) == 3 and all(b.endswith(":9098") for b in got["brokers"])
    assert got["security"] == {"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}
    mongo = got["mongo"]
    assert mongo.pop("username").startswith("documentdb-username")
    assert mongo == {"tls": True, "replica_set": "rs0", "retry_writes": False, "database": "oms",
                     "password": SECRET, "source": "admin"}
    assert got["database"]["PASSWORD"] == SECRET and got["database"]["sslmode"] == "verify-full"
    assert got["redis"]["certificates"] == "required" and got["redis"]["host"]
    assert got["inner"] == ["0.0.0.0", 9100]
    assert len(got["proxies"]) == 3 and got["hosts"]


# Each was planted once and went unnoticed; each is noticed by what it says here.
MISTAKES = {
    "the projector loses its events": Plant(
        "iam.tf", 'projector  = { writes = ["oms.deadletter"], reads = ["oms.events", ',
        'projector  = { writes = ["oms.deadletter"], reads = [',
        "projector: was seen to read oms.events, and may not"),
    "groups cannot be joined": Plant(
        "iam.tf", '"kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"',
        '"kafka-cluster:DescribeGroup"', "engine: was seen to member oms-engine, and may not"),
    "groups under another name": Plant(
        "iam.tf", "looks = [\"oms-engine\"] }\n    # The one writer",
        "looks = [\"orders-engine\"] }\n    # The one writer",
        "web: was seen to look oms-engine, and may not"),
    "pods are never registered": Plant(
        "iam.tf", '"elasticloadbalancing:RegisterTargets", ', "",
        "cannot elasticloadbalancing:RegisterTargets"),
    "two secrets nobody can read": Plant(
        "iam.tf", "module.documentdb.master_secret_arn, module.postgres.master_secret_arn])", "])",
        "external-secrets: cannot read"),
    "a variable nobody reads": Plant(
        "outputs.tf", "OMS_ALLOWED_HOSTS   =", "OMS_HOSTS           =",
        "OMS_HOSTS: no such variable"),
    "a topic under another name": Plant(
        "main.tf", '"oms.prices"     =', '"oms.price"      =',
        "topic oms.price: the application knows no such topic"),
    "nodes reach everything": Plant(
        "modules/security_groups/main.tf", "  from_port         = 443\n  to_port           = 443",
        "  from_port         = 1\n  to_port           = 65535", "a way out on 1-65535"),
    "a store that cannot fail over": Plant(
        "modules/documentdb/outputs.tf", "&replicaSet=rs0", "", "replica_set"),
    "a cluster that resizes others": Plant(
        "iam.tf", 'variable = "aws:ResourceTag/eks:cluster-name"',
        'variable = "aws:RequestedRegion"',
        "may resize other clusters' groups"),
    "nodes under another label": Plant(
        "modules/eks/nodes.tf", '{ "oms/node-group" = each.key }', '{ "oms/nodes" = each.key }',
        "manifests want oms/node-group"),
    "a metric that is none": Plant(
        "modules/msk/alarms.tf", 'system = "CpuSystem"', 'system = "CpuSystems"',
        "there is no metric AWS/Kafka CpuSystems"),
    "a dimension that is none": Plant(
        "modules/redis/alarms.tf", "{ CacheClusterId =", "{ CacheClusterID =",
        "has the dimensions ['CacheClusterId']"),
    "a filter that finds nothing": Plant(
        "modules/observability/main.tf", '$.event = \\"dead_letter\\"',
        '$.event = \\"deadletter\\"', "filter dead-letters: finds []"),
    "a level that nobody writes": Plant(
        "modules/observability/main.tf", '$.level = \\"error\\"', '$.level = \\"ERROR\\"',
        "filter errors: finds"),
    "the load balancer reaches every port": Plant(
        "modules/security_groups/main.tf", "first = var.app_port, last = var.app_port",
        "first = 1025, last = 65535", "the load balancer reaches"),
    "health is asked on the public port": Plant(
        "modules/alb/main.tf", "port                = tostring(var.health_port)",
        'port                = "traffic-port"', "asks traffic-port/readyz"),
    "an engine without prices": Plant(
        "iam.tf", 'reads = ["oms.commands", "oms.events", "oms.prices", "oms.deadletter"], '
        'member = ["oms-engine"]', 'reads = ["oms.commands", "oms.events", "oms.deadletter"], '
        'member = ["oms-engine"]', "engine: was seen to read oms.prices, and may not"),
    "a right nobody uses": Plant(
        "iam.tf", 'writes = ["oms.prices", "oms.commands"]',
        'writes = ["oms.prices", "oms.commands", "oms.events"]',
        "marketdata: may write oms.events, and was never seen to"),
    "nobody hears that trading stopped": Plant(
        "main.tf", "    oms-engine    = {", "    oms-engines   = {",
        "oms-engine: nobody is told when it stops"),
}


@pytest.fixture(scope="module")
def found(new_tree, facts, lines, seen):
    """One copy with all of them, applied: every sentence."""
    tf = new_tree("contract")
    for mistake in MISTAKES.values():
        plant(tf, mistake.file, mistake.old, mistake.new)
    tf.init()
    tf.plan("dev")
    state, outputs = applied(tf.apply("dev"))
    sentences = contract.broken(state, outputs, facts, lines, seen)
    read = ask("read", {"OMS_ALLOWED_HOSTS": "x"} | contract.filled(outputs, SECRET))
    if read["mongo"]["replica_set"] != "rs0":
        sentences.append(f"replica_set is {read['mongo']['replica_set']}")
    return sentences


@pytest.mark.parametrize("name", MISTAKES)
def test_the_contract_notices(found, name):
    assert any(MISTAKES[name].says in sentence for sentence in found), found


KEPT = {
    "modules/msk/main.tf": ("aws_msk_cluster", "aws_msk_topic"),
    "modules/documentdb/main.tf": ("aws_docdb_cluster",),
    "modules/postgres/main.tf": ("aws_db_instance",),
    "modules/kms/main.tf": ("aws_kms_key",),
    "modules/s3/main.tf": ("aws_s3_bucket",),
}


@pytest.mark.parametrize("file", sorted(KEPT))
def test_what_must_not_be_lost_is_protected(file):
    """The log, its keys, the stores and the archive."""
    text = (terraform.SOURCE / file).read_text()
    for kind in KEPT[file]:
        block = re.search(rf'(?ms)^resource "{kind}" "this" \{{\n(.*?)^\}}', text).group(1)
        assert terraform.PROTECTED in block, kind


def test_a_plan_that_would_destroy_is_refused(tmp_path, socket, run_of):
    """Terraform names what stands in the way first; what is behind it is not looked at."""
    kept = terraform.Terraform(tmp_path / "kept", socket, protected=True)
    done = run_of("dev")
    (kept.folder / "dev.tfstate").write_text((done.folder / "dev.tfstate").read_text())
    kept.init()
    with pytest.raises(terraform.Failed) as refused:
        kept.run("plan", "-destroy", "-no-color", "-input=false", "-state=dev.tfstate",
                 f"-var-file={terraform.SIZES['dev']}")
    said = " ".join(str(refused.value).replace("│", " ").split())
    named = set(re.findall(r"Resource (\S+) has lifecycle.prevent_destroy set", said))
    assert {"module.documentdb.aws_docdb_cluster.this", "module.postgres.aws_db_instance.this",
            'module.msk.aws_msk_topic.this["oms.commands"]'} <= named, named
