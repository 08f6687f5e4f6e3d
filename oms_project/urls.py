"""All routes. The one place that knows every app's doors."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from oms_project import delivery, health
from oms_project.access import key_pages, pages

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("favicon.ico", delivery.favicon, name="favicon"),
    path("admin/", admin.site.urls),
    path("health", health.health, name="health"),
    path("keys/", key_pages.keys_page, name="keys"),
    path("password/", pages.PasswordView.as_view(), name="password"),
    path("password/changed/", pages.ChangedView.as_view(), name="password-changed"),
    path("api/", include("oms_project.rest.urls")),
    path("api/", include("marketdata.rest.urls")),
    path("api/", include("orders.rest.urls")),
]
if find_spec("orders.pages.urls"):
    urlpatterns.append(path("", include("orders.pages.urls")))

handler400 = "oms_project.rest.problem.bad_request"
handler403 = "oms_project.rest.problem.permission_denied"
handler404 = "oms_project.rest.problem.not_found"
handler500 = "oms_project.rest.problem.server_error"
