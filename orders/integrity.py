"""Do the books add up? Compares what is stored with itself; changes nothing.

A breach can only be a bug or a damaged store. A concern may happen in a true history (a late fill
can overdraw an account) and wants a person's look. Every read is of the store, which moves while we
look: what looks wrong is looked at again, and counts only if nothing moved in between.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from marketdata.domain.instrument import Units, units_text
from oms_project.kernel.ports import BalanceRow, OrderStore, PositionRow
from orders.adapters import stream

TRIES: Final = 4
FILLS_PAGE: Final = 500
FILLS_MAX: Final = 4_000
"""Fills read of one position in one look; after more than that the next look begins anew."""
EVENTS_A_FILL: Final = 25
"""So many events of an account for each fill we would read, and there are surely too many."""

UNTOUCHED: Final = 100
"""Accounts looked at besides those that moved, the longest not seen first: rows may be damaged."""

UnitsOf = Callable[[str], Units | None]


class Sum(msgspec.Struct, frozen=True, array_like=True):
    """What the fills of a position came to at account_seq *seq*. paid: Σ signed lots × ticks."""

    seq: int
    lots: int
    paid: int


class Seen(msgspec.Struct, frozen=True):
    """One account when it was last looked at. seq: its last_seq; sums: by symbol."""

    at_ns: int
    seq: int
    sums: dict[str, Sum]
    breaches: list[str] = []
    concerns: list[str] = []
    fills: int = 0


class Result(msgspec.Struct):
    """One look at all accounts.

    checked: looked at now; unchanged: not touched since the last look, and not looked at; moving:
    too busy to be read at one instant, left for the next look; seen: account id -> what the next
    look begins with.
    """

    at_ns: int
    accounts: int = 0
    checked: int = 0
    unchanged: int = 0
    moving: int = 0
    fills: int = 0
    breaches: list[str] = []
    concerns: list[str] = []
    seen: dict[str, Seen] = {}

    @property
    def good(self) -> bool:
        return not self.breaches


class Summary(msgspec.Struct):
    """A result as people and programs are shown it."""

    status: str
    checked_at_ns: int
    accounts: int
    checked: int
    unchanged: int
    moving: int
    fills: int
    breaches: list[str]
    concerns: list[str]


def summary(result: Result) -> Summary:
    return Summary(
        "ok" if result.good else "breached", result.at_ns, result.accounts, result.checked,
        result.unchanged, result.moving, result.fills, result.breaches, result.concerns,
    )  # fmt: skip


def check(
    store: OrderStore,
    account_ids: list[str],
    units_of: UnitsOf,
    *,
    at_ns: int,
    before: Mapping[str, Seen],
    over: Callable[[], bool],
    fills_max: int = FILLS_MAX,
    pause: Callable[[], object] = lambda: None,
) -> Result:
    """Look at every account touched since *before*, and some others; at most until *over*."""
    result = Result(at_ns, accounts=len(account_ids))
    oldest = sorted(before, key=lambda account_id: before[account_id].at_ns)[:UNTOUCHED]
    for account_id in account_ids:
        seen = before.get(account_id)
        touched = seen is None or store.last_seq(account_id) != seen.seq
        if over() or not (touched or account_id in oldest):
            result.unchanged += 1
        else:
            now = account(
                store, account_id, units_of, seen, at_ns=at_ns, fills_max=fills_max, pause=pause
            )
            result.checked += now is not None
            result.moving += now is None
            result.fills += now.fills if now is not None else 0
            seen = now or seen
        if seen is not None:
            result.seen[account_id] = seen
            result.breaches += seen.breaches
            result.concerns += seen.concerns
    return result


def account(
    store: OrderStore,
    account_id: str,
    units_of: UnitsOf,
    seen: Seen | None,
    *,
    at_ns: int = 0,
    fills_max: int = FILLS_MAX,
    pause: Callable[[], object] = lambda: None,
) -> Seen | None:
    """Look at one account until two reads agree; None if it never stood still."""
    last: tuple[object, ...] = ()
    for _ in range(TRIES):
        seq = store.last_seq(account_id)
        positions = store.positions((account_id,))
        balances = store.balances((account_id,))
        now = (seq, positions, balances)
        look = _Look(store, account_id, units_of, seen, fills_max)
        found = look.at(at_ns, seq, positions, balances)
        still = store.last_seq(account_id) == seq
        if still and (not found.breaches or now == last):
            return found
        last = now if still else ()
        pause()
    return None


class _Look:
    """One account's books at one instant."""

    def __init__(
        self, store: OrderStore, account_id: str, units_of: UnitsOf, seen: Seen | None,
        fills_max: int,
    ) -> None:  # fmt: skip
        self._store = store
        self._account_id = account_id
        self._units_of = units_of
        self._before = seen.sums if seen is not None else {}
        self._fills_max = fills_max
        self._fills = 0

    def at(
        self, at_ns: int, seq: int, positions: list[PositionRow], balances: list[BalanceRow]
    ) -> Seen:
        breaches = list(self._balances(balances))
        owed, unknown = self._owed(positions)
        if not unknown:
            breaches += self._venues(balances, owed)
        sums = {}
        for position in positions:
            sums[position.symbol], wrong = self._sum(position)
            breaches += wrong
        concerns = [
            f"{self._account_id} {row.asset}: {units_text(row.free)} free, below zero"
            for row in balances
            if row.free < 0
        ]
        concerns += [f"{self._account_id} {symbol}: unknown instrument" for symbol in unknown]
        return Seen(at_ns, seq, sums, breaches, concerns, self._fills)

    def _balances(self, balances: list[BalanceRow]) -> Iterator[str]:
        for b in balances:
            total = b.free + b.locked + b.fees + b.venue + b.external
            if total:
                yield f"{self._account_id} {b.asset}: sums to {total} units, not 0"
            if b.locked < 0:
                yield f"{self._account_id} {b.asset}: {b.locked} units locked, below zero"

    def _owed(self, positions: list[PositionRow]) -> tuple[dict[str, int], list[str]]:
        """Return what the venue's side of all trades must be by asset, and unknown symbols."""
        owed: dict[str, int] = {}
        unknown = []
        for position in positions:
            units = self._units_of(position.symbol)
            if units is None:
                unknown.append(position.symbol)
                continue
            base, quote = units.instrument.base, units.instrument.quote
            paid = (position.cost - position.realized) * units.tick_lot_units
            owed[base] = owed.get(base, 0) - position.net_lots * units.lot_units
            owed[quote] = owed.get(quote, 0) + paid
        return owed, unknown

    def _venues(self, balances: list[BalanceRow], owed: dict[str, int]) -> Iterator[str]:
        stored = {b.asset: b.venue for b in balances}
        for asset in sorted(stored.keys() | owed.keys()):
            has, must = stored.get(asset, 0), owed.get(asset, 0)
            if has != must:
                yield f"{self._account_id} {asset}: venue {has} units, positions say {must}"

    def _sum(self, position: PositionRow) -> tuple[Sum, list[str]]:
        """Return the position's sum, and what is wrong with the fills since the last look."""
        paid = position.cost - position.realized
        now = Sum(position.seq, position.net_lots, paid)
        before = self._before.get(position.symbol, Sum(0, 0, 0))
        if before.seq >= position.seq:
            return now, []
        too_many = position.seq - before.seq > EVENTS_A_FILL * self._fills_max
        fills = None if too_many else self._fills_since(position.symbol, before.seq)
        if fills is None:
            return now, []  # too many since then: from here on, with the next look
        lots, spent = before.lots, before.paid
        for seq, signed, ticks in fills:
            if seq <= position.seq:
                lots += signed
                spent += signed * ticks
                self._fills += 1
        if (lots, spent) == (now.lots, now.paid):
            return now, []
        text = f"position {now.lots} lots for {now.paid}, its fills {lots} for {spent}"
        # The sum stays as it was, so that the next look finds the same breach again.
        return before, [f"{self._account_id} {position.symbol}: {text}"]

    def _fills_since(self, symbol: str, seq: int) -> list[tuple[int, int, int]] | None:
        """Return (seq, signed lots, ticks) of fills behind *seq*, None if there are too many."""
        found: list[tuple[int, int, int]] = []
        before: int | None = stream.SEQ_MAX
        while before is not None:
            page = stream.fills_of_account(
                self._store, self._account_id, symbol=symbol, before=before, after=seq,
                limit=FILLS_PAGE,
            )  # fmt: skip
            found += [
                (row.seq, row.lots if row.side == "buy" else -row.lots, row.ticks)
                for row in page.rows
            ]
            if len(found) > self._fills_max:
                return None
            before = page.before
        return found
