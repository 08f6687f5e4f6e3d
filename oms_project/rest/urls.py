"""The frame's own routes below /api/."""

from django.urls import path
from drf_spectacular.views import SpectacularSwaggerSplitView

from oms_project.rest import key_views, limit_views, openapi, views

# The page's script has a URL of its own: the content security policy allows none inside a page.
swagger = SpectacularSwaggerSplitView.as_view(url_name="schema", authentication_classes=())

urlpatterns = [
    path("auth/login", views.LoginView.as_view(), name="auth-login"),
    path("auth/refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/logout", views.LogoutView.as_view(), name="auth-logout"),
    path("auth/keys", key_views.KeysView.as_view(), name="keys-api"),
    path("auth/keys/<str:key_id>/rotate", key_views.KeyRotateView.as_view(), name="key-rotate-api"),
    path("auth/keys/<str:key_id>/revoke", key_views.KeyRevokeView.as_view(), name="key-revoke-api"),
    path("meta/errors", views.ErrorsView.as_view(), name="meta-errors"),
    path("meta/limits", limit_views.LimitsView.as_view(), name="meta-limits"),
    path("meta/time", views.TimeView.as_view(), name="meta-time"),
    path("schema/", openapi.view, name="schema"),
    path("docs/", swagger, name="docs"),
]
