"""The last look at an order before it leaves for the venue: none goes out after its deadline.

The only place where a clock has a say about an order, so what it says goes into the log, as a report
that the order expired: every replay obeys that, whatever its own clock shows.
"""

from collections.abc import Sequence

from oms_project.kernel.ports import CancelRoute, Report, ReportKind, Route

DEADLINE_PASSED = "deadline_passed"

Late = tuple[str, list[Report]]
"""An account, and what is reported of its order."""


def in_time(
    routes: Sequence[Route | CancelRoute], now_ns: int
) -> tuple[list[Route | CancelRoute], list[Late]]:
    """Return what may leave at *now_ns* (wall time), and reports of what may not.

    What the venue has said something of was sent before: no deadline holds it up.
    """
    leaving: list[Route | CancelRoute] = []
    late: list[Late] = []
    for route in routes:
        if isinstance(route, Route) and not route.executions and 0 < route.deadline_ns <= now_ns:
            report = Report(route.order_id, ReportKind.EXPIRED, 1, reason=DEADLINE_PASSED)
            late.append((route.account_id, [report]))
        else:
            leaving.append(route)
    return leaving, late
