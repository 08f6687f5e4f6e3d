"""Error pages for people: the product's own template, or a plain page if that cannot be rendered."""

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import render_to_string
from django.utils.html import escape

_PLAIN = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{status} {title}</title>'
    "<h1>{status}</h1><p>{title}.</p><p>Request {request_id}</p></html>"
)


def error_page(request: HttpRequest, status: int, title: str) -> HttpResponse:
    """Return the page for *status*: templates/errors/<status>.html, errors/error.html, or plain."""
    context = {
        "status": status,
        "title": title,
        "path": request.path,
        "request_id": getattr(request, "request_id", ""),
    }
    # Where something broke, the page asks nothing of the session or the database.
    whole = request if status < 500 else None
    try:
        html = render_to_string([f"errors/{status}.html", "errors/error.html"], context, whole)
    except (TemplateDoesNotExist, TemplateSyntaxError, DatabaseError):
        html = _PLAIN.format(**{key: escape(value) for key, value in context.items()})
    return HttpResponse(html, status=status)
