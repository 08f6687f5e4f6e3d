"""Views anybody may ask, each address so often: market data needs no log-in (04 of the design)."""

from functools import cache
from typing import Any, Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from rest_framework.request import Request
from rest_framework.response import Response

from oms_project.access.throttle import address_of
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.rest.problem import Problem, ProblemError
from oms_project.rest.views import OpenView

PER_ADDRESS: Final = parse("3000/minute")
"""Of one web process. Who wants every change subscribes to /ws/market instead."""


@cache
def _limiter() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


def forget_all() -> None:
    """Count anew: for tests."""
    _limiter.cache_clear()


class PublicView(OpenView):
    """A view without log-in. What it answers may be kept by caches for `fresh_s` seconds."""

    fresh_s = 0

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the request.

        Raises:
            ProblemError: rate_limited, with the seconds to wait.
        """
        super().initial(request, *args, **kwargs)
        address = address_of(request._request)
        if not _limiter().hit(PER_ADDRESS, address):
            reset_s, _ = _limiter().get_window_stats(PER_ADDRESS, address)
            wait_s = max(1, int(reset_s) - SystemClock.now_ns() // NS_PER_S)
            detail = f"At most {PER_ADDRESS} from one address."
            raise ProblemError(
                Problem("rate_limited", detail, headers={"Retry-After": str(wait_s)})
            )

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code < 400 and "Cache-Control" not in response:
            response["Cache-Control"] = f"public, max-age={self.fresh_s}"
        return response
