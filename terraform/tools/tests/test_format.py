"""Form: formatted, valid, complete, pinned, and nothing from a registry but the provider."""

import re

import pytest

from tfkit.terraform import SOURCE

MODULES = sorted(p.name for p in (SOURCE / "modules").iterdir() if p.is_dir())


def test_every_file_is_formatted(tree):
    tree.run("fmt", "-check", "-recursive", "-diff")


def test_the_root_is_valid(tree):
    assert "The configuration is valid" in tree.run("validate", "-no-color")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_complete(module):
    folder = SOURCE / "modules" / module
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"):
        assert (folder / name).is_file(), f"{module} has no {name}"
    assert list((folder / "tests").glob("*.tftest.hcl")), f"{module} has no tests"


def test_modules_are_local():
    for file in SOURCE.rglob("*.tf"):
        if any(part.startswith(".") for part in file.relative_to(SOURCE).parts):
            continue
        for source in re.findall(r'(?m)^\s+source\s*=\s*"(.*?)"', file.read_text()):
            assert source.startswith("./") or source == "hashicorp/aws", f"{file}: {source}"


def test_the_lock_file_pins_the_version_that_is_tested(schema):
    lock = (SOURCE / ".terraform.lock.hcl").read_text()
    assert f'version     = "{schema["provider_version"]}"' in lock


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_every_variable_and_output_says_what_it_is(kind):
    for file in [*SOURCE.glob("*.tf"), *SOURCE.glob("modules/*/*.tf")]:
        for name, body in re.findall(rf'(?ms)^{kind} "(\w+)" \{{(.*?)^\}}', file.read_text()):
            assert "description" in body, f"{file}: {kind} {name} has no description"
