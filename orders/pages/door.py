"""Forms without scripts go through the API's own flow: the same checks, keys and answers, in process."""

from collections.abc import Mapping
from typing import Any

import msgspec
from asgiref.sync import async_to_sync
from django.http import HttpRequest

from oms_project import metrics
from oms_project.access import principal as access
from oms_project.access.errors import AccessError
from oms_project.problem import Problem
from oms_project.rest.problem import from_access, request_id_of
from orders.entry import flow
from orders.pages.desk import Answer


def post(request: HttpRequest, path: str, body: Mapping[str, Any], key: str) -> Answer:
    """Return what the API answers to a POST of *body*, as the user of *request*.

    Django's own middleware has looked at the form's CSRF token.
    """
    headers = {
        b"content-type": b"application/json",
        b"idempotency-key": key.encode("latin-1", "replace"),
    }
    route = flow.route_of(path)
    if route is None:
        raise ValueError(f"{path} is no order entry")
    try:
        principal = access.from_session(request.COOKIES)
    except AccessError as error:
        found: Any = from_access(error)
    else:
        found = async_to_sync(flow.run)(route, principal, headers, msgspec.json.encode(body))
    if isinstance(found, Problem):
        metrics.REQUESTS_REFUSED.labels(found.code).inc()
        content = found.to_bytes(path, request_id_of(request))
        return Answer(found.status, msgspec.json.decode(content))
    return Answer(found.status, msgspec.json.decode(found.body))
