"""The documentation is of this tree."""

import re

import pytest

from tfkit import docs
from tfkit.terraform import SIZES, SOURCE


@pytest.mark.parametrize("module", docs.modules(), ids=lambda p: p.name)
def test_a_modules_tables_are_current(module):
    assert (module / "README.md").read_text() == docs.renewed(module), \
        "run terraform/tools/update_docs.sh"


def test_the_readme_names_every_module_and_size():
    text = (SOURCE / "README.md").read_text()
    for module in docs.modules():
        assert f"`{module.name}`" in text, module.name
    for size, file in SIZES.items():
        assert size in text and file in text


@pytest.mark.parametrize("file", ["README.md", "../docs/infrastructure.md"])
def test_links_lead_somewhere(file):
    path = SOURCE / file
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{file}: {target}"


@pytest.mark.parametrize("file", sorted(SIZES.values()))
def test_a_tfvars_file_knows_only_our_variables(file):
    declared = set(re.findall(r'(?m)^variable "(\w+)"', (SOURCE / "variables.tf").read_text()))
    given = set(re.findall(r"(?m)^(\w+)\s*=", (SOURCE / file).read_text()))
    assert given <= declared
