"""The frame's own routes below /api/."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from oms_project.rest import views

urlpatterns = [
    path("auth/login", views.LoginView.as_view(), name="auth-login"),
    path("auth/refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/logout", views.LogoutView.as_view(), name="auth-logout"),
    path("meta/errors", views.ErrorsView.as_view(), name="meta-errors"),
    path("meta/time", views.TimeView.as_view(), name="meta-time"),
    # Anybody may read what the API is; the page's script has a URL of its own (strict CSP).
    path("schema/", SpectacularJSONAPIView.as_view(authentication_classes=()), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="schema", authentication_classes=()),
        name="docs",
    ),
]
