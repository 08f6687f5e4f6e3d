"""The page on which everybody changes their own password."""

from typing import Any

import structlog
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LogoutView as DjangoLogoutView
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from oms_project.access import changes, throttle

_logger = structlog.get_logger(__name__)


class LogoutView(DjangoLogoutView):
    """Log-out; the browser forgets what it kept of the desk (ASVS 14.3.1)."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = super().post(request, *args, **kwargs)
        answer["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        return answer


@method_decorator(never_cache, name="dispatch")
class PasswordView(PasswordChangeView):
    """Ends every other session, token and socket of the user; this session goes on."""

    template_name = "registration/password.html"
    success_url = reverse_lazy("password-changed")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        throttle.check(request, request.user.get_username())  # the old one is guessed here, too
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        answer = super().form_valid(form)
        changes.announce()
        user = self.request.user
        _logger.info("password_changed", user_id=str(user.pk), username=user.get_username())
        return answer


@method_decorator(never_cache, name="dispatch")
class ChangedView(PasswordChangeView):
    """The same page, saying that it is done."""

    template_name = "registration/password.html"
    http_method_names = ["get", "head"]
    extra_context = {"changed": True}
