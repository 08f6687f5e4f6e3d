"""The page of one's own API keys: make one, turn its secret over, revoke it.

A secret is shown once, in the answer to the form that made it, which no cache and no history keeps.
"""

from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from oms_project.access import keys, principal
from oms_project.access.errors import KeyFormError
from oms_project.access.models import Account, ApiKey, User

LIFE_DAYS: Final = (30, 90, 180, 366)
_STATUS_INVALID: Final = 422


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def keys_page(request: HttpRequest) -> HttpResponse:
    """GET shows the keys; POST does what the button says: make, rotate or revoke."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101
    if request.method != "POST":
        return _shown(request, user)
    try:
        return _ACTS.get(request.POST.get("act", ""), _nothing)(request, user)
    except KeyFormError as error:
        return _shown(request, user, status=_STATUS_INVALID, wrong=error)


def _make(request: HttpRequest, user: User) -> HttpResponse:
    form = request.POST
    days = form.get("days", "")
    made = keys.make(
        user,
        label=form.get("label", ""),
        scopes=form.getlist("scopes"),
        kind=form.get("kind", ""),
        public_key=form.get("public_key", ""),
        accounts=form.getlist("accounts"),
        addresses=form.get("addresses", "").replace(",", " ").split(),
        bearer=bool(form.get("bearer")),
        days=int(days) if days in {str(one) for one in LIFE_DAYS} else 0,
    )
    return _shown(request, user, made=made.key, secret=made.secret)


def _rotate(request: HttpRequest, user: User) -> HttpResponse:
    key = _own(request, user)
    if key is None:
        return redirect("keys")
    secret = keys.rotate(key, public_key=request.POST.get("public_key", ""))
    return _shown(request, user, made=key, secret=secret, rotated=True)


def _revoke(request: HttpRequest, user: User) -> HttpResponse:
    key = _own(request, user)
    if key is not None:
        keys.revoke([key], by=user.username)
    return redirect("keys")


def _nothing(request: HttpRequest, user: User) -> HttpResponse:
    return redirect("keys")


_ACTS: Final = {"make": _make, "rotate": _rotate, "revoke": _revoke}


def _own(request: HttpRequest, user: User) -> ApiKey | None:
    key_id = request.POST.get("key_id", "")
    return next(iter(keys.rows(user=user, pk=key_id[:64])), None) if key_id.isascii() else None


def _shown(request: HttpRequest, user: User, status: int = 200, **more: Any) -> HttpResponse:
    accounts = Account.objects.filter(pk__in=principal.of_user(user).readable)
    names = {one.pk: one.name for one in accounts}
    found = [
        {**keys.shown(one), "account_names": [names.get(each, each) for each in one.accounts]}
        for one in keys.rows(user=user)
    ]
    given = QueryDict() if "made" in more else request.POST  # what is done is not asked for again
    context = {
        "page": "keys", "role": str(user.desk_role), "keys": found, "accounts": names.items(),
        "lives": LIFE_DAYS, "scopes": keys.SCOPES, "given": given, **more,
        "given_scopes": given.getlist("scopes") or ["read"],
        "given_accounts": given.getlist("accounts"), "overlap_h": keys.OVERLAP_H_DEFAULT,
    }  # fmt: skip
    return render(request, "registration/keys.html", context, status=status)
