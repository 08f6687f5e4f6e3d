"""The simulated venue: fills orders against the consolidated book.

This is hot path: tens of thousands of orders a second go through `route` and `reports`.

What it is, and what it is not:

* Liquidity is the newest consolidated book. What our fills take is gone until the next book.
* Orders meet that liquidity only, never each other: nobody here trades with another of us.
* An order is matched when it arrives; its reports become due after one drawn latency for each
  `route` call, never before reports of an earlier call. So a cancel sent after an order is
  handled after it, whatever the latency.
* A resting order is filled when a new book crosses it, as maker at its own limit; the best price
  first, then the oldest.
* It keeps no truth: open orders are handed back by `resume`; closed ones are remembered only to
  ignore duplicates, the newest tens of thousands of them.

Reports of an order are numbered 1, 2, 3, … (a cancel reject included); a cancel reject for an order
nobody knows has the number 0.
"""

from bisect import insort
from collections import deque
from collections.abc import Sequence
from typing import Final

from marketdata.domain.prices import Level, SymbolPrices
from marketdata.domain.simulate import Dice
from oms_project.kernel.numbers import NS_PER_MS
from oms_project.kernel.ports import CancelRoute, Report, ReportKind, Route

KNOWN_MAX: Final = 50_000
"""Closed orders remembered at least (and twice as many at most)."""

NO_MARKET: Final = "no_market"
NO_LIQUIDITY: Final = "no_liquidity"
FOK_UNFILLED: Final = "fok_unfilled"
TOO_LATE: Final = "too_late"
UNKNOWN_ORDER: Final = "unknown_order"
REQUESTED: Final = "requested"
EXPIRED: Final = "expired"

_NEW: Final = ReportKind.NEW
_TRADE: Final = ReportKind.TRADE
_CANCELED: Final = ReportKind.CANCELED
_EXPIRED: Final = ReportKind.EXPIRED

Batch = dict[str, list[Report]]
"""Reports by account, each in order."""


class _Ladder:
    """One side's liquidity, best first, as keys that ascend: ticks for asks, minus ticks for bids.

    at: the first level that still has lots. An order's key limit is sign × limit_ticks.
    """

    __slots__ = ("at", "keys", "lots")

    def __init__(self, levels: Sequence[Level], sign: int) -> None:
        self.keys = [sign * level.ticks for level in levels if level.lots > 0]
        self.lots = [level.lots for level in levels if level.lots > 0]
        self.at = 0

    def available(self, key_limit: int, wanted: int) -> bool:
        """Return whether *wanted* lots can be had up to the limit."""
        for at in range(self.at, len(self.keys)):
            if self.keys[at] > key_limit:
                return False
            wanted -= self.lots[at]
            if wanted <= 0:
                return True
        return False


class _Resting:
    """An order in our part of the book. executions: reports made so far."""

    __slots__ = (
        "account_id",
        "executions",
        "key",
        "limit_ticks",
        "lots",
        "order_id",
        "queue",
        "symbol",
    )

    def __init__(self, route: Route, lots: int, executions: int, queue: "_Queue") -> None:
        self.order_id = route.order_id
        self.symbol = route.symbol
        self.account_id = route.account_id
        self.limit_ticks = route.limit_ticks
        self.key = -route.sign * route.limit_ticks
        self.lots = lots
        self.executions = executions
        self.queue = queue


class _Queue:
    """Resting orders of one side of a symbol: keys ascend from the best price, then by time."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, dict[str, _Resting]] = {}

    def add(self, order: _Resting) -> None:
        level = self.levels.get(order.key)
        if level is None:
            level = self.levels[order.key] = {}
            insort(self.keys, order.key)
        level[order.order_id] = order

    def remove(self, order: _Resting) -> None:
        level = self.levels[order.key]
        del level[order.order_id]
        if not level:
            del self.levels[order.key]
            self.keys.remove(order.key)


class SimulatedVenue:
    """Implements oms_project.kernel.ports.Venue."""

    def __init__(
        self,
        dice: Dice,
        *,
        name: str = "SIM",
        latency_min_ms: int = 0,
        latency_max_ms: int = 0,
        known_max: int = KNOWN_MAX,
    ) -> None:
        """*dice*: seeded; latency bounds are inclusive, 0 and 0: reports are due at once."""
        if not 0 <= latency_min_ms <= latency_max_ms:
            raise ValueError("latency needs 0 <= min <= max")
        self.name = name
        self._dice = dice
        self._latency_min_ns = latency_min_ms * NS_PER_MS
        self._latency_max_ns = latency_max_ms * NS_PER_MS
        self._known_max = known_max
        self._ladders: dict[str, tuple[_Ladder, _Ladder]] = {}
        self._queues: dict[str, tuple[_Queue, _Queue]] = {}
        self._resting: dict[str, _Resting] = {}
        # Two generations of closed orders, id -> reports made: forgetting is one assignment.
        self._known: dict[str, int] = {}
        self._known_before: dict[str, int] = {}
        self._due: deque[tuple[int, Batch]] = deque()
        self._due_last_ns = 0

    def on_book(self, symbol_prices: SymbolPrices, now_ns: int) -> None:
        """Replace the visible liquidity of a symbol and fill the resting orders it crosses."""
        symbol = symbol_prices.symbol
        asks, bids = _Ladder(symbol_prices.asks, 1), _Ladder(symbol_prices.bids, -1)
        self._ladders[symbol] = (asks, bids)
        queues = self._queues.get(symbol)
        if queues is None:
            return
        out: Batch = {}
        for queue, ladder in zip(queues, (asks, bids), strict=True):
            self._fill_resting(queue, ladder, out)
        self._send(out, now_ns)

    def route(self, routes: Sequence[Route | CancelRoute], now_ns: int) -> None:
        """Match orders as they arrive; see the module's text."""
        out: Batch = {}
        known, before, resting = self._known, self._known_before, self._resting
        ladders = self._ladders
        account_id = ""
        reports: list[Report] = []
        for route in routes:
            order_id = route.order_id
            if isinstance(route, CancelRoute):
                self._cancel(route, out.setdefault(route.account_id, []))
                continue
            if order_id in known or order_id in resting or order_id in before:
                continue
            if route.account_id != account_id:
                account_id = route.account_id
                reports = out.setdefault(account_id, [])
            sides = ladders.get(route.symbol)
            if sides is None:
                reports.append(Report(order_id, ReportKind.REJECTED, 1, 0, 0, False, NO_MARKET))
                self._close(order_id, 1)
                continue
            reports.append(Report(order_id, _NEW, 1))
            self._match(route, sides[0] if route.sign > 0 else sides[1], 1, reports)
        self._send(out, now_ns + self._latency_ns())

    def resume(self, routes: Sequence[Route], now_ns: int) -> None:
        """Take back open orders; executions = 0 is a new order, any other goes on where it was."""
        out: Batch = {}
        for route in routes:
            known = route.order_id in self._resting or self._is_closed(route.order_id)
            if known or not route.executions:
                continue
            sides = self._ladders.get(route.symbol) or (_Ladder((), 1), _Ladder((), -1))
            ladder = sides[0] if route.sign > 0 else sides[1]
            reports = out.setdefault(route.account_id, [])
            self._match(route, ladder, route.executions, reports)
        self._send(out, now_ns)
        # Those never acknowledged are new, and were behind the others before the restart as well.
        self.route([route for route in routes if not route.executions], now_ns)

    def reports(self, now_ns: int) -> list[tuple[str, list[Report]]]:
        """Return what is due, grouped by account; each report once."""
        due = self._due
        if not due or due[0][0] > now_ns:
            return []
        merged = due.popleft()[1]
        while due and due[0][0] <= now_ns:
            for account_id, reports in due.popleft()[1].items():
                merged.setdefault(account_id, []).extend(reports)
        return list(merged.items())

    def next_due_ns(self) -> int | None:
        """Return when the next reports are due, None if there are none: for the driver's wait."""
        return self._due[0][0] if self._due else None

    def open_orders(self) -> int:
        """Return how many orders rest here."""
        return len(self._resting)

    def _match(self, route: Route, ladder: _Ladder, executions: int, reports: list[Report]) -> None:
        """Take what the ladder has within the limit; then rest, or cancel the remainder."""
        order_id = route.order_id
        left = route.lots
        sign, symbol = route.sign, route.symbol
        key_limit = sign * route.limit_ticks
        if route.all_or_none and not ladder.available(key_limit, left):
            self._close(order_id, executions + 1)
            reports.append(Report(order_id, _CANCELED, executions + 1, 0, 0, False, FOK_UNFILLED))
            return
        keys, lots = ladder.keys, ladder.lots
        at, end = ladder.at, len(keys)
        while left and at < end:
            key = keys[at]
            if key > key_limit:
                break
            there = lots[at]
            executions += 1
            if there > left:
                lots[at] = there - left
                reports.append(
                    Report(order_id, _TRADE, executions, left, sign * key, False, "", symbol, sign)
                )
                left = 0
            else:
                reports.append(
                    Report(order_id, _TRADE, executions, there, sign * key, False, "", symbol, sign)
                )
                left -= there
                at += 1
        ladder.at = at
        if left and route.rests:
            self._rest(route, left, executions)
            return
        if left:
            executions += 1
            reports.append(Report(order_id, _CANCELED, executions, 0, 0, False, NO_LIQUIDITY))
        self._known[order_id] = executions
        if len(self._known) > self._known_max:
            self._forget()

    def _rest(self, route: Route, lots: int, executions: int) -> None:
        queues = self._queues.get(route.symbol)
        if queues is None:
            queues = self._queues[route.symbol] = (_Queue(1), _Queue(-1))
        queue = queues[0] if route.sign > 0 else queues[1]
        order = _Resting(route, lots, executions, queue)
        queue.add(order)
        self._resting[route.order_id] = order

    def _fill_resting(self, queue: _Queue, ladder: _Ladder, out: Batch) -> None:
        """Fill a side's orders, best price first, then time, while the new book crosses them."""
        while queue.keys and ladder.at < len(ladder.keys):
            key = queue.keys[0]
            if ladder.keys[ladder.at] > -key:
                return
            order = next(iter(queue.levels[key].values()))
            there = ladder.lots[ladder.at]
            lots = min(there, order.lots)
            ladder.lots[ladder.at] = there - lots
            if lots == there:
                ladder.at += 1
            order.lots -= lots
            order.executions += 1
            out.setdefault(order.account_id, []).append(
                Report(
                    order.order_id,
                    _TRADE,
                    order.executions,
                    lots,
                    order.limit_ticks,
                    True,
                    "",
                    order.symbol,
                    queue.sign,
                )
            )
            if not order.lots:
                self._leave(order)

    def _cancel(self, route: CancelRoute, reports: list[Report]) -> None:
        order = self._resting.get(route.order_id)
        if order is not None:
            order.executions += 1
            self._leave(order)
            kind, reason = (_EXPIRED, EXPIRED) if route.expires else (_CANCELED, REQUESTED)
            reports.append(Report(order.order_id, kind, order.executions, 0, 0, False, reason))
            return
        order_id = route.order_id
        number = 0
        reason = UNKNOWN_ORDER
        if self._is_closed(order_id):
            made = self._known.get(order_id) or self._known_before.get(order_id, 0)
            number = made + 1
            reason = TOO_LATE
            self._close(order_id, number)
        reports.append(Report(order_id, ReportKind.CANCEL_REJECTED, number, 0, 0, False, reason))

    def _leave(self, order: _Resting) -> None:
        order.queue.remove(order)
        del self._resting[order.order_id]
        self._close(order.order_id, order.executions)

    def _is_closed(self, order_id: str) -> bool:
        return order_id in self._known or order_id in self._known_before

    def _close(self, order_id: str, executions: int) -> None:
        self._known[order_id] = executions
        if len(self._known) > self._known_max:
            self._forget()

    def _forget(self) -> None:
        """Drop the older generation. In place, because `route` holds both while it loops."""
        self._known_before.clear()
        self._known_before.update(self._known)
        self._known.clear()

    def _latency_ns(self) -> int:
        if not self._latency_max_ns:
            return 0
        return self._dice.randrange(self._latency_min_ns, self._latency_max_ns + 1)

    def _send(self, out: Batch, due_ns: int) -> None:
        out = {account_id: reports for account_id, reports in out.items() if reports}
        if not out:
            return
        # Never overtake: NEW of an order must not arrive after a fill that a later book made.
        self._due_last_ns = max(self._due_last_ns, due_ns)
        self._due.append((self._due_last_ns, out))
