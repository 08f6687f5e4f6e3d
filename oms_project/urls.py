"""All routes. The one place that knows every app's doors."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from oms_project import metrics


def _included(route: str, module: str) -> list[URLPattern | URLResolver]:
    return [path(route, include(module))] if find_spec(module) else []


urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("metrics", metrics.view, name="metrics"),
    path("api/", include("oms_project.rest.urls")),
    path("api/", include("marketdata.rest.urls")),
    *_included("api/", "orders.rest.urls"),
    *_included("", "orders.pages.urls"),
]
if find_spec("orders.wiring"):
    from oms_project import health

    urlpatterns += [
        path("livez", health.livez, name="livez"),
        path("readyz", health.readyz, name="readyz"),
        path("health", health.health, name="health"),
    ]

handler400 = "oms_project.rest.problem.bad_request"
handler403 = "oms_project.rest.problem.permission_denied"
handler404 = "oms_project.rest.problem.not_found"
handler500 = "oms_project.rest.problem.server_error"
