"""Parts of the schema that the bindings lose, written by hand from the provider's documentation.

The generator gives WAF's recursive `statement` up as "any". Here are the two statements we use, so
that terraform and the static checker see blocks where the real provider has blocks.
"""

from __future__ import annotations


def _attribute(typ: object, flag: str = "optional") -> dict:
    return {"type": typ, flag: True}


def _block(attributes: dict | None = None, blocks: dict | None = None) -> dict:
    return {"attributes": attributes or {}, "block_types": blocks or {}}


def _nested(block: dict, required: bool = False, many: bool = False) -> dict:
    out: dict = {"nesting_mode": "list", "block": block}
    if required:
        out["min_items"] = 1
    if not many:
        out["max_items"] = 1
    return out


ACTIONS = _block(blocks={name: _nested(_block())
                         for name in ("allow", "block", "captcha", "challenge", "count")})
WAF_STATEMENT = _nested(required=True, block=_block(blocks={
    "managed_rule_group_statement": _nested(_block(
        {"name": _attribute("string", "required"), "vendor_name": _attribute("string", "required"),
         "version": _attribute("string")},
        {"rule_action_override": _nested(many=True, block=_block(
            {"name": _attribute("string", "required")},
            {"action_to_use": _nested(ACTIONS, required=True)}))})),
    "rate_based_statement": _nested(_block(
        {"limit": _attribute("number", "required"), "aggregate_key_type": _attribute("string"),
         "evaluation_window_sec": _attribute("number")})),
}))

# (resource type, path of blocks, name of the block) -> its schema
PATCHES = {("aws_wafv2_web_acl", ("rule",), "statement"): WAF_STATEMENT}


def apply(resource_schemas: dict) -> None:
    """Put the hand-written blocks in the place of what the generator left there."""
    for (rtype, path, name), nested in PATCHES.items():
        if rtype not in resource_schemas:
            continue
        block = resource_schemas[rtype]["block"]
        for step in path:
            block = block["block_types"][step]["block"]
        block["attributes"].pop(name, None)
        block["block_types"][name] = nested
