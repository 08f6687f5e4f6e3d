"""A stand-in AWS provider: the real terraform talks to it as if it were hashicorp/aws.

It serves an extracted schema (extract.py) over the plugin protocol, so that terraform core itself
checks every type, attribute, block and reference, plans, applies and tests, with no account.
There is no cloud behind it: computed values are invented (values.py), state is what was planned.
What the real provider refuses by its own rules is refused here where we know the rule: a value
for a read-only attribute, and a value outside the service's own list (legal.py).

Two ways in:
  serve(...)            one long-lived server; terraform attaches by TF_REATTACH_PROVIDERS (fast)
  python -m tfkit.provider mirror --schema aws.json --out DIR
                        a filesystem mirror with a launcher that terraform starts itself
"""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import os
import pathlib
import stat
import sys
import tempfile
import threading
from concurrent import futures

import grpc
import msgpack

from tfkit import legal, values

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
pb, rpc = grpc.protos_and_services("tfkit/plugin.proto")

UNKNOWN = msgpack.ExtType(0, b"")
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
MESSAGE_LIMIT = 512 << 20


def decode(value) -> object:
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False)
    return json.loads(value.json or b"null")


def encode(value: object):
    return pb.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=True))


def is_unknown(value: object) -> bool:
    return isinstance(value, msgpack.ExtType)


def schema_block(block: dict, in_set: bool = False):
    out = pb.Schema.Block()
    for name, attribute in block["attributes"].items():
        typ = json.dumps(attribute["type"])
        if in_set:  # core forbids dynamic types inside set blocks
            typ = typ.replace('"dynamic"', '"string"')
        flags = {k: attribute.get(k, False)
                 for k in ("required", "optional", "computed", "sensitive", "write_only")}
        if flags["write_only"]:  # core: write-only and computed exclude one another
            flags["computed"] = False
        out.attributes.add(name=name, type=typ.encode(), **flags)
    for name, nested in block["block_types"].items():
        in_a_set = in_set or nested["nesting_mode"] == "set"
        out.block_types.add(
            type_name=name, block=schema_block(nested["block"], in_a_set),
            nesting=NESTING[nested["nesting_mode"]],
            min_items=nested.get("min_items", 0), max_items=nested.get("max_items", 0))
    return out


def schema_message(schema: dict):
    return pb.Schema(version=schema.get("version", 0), block=schema_block(schema["block"]))


def fill(value: dict | None, block: dict, make, path: str = "") -> dict | None:
    """Computed attributes that are null (or unknown) become make(name, attribute, path, now)."""
    if value is None or is_unknown(value):
        return value
    out = dict(value)
    for name, attribute in block["attributes"].items():
        current = out.get(name)
        if attribute.get("write_only"):  # never stored, that is the point of it
            out[name] = None
        elif attribute.get("computed") and (current is None or is_unknown(current)):
            out[name] = make(name, attribute, path + name, current)
    for name, nested in block["block_types"].items():
        current, inner = out.get(name), nested["block"]
        if current is None or is_unknown(current):
            continue
        if nested["nesting_mode"] in ("single", "group"):
            out[name] = fill(current, inner, make, f"{path}{name}.")
        elif nested["nesting_mode"] == "map":
            out[name] = {k: fill(v, inner, make, f"{path}{name}.{k}.")
                         for k, v in current.items()}
        else:
            out[name] = [fill(v, inner, make, f"{path}{name}.{i}.")
                         for i, v in enumerate(current)]
    return out


class Provider(rpc.ProviderServicer):
    """The RPCs of the plugin protocol, over one schema."""

    def __init__(self, schema: dict):
        self.schema = next(iter(schema["provider_schemas"].values()))
        self.default_tags: dict[str, str] = {}
        self.answer = self._schema_answer()

    def _schema_answer(self):
        out = pb.GetProviderSchema.Response(provider=schema_message(self.schema["provider"]))
        for key in ("resource_schemas", "data_source_schemas", "ephemeral_resource_schemas"):
            for name, schema in self.schema[key].items():
                getattr(out, key)[name].CopyFrom(schema_message(schema))
        return out

    def block(self, kind: str, name: str) -> dict:
        return self.schema[kind][name]["block"]

    def GetProviderSchema(self, request, context):
        return self.answer

    def ValidateProviderConfig(self, request, context):
        return pb.Diagnostics()

    def ValidateResourceConfig(self, request, context):
        """What core lets through and a real provider does not."""
        out = pb.Diagnostics()
        name = request.type_name
        for path, summary, detail in legal.refusals(
                name, decode(request.config), self.block("resource_schemas", name)):
            diagnostic = out.diagnostics.add(severity=1, summary=summary, detail=detail)
            for step in path:
                field = "attribute_name" if isinstance(step, str) else "element_key_int"
                diagnostic.attribute.steps.add(**{field: step})
        return out

    def ValidateDataResourceConfig(self, request, context):
        return pb.Diagnostics()

    def ValidateEphemeralResourceConfig(self, request, context):
        return pb.Diagnostics()

    def UpgradeResourceState(self, request, context):
        state = pb.DynamicValue(json=request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=state)

    def ConfigureProvider(self, request, context):
        config = decode(request.config) or {}
        given = [d.get("tags") for d in config.get("default_tags") or [] if isinstance(d, dict)]
        tags = given[0] if given and isinstance(given[0], dict) else {}
        self.default_tags = {k: v for k, v in tags.items() if isinstance(v, str)}
        return pb.Diagnostics()

    def StopProvider(self, request, context):
        return pb.Empty()

    def ReadResource(self, request, context):
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request, context):
        new = decode(request.proposed_new_state)
        if new is not None:
            creating = decode(request.prior_state) is None
            block = self.block("resource_schemas", request.type_name)
            new = fill(new, block, lambda n, a, p, now: UNKNOWN if creating else now)
            if "tags_all" in block["attributes"]:
                new["tags_all"] = self._all_tags(new.get("tags"))
        return pb.PlanResourceChange.Response(planned_state=encode(new))

    def _all_tags(self, own: object) -> object:
        """default_tags and the resource's own, as the real provider plans them."""
        if is_unknown(own) or (isinstance(own, dict) and any(map(is_unknown, own.values()))):
            return UNKNOWN
        return self.default_tags | (own or {})

    def ApplyResourceChange(self, request, context):
        new, name = decode(request.planned_state), request.type_name
        if new is not None:
            config = decode(request.config) or {}
            new = fill(new, self.block("resource_schemas", name),
                       lambda n, a, p, now: values.invent(name, n, a, config, p))
        return pb.ApplyResourceChange.Response(new_state=encode(new))

    def ReadDataSource(self, request, context):
        config, name = decode(request.config), request.type_name
        state = fill(config, self.block("data_source_schemas", name),
                     lambda n, a, p, now: values.invent(name, n, a, config, p))
        if name == "aws_iam_policy_document":
            state["json"] = state["minified_json"] = values.policy_document(config)
        return pb.ReadDataSource.Response(state=encode(state))

    def OpenEphemeralResource(self, request, context):
        config, name = decode(request.config), request.type_name
        result = fill(config, self.block("ephemeral_resource_schemas", name),
                      lambda n, a, p, now: values.invent(name, n, a, config, p))
        return pb.OpenEphemeralResource.Response(result=encode(result))

    def CloseEphemeralResource(self, request, context):
        return pb.Diagnostics()


def start(schema: dict, credentials=None, on_shutdown=None) -> tuple[grpc.Server, str]:
    """A running server and the path of its unix socket."""
    size = [("grpc.max_send_message_length", MESSAGE_LIMIT),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT)]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=size)
    rpc.add_ProviderServicer_to_server(Provider(schema), server)
    if on_shutdown:
        server.add_generic_rpc_handlers((_Controller(on_shutdown),))
    socket = os.path.join(tempfile.mkdtemp(prefix="tfkit"), "s")
    if credentials:
        server.add_secure_port(f"unix:{socket}", credentials)
    else:
        server.add_insecure_port(f"unix:{socket}")
    server.start()
    return server, socket


class _Controller(grpc.GenericRpcHandler):
    """go-plugin's way to ask a plugin to go."""

    def __init__(self, on_shutdown):
        self.on_shutdown = on_shutdown

    def service(self, handler_call_details):
        if handler_call_details.method != "/plugin.GRPCController/Shutdown":
            return None

        def shut_down(request, context):
            threading.Timer(0.05, self.on_shutdown).start()
            return b""
        return grpc.unary_unary_rpc_method_handler(shut_down)


def reattach(source: str, socket: str) -> str:
    """The value of TF_REATTACH_PROVIDERS that makes terraform use a running server."""
    address = {"Network": "unix", "String": socket}
    return json.dumps({source: {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(),
                                "Test": True, "Addr": address}})


def own_certificate() -> tuple[bytes, bytes, str]:
    """go-plugin's AutoMTLS: (key, certificate, what the handshake line carries of it)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now, hour = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - hour).not_valid_after(now + 24 * hour)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    certificate = builder.sign(key, hashes.SHA256())
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
    line = base64.b64encode(certificate.public_bytes(der)).decode().rstrip("=")
    return private, certificate.public_bytes(pem), line


def run_as_plugin(schema: dict) -> None:
    """Started by terraform through the mirror's launcher: handshake on stdout, then serve."""
    stop = threading.Event()
    credentials, line = None, ""
    if os.environ.get("PLUGIN_CLIENT_CERT"):
        key, certificate, line = own_certificate()
        credentials = grpc.ssl_server_credentials([(key, certificate)])
    server, socket = start(schema, credentials, stop.set)
    print(f"1|6|unix|{socket}|grpc|{line}", flush=True)
    stop.wait()
    server.stop(0)
    os._exit(0)


def mirror(schema_file: pathlib.Path, out: pathlib.Path) -> pathlib.Path:
    """Lay out a filesystem mirror for terraform init; returns its CLI configuration file."""
    schema, out = json.loads(schema_file.read_text()), out.resolve()
    source, version = next(iter(schema["provider_schemas"])), schema["provider_version"]
    folder = out / source / version / "linux_amd64"
    folder.mkdir(parents=True, exist_ok=True)
    launcher = folder / f"terraform-provider-{source.rsplit('/', 1)[-1]}_v{version}"
    launcher.write_text(
        f"#!/bin/sh\nPYTHONPATH={HERE.parent} exec {sys.executable} -m tfkit.provider serve "
        f"--schema {schema_file.resolve()}\n")
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    config = out / "terraform.rc"
    config.write_text("disable_checkpoint = true\nprovider_installation {\n"
                      f'  filesystem_mirror {{\n    path = "{out}"\n  }}\n}}\n')
    return config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["serve", "mirror"])
    parser.add_argument("--schema", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    if args.command == "mirror":
        print(f"export TF_CLI_CONFIG_FILE={mirror(args.schema, args.out)}")
    else:
        run_as_plugin(json.loads(args.schema.read_text()))


if __name__ == "__main__":
    main()
