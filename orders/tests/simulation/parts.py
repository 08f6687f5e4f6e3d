"""What the simulation is made of: a log, a store and a venue that are meaner than real ones.

Everything is drawn from one seeded dice; nothing sleeps, waits or reads a clock.
"""

from collections.abc import Sequence
from typing import Any

from marketdata.domain.prices import SymbolPrices
from oms_project.adapters.loop import Loop
from oms_project.adapters.memory import MemoryLog
from oms_project.kernel import ports as p
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.kernel.words import Topic
from orders.engine import Engine

Dice = Any  # a random.Random


class CrashedError(Exception):
    """The process is gone: nothing it held in memory counts."""


class Weather:
    """How bad it is: chances per call. Calm: nothing breaks."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.calm = False
        self.crash = dice.choice((0.0, 0.01, 0.03))
        self.wire = dice.choice((0.0, 0.02, 0.08))

    def strikes(self, chance: float) -> bool:
        return not self.calm and self.dice.random() < chance

    def crash_point(self, name: str) -> None:
        """Stands for oms_project.adapters.crash.crash."""
        if self.strikes(self.crash):
            raise CrashedError(name)


class CutLog(MemoryLog):
    """A log whose end can be lost, as a power cut takes what is not synced."""

    def cut(self, topic: str, partition: int, end: int) -> None:
        """Forget what stands from *end* on."""
        part = self._parts[topic, partition]
        del part.records[end - part.start :]


class MeanLog:
    """A log whose appends are refused, torn, or done without an answer; whose reads are cut anywhere."""

    def __init__(self, inner: MemoryLog, weather: Weather) -> None:
        self.inner = inner
        self._weather = weather
        self.subscriptions: list[p.Subscription] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def subscribe(self, topic: str, group: str) -> p.Subscription:
        self.subscriptions.append(self.inner.subscribe(topic, group))
        return self.subscriptions[-1]

    def append(self, topic: str, records: Sequence[p.Record]) -> list[int]:
        weather = self._weather
        if not weather.strikes(weather.wire):
            return self.inner.append(topic, records)
        written = weather.dice.randint(0, len(records))
        if written:
            self.inner.append(topic, records[:written])
            raise UnknownOutcomeError("log", f"{written} of {len(records)} written, no answer")
        raise TransportError("log", "away")

    def read(
        self, topic: str, partition: int, offset: int, records_max: int
    ) -> list[p.StoredRecord]:
        most = records_max if self._weather.calm else self._weather.dice.randint(1, records_max)
        return self.inner.read(topic, partition, offset, most)


class Member:
    """An engine as it really runs: in a loop, a member of a group that shares the partitions out."""

    def __init__(self, log: MemoryLog, weather: Weather, clock: p.Clock, engine: Engine) -> None:
        self._log = MeanLog(log, weather)
        records_max = weather.dice.randint(1, 6)
        self.loop = Loop(
            self._log, Topic.COMMANDS, "engines", engine, clock, records_max=records_max, wait_ms=0
        )  # type: ignore[arg-type]

    def die(self) -> None:
        """Nothing is told to anybody; the group notices in time."""
        for subscription in self._log.subscriptions:
            subscription.close()


class MeanStore:
    """A store whose calls fail, before or after they did what they do."""

    def __init__(self, inner: p.OrderStore, weather: Weather) -> None:
        self.inner = inner
        self._weather = weather

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            weather = self._weather
            if weather.strikes(weather.wire / 2):
                raise TransportError("store", f"{name}: away")
            result = method(*arguments, **named)
            if weather.strikes(weather.wire / 2):
                raise TransportError("store", f"{name}: no answer")
            return result

        return call


class MeanVenue:
    """A venue that delays, repeats and reorders what it says, fills late or more than was asked for,
    and tells of strangers.

    Its numbers are those of the order: what it said before a restart it says with the same number.
    """

    name = "SIM"

    def __init__(self, dice: Dice, weather: Weather, clock: p.Clock) -> None:
        self._dice = dice
        self._weather = weather
        self._clock = clock
        self._overfills = dice.choice((0.0, 0.0, 0.02))
        self._numbers: dict[str, int] = {}
        self._open: dict[str, tuple[p.Route, int]] = {}
        self._due: list[tuple[str, p.Report]] = []
        self._said: list[tuple[str, p.Report]] = []

    def on_book(self, symbol_prices: SymbolPrices, now_ns: int) -> None:
        """It trades at the limit, whatever the book is."""

    def route(self, routes: Sequence[p.Route | p.CancelRoute], now_ns: int) -> None:
        for route in routes:
            if isinstance(route, p.CancelRoute):
                self._cancel(route)
            elif route.order_id not in self._numbers:
                assert route.limit_ticks, f"{route.order_id} has no worst price"
                in_time = not route.deadline_ns or self._clock.now_ns() < route.deadline_ns
                assert in_time or route.executions, f"{route.order_id} left after its deadline"
                self._numbers[route.order_id] = route.executions
                self._open[route.order_id] = (route, route.lots)
                if not route.executions:
                    self._say(route.account_id, route.order_id, p.ReportKind.NEW)

    def resume(self, routes: Sequence[p.Route], now_ns: int) -> None:
        self.route(routes, now_ns)

    def reports(self, now_ns: int) -> list[tuple[str, list[p.Report]]]:
        self._trade()
        if self._weather.calm:
            for order_id in list(self._open):
                self._end(order_id)
        due, self._due = self._due, []
        if not self._weather.calm:
            self._mix(due)
        return [(account_id, [report]) for account_id, report in due]

    def _trade(self) -> None:
        for order_id in list(self._open):
            route, left = self._open[order_id]
            if self._dice.random() < 0.4:
                lots = self._dice.randint(1, left)
                if self._weather.strikes(self._overfills):
                    lots = left + self._dice.randint(1, 3)
                self._say(route.account_id, order_id, p.ReportKind.TRADE, route, lots)
                self._open[order_id] = (route, left - lots)
                if left <= lots:
                    del self._open[order_id]
            elif self._dice.random() < 0.1:
                self._end(order_id)

    def _end(self, order_id: str) -> None:
        route, _ = self._open.pop(order_id)
        kind = self._dice.choice((p.ReportKind.CANCELED, p.ReportKind.EXPIRED))
        self._say(route.account_id, order_id, kind)
        if self._weather.strikes(0.1):  # a fill it made and tells only now
            self._say(route.account_id, order_id, p.ReportKind.TRADE, route, 1)

    def _cancel(self, route: p.CancelRoute) -> None:
        if route.order_id in self._open:
            self._open.pop(route.order_id)
            kind = p.ReportKind.EXPIRED if route.expires else p.ReportKind.CANCELED
            self._say(route.account_id, route.order_id, kind)
        else:
            self._say(route.account_id, route.order_id, p.ReportKind.CANCEL_REJECTED)

    def _say(
        self, account_id: str, order_id: str, kind: p.ReportKind, route: p.Route | None = None,
        lots: int = 0,
    ) -> None:  # fmt: skip
        number = self._numbers[order_id] = self._numbers.get(order_id, 0) + 1
        symbol, sign, ticks = ("", 0, 0)
        if route is not None:
            symbol, sign, ticks = route.symbol, route.sign, route.limit_ticks
        report = p.Report(order_id, kind, number, lots, ticks, False, "said", symbol, sign)
        self._due.append((account_id, report))

    def _mix(self, due: list[tuple[str, p.Report]]) -> None:
        """Hold some back, say some again, and some in another order."""
        dice = self._dice
        held = [one for one in due if dice.random() < 0.2]
        due[:] = [one for one in due if one not in held]
        self._due += held
        self._said = (self._said + due)[-20:]
        due += [one for one in self._said if dice.random() < 0.1]
        if dice.random() < 0.3:
            dice.shuffle(due)
        if due and dice.random() < 0.02:
            account_id, _ = due[0]
            stranger = f"stranger-{dice.randint(1, 3)}"
            report = p.Report(
                stranger, p.ReportKind.TRADE, dice.randint(1, 2), 1, 10_000, False, "",
                "BTC-USD", 1,
            )  # fmt: skip
            due.append((account_id, report))
