"""Thousands of requests nobody would write, made from the OpenAPI document: never a 500."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi import checks

from oms_project.asgi import application
from oms_project.kernel.words import Role
from oms_project.rest import openapi
from oms_project.rest.problem import CONTENT_TYPE
from oms_project.tests.live import server
from orders.entry import plans
from orders.tests.world import World, new_id, publish

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)

EXAMPLES: Final = 10
CONFORMS: Final = [
    checks.response_schema_conformance,
    checks.status_code_conformance,
    checks.content_type_conformance,
]
schema = schemathesis.openapi.from_dict(json.loads(openapi.document()))


class Caller:
    """A trader with something to ask about. Set anew for every operation."""

    token = account_id = order_id = url = ""


@pytest.fixture(autouse=True)
def _caller(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plans, "WAIT_S_MAX", 0.05)  # nobody decides here
    world = World()
    Caller.account_id = world.account()
    Caller.order_id = world.order(Caller.account_id, filled=1)
    Caller.token = world.token(world.user("ann", {Caller.account_id: Role.TRADER}))
    publish("BTC-USD", 2_000_000, 2_000_100)
    with server(application) as port:
        Caller.url = f"http://127.0.0.1:{port}"
        yield


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_it(case: Any) -> None:
    """What comes back is what the document says, and every refusal is a problem."""
    for name in ("order_id", "account_id"):
        if name in case.path_parameters:
            case.path_parameters[name] = getattr(Caller, name)
    headers = dict(case.headers or {})
    headers.setdefault("Idempotency-Key", new_id())
    case.headers = {**headers, "Authorization": f"Bearer {Caller.token}", "Host": "localhost"}
    answer = case.call(base_url=Caller.url)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == [CONTENT_TYPE]
    case.validate_response(answer, checks=CONFORMS)
