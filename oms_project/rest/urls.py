"""The frame's own routes below /api/."""

from django.urls import path

from oms_project.rest import views

urlpatterns = [
    path("auth/login", views.LoginView.as_view(), name="auth-login"),
    path("auth/refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/logout", views.LogoutView.as_view(), name="auth-logout"),
    path("meta/errors", views.ErrorsView.as_view(), name="meta-errors"),
    path("meta/time", views.TimeView.as_view(), name="meta-time"),
]
