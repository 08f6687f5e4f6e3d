"""The order door without a server: a gateway on twins in memory, plans made and committed."""

import pytest

from marketdata import wiring as market
from marketdata.domain.instrument import Instrument, Units
from oms_project.access.principal import Principal
from oms_project.adapters.clock import FakeClock
from oms_project.adapters.ids import SeededIds
from oms_project.adapters.intake import ClaimedIntake, GroupCommit
from oms_project.adapters.memory import MemoryIdempotencyStore, MemoryLog
from oms_project.kernel.ports import ClaimState
from oms_project.kernel.words import InstrumentState, Role, Topic
from oms_project.rest.problem import Problem
from orders.adapters.in_flight import InFlight
from orders.adapters.memory_store import MemoryStore
from orders.entry import plans
from orders.entry.plans import Answer, Plan
from orders.services import Gateway

MINE = "11111111-2222-4333-8444-555555555555"
READ_ONLY = "22222222-2222-4333-8444-555555555555"
OTHERS = "99999999-2222-4333-8444-555555555555"
ANN = Principal("7", "ann", "trader", {MINE: Role.TRADER, READ_ONLY: Role.VIEWER}, "token")
PARTITIONS = 2


def listed(symbol: str, **changes: object) -> Instrument:
    """Return an instrument: ticks of 0.05, lots of 0.001, from 0.002 to 100, worth 10 to 1,000,000."""
    base, _, quote = symbol.partition("-")
    values: dict = {
        "tick_size": "0.05", "lot_size": "0.001", "quantity_min_lots": 2,
        "quantity_max_lots": 100_000, "notional_min": 10 * 10**8, "notional_max": 10**6 * 10**8,
    } | changes  # fmt: skip
    return Instrument(symbol=symbol, base=base, quote=quote, **values)


INSTRUMENTS = (
    listed("BTC-USD"),
    listed("ETH-USD"),
    # Nothing is bounded but by the product itself.
    listed("ANY-USD", notional_min=0, notional_max=0, quantity_max_lots=0, quantity_min_lots=0),
    listed("HALT-USD", state=InstrumentState.HALTED),
    listed("OLD-USD", state=InstrumentState.DELISTED),
)
UNITS = {one.symbol: Units(one) for one in INSTRUMENTS}


class Door:
    """What a request meets behind authentication."""

    def __init__(self) -> None:
        self.log = MemoryLog(PARTITIONS)
        self.claims = MemoryIdempotencyStore()
        self.clock = FakeClock()
        self.store = MemoryStore()
        intake = ClaimedIntake(self.claims, self.log, self.clock)
        self.gateway = Gateway(
            intake=intake, group=GroupCommit(intake),
            flow=InFlight(self.store, self.clock, 20_000), log=self.log, store=self.store,
            clock=self.clock, ids=SeededIds(1),
        )  # fmt: skip

    def order(self, body: bytes, **headers: str) -> Plan | Problem:
        return plans.plan_order(self.gateway, ANN, a_header(**headers), body)

    def batch(self, body: bytes, **headers: str) -> Plan | Problem:
        return plans.plan_batch(self.gateway, ANN, a_header(**headers), body)

    def cancel(self, order_id: str, body: bytes = b"", **headers: str) -> Plan | Problem:
        return plans.plan_cancel(self.gateway, ANN, a_header(**headers), body, order_id)

    def cancel_all(self, body: bytes, **headers: str) -> Plan | Problem:
        return plans.plan_cancel_all(self.gateway, ANN, a_header(**headers), body)

    def commit(self, plan: Plan | Answer | Problem) -> Answer | Problem:
        """Commit a plan and return what the client is told."""
        assert isinstance(plan, Plan), plan
        if plan.instead is not None and plans.known(self.gateway, plan) is None:
            return plan.instead
        (state,) = self.gateway.intake.commit([plan.submission])
        assert isinstance(state, ClaimState), state
        return plans.told(self.gateway, plan, state)

    def records(self) -> int:
        return sum(self.log.end_offset(Topic.COMMANDS, part) for part in range(PARTITIONS))

    def untouched(self) -> bool:
        """Tell whether nothing was written: no record, no claim."""
        return not self.records() and not self.claims._states


def a_header(**changes: str) -> dict[bytes, bytes]:
    """Return a request's headers; one that is "" is left out."""
    values = {"content-type": "application/json", "idempotency-key": "key-1"}
    values |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name.encode(): value.encode("latin-1") for name, value in values.items() if value}


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(market, "known_units", UNITS.get)
    return Door()
