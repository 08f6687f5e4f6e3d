"""House rules a linter cannot say: what the pure core may import, no float in it, short files."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APPS = ("oms_project", "orders", "risk", "marketdata")
PURE = ("oms_project/kernel", "orders/domain", "risk/domain", "marketdata/domain")
PURE_IMPORTS = {
    "array", "bisect", "collections", "dataclasses", "decimal", "enum", "fractions", "functools", "hashlib",
    "heapq", "itertools", "re", "types", "typing", "zlib", "msgspec",
    "oms_project.kernel", "orders.domain", "risk.domain", "marketdata.domain",
    "rbloom", "xxhash",  # pure functions of bytes: orders/domain/used.py, ADR 0011
}  # fmt: skip
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def _files(*folders: str) -> list[Path]:
    found = [p for f in folders for p in sorted((ROOT / f).rglob("*.py"))]
    return [p for p in found if "migrations" not in p.parts]


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", _files(*PURE), ids=_id)
def test_pure_core_imports_only_the_allowed(path: Path) -> None:
    """An allow-list, so that nothing new gets in by being forgotten."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            allowed = any(name == a or name.startswith(f"{a}.") for a in PURE_IMPORTS)
            assert allowed, f"{_id(path)}:{node.lineno} imports {name}"


NOT_MONEY = ("orders/domain/used.py",)
"""Its one float is a filter's rate of false positives: a third-party call wants it so."""


@pytest.mark.parametrize("path", [p for p in _files(*PURE) if _id(p) not in NOT_MONEY], ids=_id)
def test_pure_core_has_no_float(path: Path) -> None:
    """Money and size are ints: no float literal, no float(), no true division."""
    for node in ast.walk(ast.parse(path.read_text())):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        call = isinstance(node, ast.Name) and node.id == "float"
        division = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        found = literal or call or division
        assert not found, f"{_id(path)}:{node.lineno}"


@pytest.mark.parametrize("path", _files(*APPS), ids=_id)
def test_sizes(path: Path) -> None:
    """A file is read in one sitting, a function in one look."""
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{_id(path)}:{node.lineno} {node.name}"
