"""All routes. The one place that knows every app's doors."""

from importlib import import_module
from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver


def _included(route: str, module: str) -> list[URLPattern | URLResolver]:
    if find_spec(module) is None:
        return []
    return [path(route, include(import_module(module)))]


urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("api/", include("oms_project.rest.urls")),
    *_included("api/", "orders.rest.urls"),
    *_included("api/", "marketdata.rest.urls"),
    *_included("", "orders.pages.urls"),
]

handler400 = "oms_project.rest.problem.bad_request"
handler403 = "oms_project.rest.problem.permission_denied"
handler404 = "oms_project.rest.problem.not_found"
handler500 = "oms_project.rest.problem.server_error"
