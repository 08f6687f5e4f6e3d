"""Each module's own tests, run by terraform; and that nobody forgot one."""

import re

import pytest

from tfkit.terraform import SOURCE, Failed

FOLDERS = [".", *sorted(f"modules/{p.name}" for p in (SOURCE / "modules").iterdir())]
BLOCK = re.compile(r'(?ms)^variable "(\w+)" \{(.*?)^\}')


def runs_of(folder: str) -> str:
    return "\n".join(p.read_text() for p in sorted((SOURCE / folder / "tests").glob("*.hcl")))


@pytest.mark.parametrize("folder", FOLDERS)
def test_terraform_test(tree, figures, folder):
    if folder != ".":
        tree.init(folder)
    try:
        out = tree.run("test", "-no-color", cwd=folder)
    except Failed as problem:
        pytest.fail(str(problem))
    passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", out).groups())
    written = len(re.findall(r'(?m)^run "', runs_of(folder)))
    assert (passed, failed) == (written, 0), "a run was skipped"
    before = int(figures.get("terraform test", "0").split()[0])
    figures["terraform test"] = f"{before + passed} runs passed"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_validation_is_seen_refusing(folder):
    """At least as many refusals of a variable as it has validations."""
    text = runs_of(folder)
    for file in (SOURCE / folder).glob("*.tf"):
        for name, body in BLOCK.findall(file.read_text()):
            validations = len(re.findall(r"(?m)^  validation \{", body))
            refusals = len(re.findall(rf"expect_failures = \[var\.{name}\]", text))
            assert refusals >= validations, f"{folder}: {name}: {refusals} of {validations}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_refusal_says_what_to_do(folder):
    for file in (SOURCE / folder).glob("*.tf"):
        for message in re.findall(r'error_message\s*=\s*"(.*)"', file.read_text()):
            assert len(message) > 25 and message[-1] in ".)" and " " in message, message
