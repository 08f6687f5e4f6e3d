"""A static second opinion on the HCL, without terraform: names, types, references.

Every resource and data block of a folder is held against the provider's schema: its type,
arguments and blocks at every depth (dynamic ones too), what is required, what is read-only, block
or argument, literal types, and references to resources and attributes that do not exist.

    python -m tfkit.check --schema aws.json terraform/
"""

from __future__ import annotations

import argparse
import difflib
import json
import pathlib
import re
import sys
from dataclasses import dataclass, field

import hcl2

META = {"count", "for_each", "depends_on", "provider"}
META_BLOCKS = {"lifecycle", "provisioner", "connection"}
SKIP = {"__start_line__", "__end_line__", "__is_block__", "__comments__", "__inline_comments__"}
KINDS = {"resource": "resource_schemas", "data": "data_source_schemas",
         "ephemeral": "ephemeral_resource_schemas"}
HEAD = re.compile(r'(?m)^\s*(resource|data|ephemeral)\s+"(\w+)"\s+"(\w[\w-]*)"\s*\{')
REFERENCE = re.compile(
    r"(?<![\w.\"/-])(data\.|ephemeral\.)?(aws_\w+)\.([\w-]+)((?:\[[^\]]*\])?(?:\.\w+)?)")
# comments, moved and removed blocks may name what is gone; blanked, so that lines keep numbers
GONE = re.compile(r"(?m)^\s*(?:#|//).*$|^(?:moved|removed) \{(?:.|\n)*?^\}")


def unquote(text: object) -> object:
    quoted = isinstance(text, str) and len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1] if quoted else text


def is_block(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(
        isinstance(x, dict) and x.get("__is_block__") for x in value)


@dataclass
class Place:
    """Where in the source something is."""

    file: pathlib.Path
    line: object
    address: str

    def inside(self, name: str) -> Place:
        return Place(self.file, self.line, f"{self.address}.{name}")


@dataclass
class Checker:
    """Holds folders against a schema; `errors` is what it found, `counts` what it looked at."""

    schema: dict
    errors: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(
        (*KINDS, "arguments", "blocks", "references"), 0))

    def __post_init__(self) -> None:
        self.types = next(iter(self.schema["provider_schemas"].values()))

    def error(self, place: Place, message: str) -> None:
        self.errors.append(f"{place.file}:{place.line}: {place.address}: {message}")

    def block(self, place: Place, body: dict, schema: dict, meta: frozenset = frozenset()) -> None:
        """One block's arguments and blocks, and what it lacks."""
        attributes, blocks, seen = schema["attributes"], schema["block_types"], set()
        for key, value in body.items():
            name = unquote(key)
            if name in SKIP or name in meta or name in META_BLOCKS:
                continue
            if name == "dynamic":
                seen |= self.dynamic(place, value, blocks)
                continue
            seen.add(name)
            if name in blocks:
                self.nested(place, name, value, blocks[name])
            elif name in attributes:
                self.argument(place, name, value, attributes[name])
            else:
                near = difflib.get_close_matches(name, [*attributes, *blocks], 1)
                hint = f' (did you mean "{near[0]}"?)' if near else ""
                what = "block" if is_block(value) else "argument"
                self.error(place, f'unsupported {what} "{name}"{hint}')
        for name, attribute in attributes.items():
            if attribute.get("required") and name not in seen:
                self.error(place, f'missing required argument "{name}"')
        for name, nested in blocks.items():
            if nested.get("min_items") and name not in seen:
                self.error(place, f'missing required block "{name}"')

    def dynamic(self, place: Place, value: list, blocks: dict) -> set[str]:
        names = set()
        for one in value:
            for key, body in one.items():
                name = unquote(key)
                if name in SKIP:
                    continue
                names.add(name)
                if name not in blocks:
                    self.error(place, f'dynamic block "{name}" is not a block here')
                    continue
                for content in body.get("content", [{}]):
                    self.counts["blocks"] += 1
                    self.block(place.inside(name), content, blocks[name]["block"])
        return names

    def nested(self, place: Place, name: str, value: object, schema: dict) -> None:
        if not is_block(value):
            self.error(place, f'"{name}" is a block, written as an argument')
            return
        most = schema.get("max_items")
        if most and len(value) > most:
            self.error(place, f'at most {most} "{name}" block(s), {len(value)} given')
        for one in value:
            self.counts["blocks"] += 1
            self.block(place.inside(name), one, schema["block"])

    def argument(self, place: Place, name: str, value: object, schema: dict) -> None:
        self.counts["arguments"] += 1
        typ = schema["type"]
        if is_block(value) and "object" not in json.dumps(typ):
            self.error(place, f'"{name}" is an argument, written as a block')
        if not schema.get("optional") and not schema.get("required"):
            self.error(place, f'"{name}" is read-only (computed) and cannot be set')
        literal = isinstance(value, str) and value.startswith('"') and "${" not in value
        if isinstance(value, bool) and typ not in ("bool", "string", "dynamic"):
            self.error(place, f'"{name}" wants {typ}, got bool')
        elif isinstance(value, list) and not is_block(value) and isinstance(typ, str) \
                and typ != "dynamic":
            self.error(place, f'"{name}" wants {typ}, got a list')
        elif literal and isinstance(typ, list):
            self.error(place, f'"{name}" wants {typ[0]}, got a string')
        elif literal and typ == "number" and not re.fullmatch(r'"-?[\d.]+"', value):
            self.error(place, f'"{name}" wants a number, got {value}')

    def references(self, file: pathlib.Path, text: str, declared: set) -> None:
        text = GONE.sub(lambda m: "\n" * m.group(0).count("\n"), text)
        for found in REFERENCE.finditer(text):
            prefix, rtype, name, tail = found.groups()
            kind = (prefix or "resource.").rstrip(".")
            schema = self.types[KINDS[kind]].get(rtype)
            if schema is None:
                continue
            self.counts["references"] += 1
            place = Place(file, text[: found.start()].count("\n") + 1, f"{rtype}.{name}")
            if (kind, rtype, name) not in declared:
                self.error(place, "reference to undeclared resource")
            attribute = re.match(r"(?:\[[^\]]*\])?\.(\w+)", tail or "")
            known = schema["block"]["attributes"] | schema["block"]["block_types"]
            if attribute and attribute.group(1) not in known:
                self.error(place, f'reference to unknown attribute "{attribute.group(1)}"')

    def folder(self, folder: pathlib.Path) -> None:
        """Every .tf file of one module."""
        parsed, declared = [], set()
        for file in sorted(folder.glob("*.tf")):
            text = file.read_text()
            try:
                tree = hcl2.loads(text, serialization_options=hcl2.SerializationOptions(
                    with_meta=True))
            except Exception as problem:
                self.error(Place(file, "?", ""), f"does not parse: {str(problem).splitlines()[0]}")
                continue
            parsed.append((file, text, tree))
            declared |= {(kind, rtype, name) for kind, rtype, name, _ in _declared(tree)}
        for file, text, tree in parsed:
            lines = {m.groups(): text[: m.start()].count("\n") + 1 for m in HEAD.finditer(text)}
            for kind, rtype, name, body in _declared(tree):
                if not rtype.startswith("aws_"):
                    continue
                self.counts[kind] += 1
                place = Place(file, lines.get((kind, rtype, name), "?"), f"{rtype}.{name}")
                if rtype not in self.types[KINDS[kind]]:
                    self.error(place, f"no such {kind} type in the provider")
                else:
                    self.block(place, body, self.types[KINDS[kind]][rtype]["block"],
                               frozenset(META))
            self.references(file, text, declared)

    def tree(self, root: pathlib.Path) -> None:
        """Every module under a folder."""
        hidden = lambda p: any(x.startswith(".") for x in p.relative_to(root).parts)  # noqa: E731
        for folder in sorted({p.parent for p in root.rglob("*.tf") if not hidden(p)}):
            self.folder(folder)


def _declared(tree: dict):
    """(kind, type, name, body) of every resource, data source and ephemeral resource."""
    for kind in KINDS:
        for entry in tree.get(kind, []):
            for rtype, names in entry.items():
                if isinstance(names, dict):
                    for name, body in names.items():
                        if name not in SKIP:
                            yield kind, unquote(rtype), unquote(name), body


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schema", type=pathlib.Path, required=True)
    parser.add_argument("folders", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    checker = Checker(json.loads(args.schema.read_text()))
    for folder in args.folders:
        checker.tree(folder)
    print("\n".join(checker.errors))
    print("checked:", checker.counts, f"-- {len(checker.errors)} error(s)")
    return 1 if checker.errors else 0


if __name__ == "__main__":
    sys.exit(main())
