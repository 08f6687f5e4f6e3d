"""How an order request runs to its answer: plan, room, commit, tell, wait. The only such flow.

The ASGI door (lean.py) awaits it; a form without scripts runs it from its thread (pages/door.py).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog
from asgiref.sync import sync_to_async

from marketdata import wiring as market
from oms_project.access import quota
from oms_project.access.principal import Principal
from oms_project.adapters.clock import NS_PER_S, SystemClock
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import ClaimState
from oms_project.problem import Problem
from oms_project.rest.fair import BUSY
from oms_project.rest.turns import NoTurnError, Turns
from orders import wiring
from orders.entry import plans
from orders.entry.plans import Answer, Headers, Plan
from orders.services import Gateway

PREFIX: Final = "/api/orders"
_CANCEL: Final = "/cancel"
HEAVY_AT_ONCE: Final = 8
HEAVY_OF_ONE: Final = 2
"""Batches of one user: one is read while the other is committed, and an order of somebody else waits
for at most one of them."""
HEAVY_WAITING_MAX: Final = 64
HEAVY_WAIT_S: Final = 5.0
_HEAVY: Final = Turns(
    SystemClock(), slots=HEAVY_AT_ONCE, per_key=HEAVY_OF_ONE, waiting_max=HEAVY_WAITING_MAX
)
_logger = structlog.get_logger(__name__)
_monotonic_ns = SystemClock.monotonic_ns

Planner = Callable[..., Plan | Problem]


class Route(msgspec.Struct, frozen=True):
    """What a path of order entry runs.

    blocks: the planner reads the store, or takes milliseconds: it runs in a thread, which gives way to
    the event loop within a tenth of one. heavy: it comes in its user's turn.
    """

    planner: Planner
    arguments: tuple[str, ...] = ()
    blocks: bool = False
    heavy: bool = False


ROUTES: Final = {
    "": Route(plans.plan_order),
    "/batch": Route(plans.plan_batch, blocks=True, heavy=True),
    _CANCEL: Route(plans.plan_cancel_all),
}


def route_of(path: str) -> Route | None:
    """Return what a POST to *path* runs, None if that is not order entry."""
    if not path.startswith(PREFIX):
        return None
    rest = path[len(PREFIX) :]
    if rest.endswith(_CANCEL) and rest.count("/") == 2:
        return Route(plans.plan_cancel, (rest[1 : -len(_CANCEL)],), blocks=True)
    return ROUTES.get(rest)


async def run(
    route: Route, principal: Principal, headers: Headers, body: bytes
) -> Answer | Problem:
    """Return what the request is answered."""
    try:
        if not route.heavy:
            return await _run(route, principal, headers, body)
        async with _HEAVY.turn(principal.user_id, HEAVY_WAIT_S):
            return await _run(route, principal, headers, body)
    except NoTurnError as error:
        if not error.own:
            return BUSY
        detail = "Too many batches of yours are under way."
        return Problem("rate_limited", detail, headers={"Retry-After": "1"})
    except TransportError as error:
        return plans.failed(error)


async def _run(
    route: Route, principal: Principal, headers: Headers, body: bytes
) -> Answer | Problem:
    if market.instruments_old():
        await _in_thread(market.listings)
    gateway = wiring.gateway()
    if route.blocks:
        plan = await _in_thread(route.planner, gateway, principal, headers, body, *route.arguments)
    else:
        plan = route.planner(gateway, principal, headers, body, *route.arguments)
    verdict = await _charged(principal, plan)
    if verdict.refused:
        return verdict.problem
    answer = await _sent(gateway, plan, headers) if isinstance(plan, Plan) else plan
    return msgspec.structs.replace(answer, headers={**answer.headers, **verdict.fields})


async def _charged(principal: Principal, plan: Plan | Problem | Answer) -> quota.Verdict:
    """Charge what a request asks for; one that asks for nothing good costs an order."""
    if not isinstance(plan, Plan):
        charges = quota.of_orders(principal, "", 1)
    elif plan.orders:
        charges = quota.of_orders(principal, plan.submission.claim.account_id, plan.orders)
    else:
        charges = quota.of_cancel(principal)
    counters = quota.counters()
    if counters.blocks:
        return await _in_thread(counters.charge, charges)
    return counters.charge(charges)


async def _sent(gateway: Gateway, plan: Plan, headers: Headers) -> Answer | Problem:
    """Return what became of a plan that there is room for."""
    if plan.instead is not None and await _in_thread(plans.known, gateway, plan) is None:
        return plan.instead
    try:
        state = await _committed(gateway, plan)
    except TimeoutError as error:  # only here it means that the order may be durable
        return plans.failed(error)
    if state is None:
        return await _in_thread(plans.overloaded, gateway, plan)
    if plans.differs(plan, state):
        return await _in_thread(plans.told, gateway, plan, state)
    answer = plans.told(gateway, plan, state)
    wait_s = plans.wait_of(headers)
    if wait_s and plan.decided is not None and isinstance(answer, Answer) and state.answer is None:
        return await _waited(gateway, plan, state, answer, wait_s)
    return answer


async def _committed(gateway: Gateway, plan: Plan) -> ClaimState | None:
    """Return the claim once its record is durable, None if there is no room.

    Raises:
        TransportError: it could not be committed.
        TimeoutError: it is still under way.
    """
    account_id = plan.submission.claim.account_id
    if not await gateway.flow.room(plan.orders, account_id):
        return None
    with gateway.flow.lease(plan.orders, account_id) as lease:
        state = await gateway.group.submit_async(plan.submission)
        lease.sent(state)
    return state


async def _waited(
    gateway: Gateway, plan: Plan, state: ClaimState, answer: Answer, wait_s: float
) -> Answer:
    """Wait for the command's end; its answer is kept for replays before it is given.

    A repeated request waits again: it is who lost the first answer that wants to know.
    """
    deadline_ns = _monotonic_ns() + int(wait_s * NS_PER_S)
    while _monotonic_ns() < deadline_ns:
        try:
            found = await _in_thread(plan.decided, state)
            if found is not None:
                claim = plan.submission.claim
                await _in_thread(gateway.intake.settle, claim, found.status, found.body)
        except TransportError as error:
            # Durable is durable: that the store is away now does not make it "unavailable".
            _logger.warning("decision_not_read", error=str(error))
            return answer
        if found is not None:
            applied = {**answer.headers, "Preference-Applied": f"wait={wait_s:g}"}
            return Answer(found.status, found.body, applied)
        await asyncio.sleep(plans.WAIT_POLL_S)
    return answer


async def _in_thread(work: Any, *arguments: Any) -> Any:
    return await sync_to_async(work, thread_sensitive=False)(*arguments)
