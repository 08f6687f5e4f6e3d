"""The whole product in one process, on a real log and store of its own: gateway, engine, projector.

`work` runs engine and projector until nothing is left to do, so a test needs no waiting.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from marketdata import wiring as market
from marketdata.adapters.price_records import record
from marketdata.domain import demo
from marketdata.domain.mark import Mark, SetMarks
from marketdata.domain.prices import Level, Prices, SymbolPrices
from marketdata.domain.venue import SimulatedVenue
from marketdata.view import PriceView
from oms_project.access import accounts, principal
from oms_project.adapters.clock import NS_PER_MS, FakeClock
from oms_project.adapters.ids import SeededIds, seeded
from oms_project.adapters.intake import GroupCommit
from oms_project.adapters.loop import Loop
from oms_project.adapters.sqlite_log import SqliteIntake, SqliteLog
from oms_project.kernel.terms import Terms
from oms_project.kernel.words import AccountState, OrderType, Side, TimeInForce, Topic
from orders import engine, projector, wiring
from orders.adapters.in_flight import InFlight
from orders.domain import commands
from orders.services import Gateway
from risk.domain.limits import Limits

PARTITIONS: Final = 2
ACCOUNT: Final = "5b0e7c1a-0001-4a6e-9c11-a1fa00000001"
LATENCY_MS: Final = 1


class Product:
    """Time stands still but for `work`, which lets the venue answer."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.ids = SeededIds(7)
        self.log = SqliteLog(folder, PARTITIONS)
        self.store = wiring.store()
        self.group = GroupCommit(SqliteIntake(self.log))
        self.gateway = Gateway(
            intake=SqliteIntake(self.log), group=self.group,
            flow=InFlight(self.store, self.clock, 20_000), log=self.log, store=self.store,
            clock=self.clock, ids=self.ids,
        )  # fmt: skip
        self.prices: list[SymbolPrices] = []
        self._serial = 0
        self._begin()

    def _begin(self) -> None:
        self.engine = engine.Engine(
            log=self.log, store=self.store, venue_of=lambda _: self._venue(), prices=self._fresh,
            clock=self.clock, ids=self.ids, stop=threading.Event(), snapshot_commands=10**6,
        )  # fmt: skip
        self._loops = (
            Loop(self.log, Topic.COMMANDS, engine.GROUP, self.engine, self.clock, wait_ms=0),
            Loop(
                self.log, Topic.EVENTS, projector.GROUP,
                projector.Projector(self.store, wiring.Reference()), self.clock, wait_ms=0,
            ),
        )  # fmt: skip

    def restart(self) -> None:
        """End engine and projector as a kill does, and start new ones."""
        for loop in self._loops:
            loop.close()
        self._begin()

    def _venue(self) -> SimulatedVenue:
        return SimulatedVenue(seeded(7), latency_min_ms=LATENCY_MS, latency_max_ms=LATENCY_MS)

    def _fresh(self) -> list[SymbolPrices]:
        fresh, self.prices = self.prices, []
        return fresh

    def work(self) -> None:
        """Run engine, venue and projector until nothing moves any more."""
        quiet = 0
        while quiet < 3:
            self.clock.advance_ns(2 * LATENCY_MS * NS_PER_MS)
            moved = sum(loop.run_once() for loop in self._loops)
            quiet = 0 if moved else quiet + 1
        market.forget_instruments()

    def snapshot(self) -> None:
        """Keep a snapshot of every partition."""
        for owned in self.engine.owned.values():
            self.engine.snapshot(owned)

    def open(self, account_id: str = ACCOUNT, name: str = "Alpha Fund") -> str:
        """Open an account with money, list the demo's instruments and tell a price."""
        for instrument in demo.INSTRUMENTS:
            self.gateway.broadcast(commands.SetInstrument(instrument), actor="test")
        self.gateway.broadcast(
            commands.SetAccount(account_id, name, AccountState.ACTIVE, Limits()),
            account_id=account_id, actor="test",
        )  # fmt: skip
        self.adjust(account_id, "USD", 10**6 * 10**8)
        accounts.propose(account_id, name, AccountState.ACTIVE, "{}")
        self.price("BTC-USD", 2_000_000, 2_000_100)
        self.work()
        return account_id

    def adjust(self, account_id: str, asset: str, units: int) -> None:
        command = commands.AdjustBalance(account_id, self.ids.new(), asset, units, "test")
        self.gateway.broadcast(command, account_id=account_id, actor="test")

    def price(self, symbol: str, bid: int, ask: int) -> None:
        """Tell venue, engine and readers a price."""
        at_ns = self.clock.now_ns()
        mark = Mark(symbol, (bid + ask) // 2, bid, ask, at_ns)
        self.gateway.broadcast(SetMarks((mark,)), actor="test")
        depth = 10**6
        book = SymbolPrices(
            symbol, self._next(), at_ns, (Level(bid, depth),), (Level(ask, depth),), bid, bid, bid,
            bid, 1, (), ("SIM",),
        )  # fmt: skip
        self.prices.append(book)
        told = record(Prices("test", (book,)), at_ns=at_ns, actor="test")
        self.log.append(Topic.PRICES, [told])

    def order(
        self, account_id: str = ACCOUNT, *, side: Side = Side.BUY, lots: int = 10, ticks: int = 0,
        symbol: str = "BTC-USD",
    ) -> str:  # fmt: skip
        """Place an order (without a price: at the market); return its id."""
        self.clock.advance_ns(NS_PER_MS)  # ids sort by time
        key = f"key-{self._next()}"
        kind = OrderType.LIMIT if ticks else OrderType.MARKET
        tif = TimeInForce.GTC if ticks else TimeInForce.IOC
        submission = self.gateway.place(
            account_id, [(key, Terms(symbol, side, kind, tif, lots, ticks))], endpoint="orders", key=key,
            canonical=key.encode(), actor="ann",
        )  # fmt: skip
        state = self.gateway.group.submit(submission).result(10)
        return f"{state.claim.ids_base}0000"

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def close(self) -> None:
        self.group.close()
        for loop in self._loops:
            loop.close()
        self.log.close()


@pytest.fixture
def product(tmp_path: Path, monkeypatch: Any) -> Iterator[Product]:
    """A product that admin, commands and tasks take for theirs."""
    made = Product(tmp_path / "product")
    monkeypatch.setattr(wiring, "log", lambda: made.log)
    monkeypatch.setattr(wiring, "gateway", lambda: made.gateway)
    monkeypatch.setattr(wiring, "intake", lambda: made.gateway.intake)
    monkeypatch.setattr(wiring, "clock", lambda: made.clock)
    view = PriceView(made.log, made.clock)
    monkeypatch.setattr(market, "view", lambda: view)
    principal.forget_all()
    market.forget_instruments()
    wiring.read_side.cache_clear()  # it holds the gateway it was made with
    yield made
    wiring.read_side.cache_clear()
    made.close()
