"""Forms without scripts go through the API's own door: the same checks, keys and answers, in process."""

import io
from collections.abc import Mapping
from typing import Any

import msgspec
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.urls import resolve

from orders.pages.desk import Answer


def post(request: HttpRequest, path: str, body: Mapping[str, Any], key: str) -> Answer:
    """Return what the API answers to a POST of *body*, as the user of *request*."""
    content = msgspec.json.encode(body)
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": request.META.get("SERVER_NAME", ""),
        "SERVER_PORT": request.META.get("SERVER_PORT", ""),
        "REMOTE_ADDR": request.META.get("REMOTE_ADDR", ""),
        "HTTP_HOST": request.META.get("HTTP_HOST", ""),
        "HTTP_COOKIE": request.META.get("HTTP_COOKIE", ""),
        "HTTP_ORIGIN": request.META.get("HTTP_ORIGIN", ""),
        "HTTP_REFERER": request.META.get("HTTP_REFERER", ""),
        "HTTP_X_CSRFTOKEN": request.POST.get("csrfmiddlewaretoken", ""),
        "HTTP_IDEMPOTENCY_KEY": key,
        "HTTP_ACCEPT": "application/json",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(content),
    }
    inner = WSGIRequest({name: value for name, value in environ.items() if value != ""})
    inner.user = request.user
    inner.session = request.session  # type: ignore[attr-defined]
    inner.request_id = getattr(request, "request_id", "")  # type: ignore[attr-defined]
    found = resolve(path)
    answer = found.func(inner, *found.args, **found.kwargs)
    if hasattr(answer, "render") and not getattr(answer, "is_rendered", True):
        answer.render()
    return Answer(answer.status_code, msgspec.json.decode(answer.content or b"{}"))
