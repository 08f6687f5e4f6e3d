"""A real Kubernetes API without a cluster: etcd, kube-apiserver, controller-manager, scheduler; kwok's nodes.

Built from source by Go, once, into ~/.cache/crypto-oms (about 9 minutes on two busy cores, 3 idle), then up in seconds. What
it proves and what not is in deploy/README.md. Everything listens on 127.0.0.1 and ends with its process.

    python deploy/tools/controlplane.py build
    python deploy/tools/controlplane.py status      # is it built?
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

KUBERNETES, ETCD, KWOK = "1.35.4", "3.6.5", "0.8.0"
CRDS = {  # module -> version, and where in it the definition is
    "github.com/external-secrets/external-secrets": (
        "v1.3.2", "config/crds/bases/external-secrets.io_externalsecrets.yaml"),
    "github.com/kedacore/keda/v2": ("v2.21.0", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    "github.com/prometheus-operator/prometheus-operator": (
        "v0.85.0", "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"),
}
BY_HAND = Path(__file__).with_name("targetgroupbinding.yaml")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "crypto-oms"
BUILT = CACHE / f"kubernetes-{KUBERNETES}"
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
STAGING = """api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider
cluster-bootstrap code-generator component-base component-helpers controller-manager cri-api cri-client
csi-translation-lib dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator
kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission
sample-apiserver sample-cli-plugin sample-controller""".split()
STAGES = Path(__file__).with_name("kwok-stages.yaml")
READY_S = 120.0


def is_built() -> bool:
    return all((BUILT / name).exists() for name in NAMES)


# ------------------------------------------------------------------ building
def build(tell=print) -> None:
    """Build what is missing. Needs Go and the module proxy (or a warm module cache)."""
    go = shutil.which("go")
    if go is None:
        raise SystemExit("no Go on this machine: install Go 1.25 or newer to build the control plane")
    BUILT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    source = BUILT / "source"
    _module(source / "kubernetes", f"""module controlplane

go 1.25.0

require k8s.io/kubernetes v{KUBERNETES}
require go.etcd.io/etcd/server/v3 v{ETCD}

replace (
""" + "".join(f"\tk8s.io/{one} => k8s.io/{one} v0.{KUBERNETES[2:]}\n" for one in STAGING) + ")\n", [
        "go.etcd.io/etcd/server/v3", *(f"k8s.io/kubernetes/cmd/{name}" for name in NAMES[1:4])])
    _module(source / "kwok", f"module nodes\n\ngo 1.25.0\n\nrequire sigs.k8s.io/kwok v{KWOK}\n",
            ["sigs.k8s.io/kwok/cmd/kwok"])
    for name, folder, package in (
        *((name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}") for name in NAMES[1:4]),
        ("etcd", "kubernetes", "go.etcd.io/etcd/server/v3"),
        ("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    ):
        if (BUILT / name).exists():
            continue
        tell(f"building {name} …")
        part = BUILT / f"{name}.part"
        _go(source / folder, "build", "-trimpath", "-ldflags=-s -w", "-o", str(part), package)
        part.replace(BUILT / name)
    tell(f"control plane built in {time.monotonic() - began:.0f} s: {BUILT}")


def _module(folder: Path, mod: str, packages: list[str]) -> None:
    """A module that only names what is built; go.sum is checked against Go's own database."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "go.sum").exists():
        return
    (folder / "go.mod").write_text(mod)
    lines = "\n".join(f'\t_ "{name}"' for name in packages)
    (folder / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\nimport (\n{lines}\n)\n")
    _go(folder, "mod", "tidy")


def _go(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["go", *arguments], cwd=folder, capture_output=True, text=True,
                          check=False, env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"})
    if done.returncode:
        raise SystemExit(f"go {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


def crds() -> list[Path]:
    """The custom resources' definitions, from the modules that publish them."""
    found = [BY_HAND]
    for module, (version, path) in CRDS.items():
        kept = BUILT / "crds" / f"{module.replace('/', '_')}@{version}.yaml"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            folder = json.loads(_go(BUILT, "mod", "download", "-json", f"{module}@{version}"))["Dir"]
            shutil.copyfile(Path(folder) / path, kept)
        found.append(kept)
    return found


# ------------------------------------------------------------------ running
class ControlPlane:
    """The five processes, with a certificate authority of their own. A context manager."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.seconds = 0.0
        self.kubeconfig = folder / "kubeconfig"
        self._processes: list[tuple[str, subprocess.Popen]] = []

    def __enter__(self) -> ControlPlane:
        began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keys()
        client, peer, api, controllers, scheduler, kwok = (_free_port() for _ in range(6))
        store, pki = f"http://127.0.0.1:{client}", self.folder / "pki"
        others = f"http://127.0.0.1:{peer}"
        try:
            self._start("etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", store,
                        "--advertise-client-urls", store, "--listen-peer-urls", others,
                        "--initial-advertise-peer-urls", others, "--unsafe-no-fsync",
                        "--initial-cluster", f"default={others}")
            self._start(
                "kube-apiserver", "--etcd-servers", store, "--bind-address=127.0.0.1",
                f"--secure-port={api}", "--advertise-address=127.0.0.1",
                f"--tls-cert-file={pki}/api.crt", f"--tls-private-key-file={pki}/api.key",
                f"--client-ca-file={pki}/ca.crt", f"--service-account-key-file={pki}/sa.pub",
                f"--service-account-signing-key-file={pki}/sa.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC,Node",
                "--enable-admission-plugins=NodeRestriction", "--allow-privileged=false")
            self._write_kubeconfig(api)
            self.until(lambda: self.kubectl("get", "--raw", "/readyz", ok=(0, 1)).strip() == "ok")
            config = f"--kubeconfig={self.kubeconfig}"
            self._start("kube-controller-manager", config, "--leader-elect=false",
                        f"--service-account-private-key-file={pki}/sa.key",
                        f"--root-ca-file={pki}/ca.crt", "--bind-address=127.0.0.1",
                        f"--secure-port={controllers}", "--concurrent-deployment-syncs=5",
                        "--node-monitor-grace-period=1h")
            self._start("kube-scheduler", config, "--leader-elect=false",
                        "--bind-address=127.0.0.1", f"--secure-port={scheduler}")
            self._start("kwok", config, f"--config={STAGES}", "--manage-all-nodes=true",
                        f"--server-address=127.0.0.1:{kwok}", "--disregard-status-with-annotation-selector=")
        except BaseException:
            self.__exit__()
            raise
        self.seconds = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        for _, process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for _, process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kubectl(self, *arguments: str, given: str = "", ok: tuple[int, ...] = (0,)) -> str:
        """What kubectl printed; stderr too where it may fail.

        Raises:
            AssertionError: it ended with another code.
        """
        done = subprocess.run(["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments],
                              input=given, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode in ok, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if ok != (0,) else "")

    def get(self, *arguments: str) -> list[dict]:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))["items"]

    def until(self, holds, seconds: float = READY_S) -> float:
        """Wait until *holds*; return how long that took.

        Raises:
            TimeoutError: it did not, or a process of the control plane ended.
        """
        began = time.monotonic()
        while not holds():
            for name, process in self._processes:
                if process.poll() is not None:
                    text = (self.folder / f"{name}.log").read_text()[-2000:]
                    raise TimeoutError(f"{name} ended with {process.returncode}: {text}")
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"not within {seconds:.0f} s")
            time.sleep(0.25)
        return time.monotonic() - began

    def nodes(self, groups: dict[str, dict]) -> None:
        """Nodes as EKS would bring them: label, zone and taint of each group."""
        made = []
        for group, one in groups.items():
            for number in range(one["count"]):
                zone = f"us-east-1{'abc'[number % 3]}"
                name = f"{group}-{number}"
                taints = [{"key": "oms/dedicated", "value": group, "effect": "NoSchedule"}]
                size = {"cpu": one["cpu"], "memory": one["memory"], "pods": "58"}
                made.append({
                    "apiVersion": "v1", "kind": "Node",
                    "metadata": {"name": name, "labels": {
                        "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
                        "oms/node-group": group}},
                    "spec": {"taints": taints if one.get("taint") else []},
                    "status": {"allocatable": size, "capacity": size}})
        self.kubectl("apply", "-f", "-", given=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": made}))

    # -------------------------------------------------------------- processes and keys

    def _start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen([str(BUILT / name), *arguments], stdout=log, stderr=log,
                                       cwd=self.folder)
        self._processes.append((name, process))

    def _keys(self) -> None:
        pki = self.folder / "pki"
        pki.mkdir(exist_ok=True)

        def openssl(*arguments: str) -> None:
            subprocess.run(["openssl", *arguments], cwd=pki, check=True, capture_output=True)
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
                "-subj", "/CN=ca")
        openssl("genrsa", "-out", "sa.key", "2048")
        openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
        (pki / "names").write_text("subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:kubernetes.default.svc")
        for name, subject, more in (("admin", "/O=system:masters/CN=admin", ()),
                                    ("api", "/CN=kube-apiserver", ("-extfile", "names"))):
            openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                    "-CAcreateserial", "-out", f"{name}.crt", "-days", "2", *more)

    def _write_kubeconfig(self, port: int) -> None:
        pki = self.folder / "pki"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": {
                "server": f"https://127.0.0.1:{port}", "certificate-authority": f"{pki}/ca.crt"}}],
            "users": [{"name": "admin", "user": {"client-certificate": f"{pki}/admin.crt",
                                                 "client-key": f"{pki}/admin.key"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}]}))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def main() -> None:
    command = sys.argv[1] if len(sys.argv) == 2 else ""
    if command == "build":
        build()
        crds()
    elif command == "status":
        sys.exit(0 if is_built() else 1)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
