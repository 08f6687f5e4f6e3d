"""What the tests share: rendered overlays, and one control plane for all."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import controlplane
import pytest
import yaml

KUBERNETES = Path(__file__).resolve().parents[1] / "kubernetes"
SIZES = ("dev", "prod", "peak")
FIGURES: dict[str, str] = {}


def pytest_terminal_summary(terminalreporter) -> None:
    for name, value in FIGURES.items():
        terminalreporter.write_line(f"deploy: {name}: {value}")
    if not controlplane.is_built():
        terminalreporter.write_line("deploy: SKIPPED the control plane: it is not built. "
                                    "OMS_DEPLOY_TEST=1 make deploy-test builds it (minutes, Go)")


@functools.cache
def text(folder: str) -> str:
    """A folder of deploy/kubernetes as kubectl renders it."""
    done = subprocess.run(["kubectl", "kustomize", str(KUBERNETES / folder)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(folder: str) -> list[dict]:
    return [one for one in yaml.safe_load_all(text(folder)) if one]


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory):
    """A running control plane with the definitions of the custom resources and the platform."""
    if not controlplane.is_built():
        pytest.skip("the control plane is not built (OMS_DEPLOY_TEST=1 make deploy-test)")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    with controlplane.ControlPlane(tmp_path_factory.mktemp("plane")) as plane:
        FIGURES["control plane up"] = f"{plane.seconds:.1f} s"
        for file in controlplane.crds():
            plane.kubectl("apply", "--server-side", "-f", str(file))
        plane.kubectl("apply", "-f", "-", given=text("platform"))
        plane.until(lambda: len(plane.get("crd")) == 4 and all(
            any(c["type"] == "Established" and c["status"] == "True"
                for c in one.get("status", {}).get("conditions", [])) for one in plane.get("crd")))
        yield plane
