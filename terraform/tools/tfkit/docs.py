"""The generated parts of the documentation: inputs and outputs of each module, the cost table.

    python -m tfkit.docs            renews the modules' READMEs
"""

from __future__ import annotations

import pathlib
import re

from tfkit.terraform import SOURCE

BEGIN, END = "<!-- inputs and outputs: generated -->\n", "<!-- inputs and outputs: end -->\n"
BLOCK = re.compile(r'(?ms)^(variable|output) "(\w+)" \{\n(.*?)^\}')


def _description(body: str) -> str:
    heredoc = re.search(r"(?ms)^  description = <<-EOT\n(.*?)^  EOT", body)
    if heredoc:
        return " ".join(heredoc.group(1).split())
    return re.search(r'(?m)^  description\s*=\s*"(.*)"$', body).group(1).replace('\\"', '"')


def _default(body: str) -> str:
    found = re.search(r"(?ms)^  default\s*=\s*(.*?)$(?=\n  \w|\n\n|\n?\Z)", body)
    return f"`{' '.join(found.group(1).split())}`" if found else "required"


def tables(module: pathlib.Path) -> str:
    """Markdown tables of what goes into a module and what comes out."""
    text = "\n".join(p.read_text() for p in sorted(module.glob("*.tf")))
    found = {"variable": [], "output": []}
    for kind, name, body in BLOCK.findall(text):
        found[kind].append((name, body))
    out = ["", "| input | what it is | default |", "|---|---|---|"]
    out += [f"| `{n}` | {_description(b)} | {_default(b)} |" for n, b in found["variable"]]
    out += ["", "| output | what it is |", "|---|---|"]
    out += [f"| `{n}` | {_description(b)} |" for n, b in found["output"]]
    return "\n".join(out) + "\n\n"


def renewed(module: pathlib.Path) -> str:
    """A module's README with its tables made anew."""
    before, rest = (module / "README.md").read_text().split(BEGIN)
    return before + BEGIN + tables(module) + END + rest.split(END)[1]


def modules() -> list[pathlib.Path]:
    return sorted(p for p in (SOURCE / "modules").iterdir() if p.is_dir())


if __name__ == "__main__":
    for one in modules():
        (one / "README.md").write_text(renewed(one))
