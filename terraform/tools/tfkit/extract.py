"""Read a provider's schema out of its CDK Terrain bindings (PyPI: cdktn-provider-*).

The bindings are generated from `terraform providers schema -json` and keep, per attribute, the
name, type, computed / optional / required and the nesting; this module turns them back into the
shape of that command's answer. Lost on the way: `sensitive` (a table below restores the ones
we use), min/max items other than 1, validators and ConflictsWith.

    python -m tfkit.extract WHEEL -o aws.json [--used-in terraform/]
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import pathlib
import re
import tarfile
import zipfile

from tfkit import patches

CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{$", re.M)
FLAGS = re.compile(
    r"^    // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)$", re.M
)
FIELD = re.compile(
    r"^    _\w+ = new ([\w.]+)\(this, [\"'](\w+)[\"'](?:, (true|false))?\);", re.M
)
HCL_FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{(.*?)^\}", re.M | re.S)
HCL_ENTRY = re.compile(
    r"^ {8,12}(\w+): \{\n\s+value: (.*?),\n\s+isBlock: (?:true|false),\n"
    r"\s+type: \"(\w+)\",\n\s+storageClassType: \".*?\",",
    re.M,
)
INTERFACE = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{(.*?)^\}", re.M | re.S)
PROPERTY = re.compile(r"/\*\*(.*?)\*/\s+readonly \w+(\??): (.*?);\n", re.S)
ANCHOR = re.compile(r"#(\w+) \w+#\1\}")
TF_TYPE = re.compile(r'static tfResourceType = "(\w+)"')

# The getter's first words tell the attribute's type.
GETTERS: list[tuple[str, object]] = [
    ("cdktn.Token.asNumberList(cdktn.Fn.tolist(this.getNumberListAttribute(", ["set", "number"]),
    ("cdktn.Fn.tolist(this.getNumberListAttribute(", ["set", "number"]),
    ("cdktn.Fn.tolist(this.getListAttribute(", ["set", "string"]),
    ("this.getStringAttribute(", "string"),
    ("this.getNumberAttribute(", "number"),
    ("this.getBooleanAttribute(", "bool"),
    ("this.getListAttribute(", ["list", "string"]),
    ("this.getNumberListAttribute(", ["list", "number"]),
    ("this.getStringMapAttribute(", ["map", "string"]),
    ("this.getNumberMapAttribute(", ["map", "number"]),
    ("this.getBooleanMapAttribute(", ["map", "bool"]),
    ("this.getAnyMapAttribute(", ["map", "dynamic"]),
    ("this.interpolationForAttribute(", "dynamic"),
    ("cdktn.Token.asString(", "string"),
    ("cdktn.Token.asAny(", "dynamic"),
    ("cdktn.Token.asNumber", "number"),
]
MAPS: dict[str, object] = {
    "cdktn.StringMap": ["map", "string"],
    "cdktn.NumberMap": ["map", "number"],
    "cdktn.BooleanMap": ["map", "bool"],
    "cdktn.StringMapList": ["list", ["map", "string"]],
    "cdktn.NumberListList": ["list", ["list", "number"]],
    "cdktn.StringListList": ["list", ["list", "string"]],
    "cdktn.AnyMap": ["map", "dynamic"],
}
# `sensitive` does not survive the generator: these are the ones an OMS can leak.
SENSITIVE = {
    ("resource", "aws_docdb_cluster"): ("master_password", "master_password_wo"),
    ("resource", "aws_db_instance"): ("password", "password_wo"),
    ("resource", "aws_elasticache_replication_group"): ("auth_token", "auth_token_wo"),
    ("resource", "aws_secretsmanager_secret_version"): (
        "secret_string", "secret_string_wo", "secret_binary",
    ),
    ("data", "aws_secretsmanager_secret_version"): ("secret_string", "secret_binary"),
    ("data", "aws_secretsmanager_random_password"): ("random_password",),
    ("ephemeral", "aws_secretsmanager_random_password"): ("random_password",),
    ("ephemeral", "aws_secretsmanager_secret_version"): ("secret_string", "secret_binary"),
}
BASES = {
    "TerraformResource": "resource_schemas",
    "TerraformDataSource": "data_source_schemas",
    "TerraformEphemeralResource": "ephemeral_resource_schemas",
    "TerraformProvider": "provider",
}
KINDS = {"resource_schemas": "resource", "data_source_schemas": "data",
         "ephemeral_resource_schemas": "ephemeral"}


class Module:
    """One generated folder: its JavaScript (classes) and its .d.ts (interfaces)."""

    def __init__(self, js: str, dts: str):
        self.classes: dict[str, tuple[str, str]] = {}
        heads = list(CLASS.finditer(js))
        for head, following in itertools.pairwise([*heads, None]):
            end = following.start() if following else len(js)
            self.classes[head.group(1)] = (head.group(2), js[head.end():end])
        self.hcl = {m.group(1): m.group(2) for m in HCL_FUNCTION.finditer(js)}
        self.interfaces = {m.group(1): _properties(m.group(2)) for m in INTERFACE.finditer(dts)}

    def root(self) -> tuple[str, str, str] | None:
        """(class name, base class, terraform type) of the thing this folder is about."""
        for name, (base, body) in self.classes.items():
            found = TF_TYPE.search(body)
            if base in BASES and found:
                return name, base, found.group(1)
        return None

    def provider_block(self, interface: str) -> dict:
        """The provider's configuration: no comments survive for it, so read the interfaces."""
        attributes, blocks = {}, {}
        for name, prop in self.interfaces.get(interface, {}).items():
            ts = prop["ts"].replace(" | cdktn.IResolvable", "")
            ts = ts.replace("cdktn.IResolvable | ", "").strip()
            many = ts.endswith("[]")
            ts = ts.removesuffix("[]").strip("()")
            if prop["block"] and ts in self.interfaces:
                blocks[name] = {"nesting_mode": "list", "block": self.provider_block(ts)}
                continue
            plain = {"string": "string", "number": "number", "boolean": "bool"}
            typ = plain.get(ts, ["map", "string"] if ts.startswith("{") else "dynamic")
            flag = "optional" if prop["optional"] else "required"
            attributes[name] = {"type": ["list", typ] if many else typ, flag: True}
        return {"attributes": attributes, "block_types": blocks}

    def block(self, class_name: str, interface: str, is_root: bool = False) -> dict:
        """Attributes and nested blocks of one class, in the shape of a schema block."""
        body = self.classes[class_name][1]
        if is_root:
            hcl_text = body.split("synthesizeHclAttributes()", 1)[-1]
        else:
            hcl_text = self.hcl.get(interface[0].lower() + interface[1:], "")
        entries = {m.group(1): (m.group(2), m.group(3)) for m in HCL_ENTRY.finditer(hcl_text)}
        attributes, blocks = {}, {}
        flags = list(FLAGS.finditer(body))
        for flag, following in itertools.pairwise([*flags, None]):
            segment = body[flag.end(): following.start() if following else len(body)]
            name = flag.group(1)
            says = dict(zip(("computed", "optional", "required"),
                            (x == "true" for x in flag.groups()[1:]), strict=True))
            prop = self.interfaces.get(interface, {}).get(name, {})
            expression, kind = entries.get(name, ("", ""))
            field = FIELD.search(segment)
            nested = self._nested(field, prop, kind) if field else None
            if nested and "nesting_mode" in nested:
                blocks[name] = nested
                continue
            typ = nested["type"] if nested else _type_of(field, segment, kind)
            attributes[name] = {"type": typ} | {k: True for k, v in says.items() if v}
            if "markWriteOnlyAttribute" in expression:
                attributes[name]["write_only"] = True
        return {"attributes": dict(sorted(attributes.items())),
                "block_types": dict(sorted(blocks.items()))}

    def _nested(self, field: re.Match, prop: dict, kind: str) -> dict | None:
        """A field that holds a class of its own: a block, or an attribute of object type."""
        cls, in_set = field.group(1), field.group(3) == "true"
        if cls in MAPS:
            return None
        single, is_map = cls.endswith("OutputReference"), cls.endswith("Map")
        element = cls[:-15] if single else cls[:-4] if cls.endswith("List") else cls[:-3]
        if element + "OutputReference" not in self.classes:
            return {"type": "dynamic"}
        inner = self.block(element + "OutputReference", element)
        kind = kind or ("set" if in_set else "list")
        if not prop.get("block"):
            shape = _as_object(inner)
            bare = single and kind == "struct"
            return {"type": shape if bare else ["map", shape] if is_map else [kind, shape]}
        mode = "single" if kind == "struct" else "map" if is_map else kind
        out = {"nesting_mode": mode, "block": inner}
        if not prop["optional"]:
            out["min_items"] = 1
        if single and mode in ("list", "set"):
            out["max_items"] = 1
        return out


def _properties(body: str) -> dict:
    out = {}
    for doc, optional, ts in PROPERTY.findall(body):
        anchor = ANCHOR.search(doc)
        if anchor:
            name = anchor.group(1)
            is_block = bool(re.search(rf"^\s*\*?\s*{name} block\s*$", doc, re.M))
            out[name] = {"block": is_block, "optional": optional == "?", "ts": ts}
    return out


def _type_of(field: re.Match | None, segment: str, kind: str) -> object:
    if field:
        return MAPS[field.group(1)]
    getter = re.search(r"return (.*?);", segment)
    words = getter.group(1) if getter else ""
    typ = next((t for prefix, t in GETTERS if words.startswith(prefix)), "dynamic")
    if isinstance(typ, list) and kind in ("set", "list") and typ[0] in ("set", "list"):
        return [kind, typ[1]]
    return typ


def _as_object(block: dict) -> list:
    shape = {name: a["type"] for name, a in block["attributes"].items()}
    for name, nested in block["block_types"].items():
        inner = _as_object(nested["block"])
        shape[name] = inner if nested["nesting_mode"] == "single" else [
            nested["nesting_mode"], inner]
    return ["object", shape]


def _read_wheel(wheel: pathlib.Path) -> tuple[str, str, dict[str, tuple[str, str]]]:
    """(provider source, version, {folder: (javascript, declarations)}) of the bindings."""
    with zipfile.ZipFile(wheel) as archive:
        tgz = archive.read(next(n for n in archive.namelist() if n.endswith(".jsii.tgz")))
    texts: dict[str, dict[str, list[str]]] = {}
    provider: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(tgz)) as tar:
        for member in tar:
            parts = member.name.split("/")
            if member.name == "package/package.json":
                package = json.load(tar.extractfile(member))
                provider = (package.get("cdktn") or package.get("cdktf"))["provider"]
            elif len(parts) >= 4 and parts[1] == "lib" and parts[-1].endswith((".js", ".d.ts")):
                side = "js" if parts[-1].endswith(".js") else "dts"
                text = tar.extractfile(member).read().decode()
                texts.setdefault(parts[2], {"js": [], "dts": []})[side].append(text)
    joined = {k: ("\n".join(v["js"]), "\n".join(v["dts"])) for k, v in sorted(texts.items())}
    return provider["name"], provider["version"], joined


def extract(wheel: pathlib.Path, only: set[str] | None = None) -> dict:
    """The schema of every type of the provider, or of the types in `only` (data_ prefixed too)."""
    source, version, texts = _read_wheel(wheel)
    out: dict[str, dict] = {key: {} for key in KINDS}
    for js, dts in texts.values():
        found = TF_TYPE.search(js)
        wanted = only is None or (found and (found.group(1) in only or "Provider {" in js))
        if not found or not wanted:
            continue
        module = Module(js, dts)
        root = module.root()
        if not root:
            continue
        class_name, base, tf_type = root
        if base == "TerraformProvider":
            block = module.provider_block(class_name + "Config")
            block["attributes"].pop("alias", None)
            out["provider"] = {"version": 0, "block": block}
            continue
        key = BASES[base]
        block = module.block(class_name, class_name + "Config", is_root=True)
        for name in SENSITIVE.get((KINDS[key], tf_type), ()):
            block["attributes"][name]["sensitive"] = True
        out[key][tf_type] = {"version": 0, "block": block}
    patches.apply(out["resource_schemas"])
    return {"format_version": "1.0", "provider_version": version,
            "provider_schemas": {source: out}}


def types_named_in(folder: pathlib.Path) -> set[str]:
    """Every aws_* type that the .tf and .tftest.hcl files under a folder name."""
    files = [p for p in folder.rglob("*") if p.name.endswith((".tf", ".tftest.hcl"))
             and not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return set(re.findall(r'"(aws_\w+)"', "\n".join(p.read_text() for p in files)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=pathlib.Path)
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True)
    parser.add_argument("--used-in", type=pathlib.Path, help="keep only types named there")
    args = parser.parse_args()
    only = types_named_in(args.used_in) if args.used_in else None
    schema = extract(args.wheel, only)
    args.out.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True))
    source, body = next(iter(schema["provider_schemas"].items()))
    print(f"{source} {schema['provider_version']}: {len(body['resource_schemas'])} resources, "
          f"{len(body['data_source_schemas'])} data sources")


if __name__ == "__main__":
    main()
