"""Rate limits of what Django answers: DRF's throttle over access/quota.py, and the fields that tell it."""

from typing import Any, Final

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from oms_project.access import quota
from oms_project.access.principal import Principal
from oms_project.rest.problem import ProblemError

_VERDICT: Final = "quota_verdict"


class QuotaThrottle(BaseThrottle):
    """Charges whoever is known; strangers are counted by address where they may come."""

    def allow_request(self, request: Request, view: Any) -> bool:
        who = request.user
        if not isinstance(who, Principal):
            return True
        match = request._request.resolver_match
        charges = quota.of_route(who, match.url_name or "" if match is not None else "")
        verdict = quota.counters().charge(charges)
        setattr(request._request, _VERDICT, verdict)
        if verdict.refused:
            raise ProblemError(verdict.problem)
        return True


def tell(request: Any, answer: HttpResponseBase) -> None:
    """Add to *answer* how much is left, if the request was charged."""
    verdict = getattr(request, _VERDICT, None)
    if verdict is not None:
        for name, value in verdict.fields.items():
            answer[name] = value
