"""Orders that wait for a price, by symbol: two heaps, and groups of those that trail. An index.

A mark that fires none looks at four tops. Orders that trail the same way move together: all whose best
price so far a mark has beaten have that mark as their best price from then on, so they are one group, and
a mark moves groups, never orders. Groups only ever merge, the smaller into the larger.

Heaps are lazy: what was dropped stays until it comes up, or until most of a heap is of that kind.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from orders.domain.order import Order

BPS: Final = 10_000
SLACK: Final = 16


def trail_of(peak_ticks: int, trail_ticks: int, trail_bps: int) -> int:
    """Return how far behind its best price an order fires: an amount, or a part of it rounded up."""
    return trail_ticks or -(-peak_ticks * trail_bps // BPS)


class Heap:
    """Orders by a key, smallest first, then by id. live: of the index, whatever heap they are in."""

    __slots__ = ("items", "live")

    def __init__(self, live: dict[str, Order]) -> None:
        self.items: list[tuple[int, str]] = []
        self.live = live

    def add(self, key: int, order_id: str) -> None:
        heappush(self.items, (key, order_id))

    def first(self) -> tuple[int, str] | None:
        """Return the smallest (key, order id) of an order that still waits."""
        items, live = self.items, self.live
        while items and items[0][1] not in live:
            heappop(items)
        return items[0] if items else None

    def sweep(self) -> None:
        self.items = [one for one in self.items if one[1] in self.live]
        heapify(self.items)


class Group:
    """Orders that trail one best price. peak: that price, as the trail counts it (see Trails)."""

    __slots__ = ("by_bps", "by_ticks", "peak")

    def __init__(self, peak: int, live: dict[str, Order]) -> None:
        self.peak = peak
        self.by_ticks = Heap(live)
        self.by_bps = Heap(live)

    def add(self, order: Order) -> None:
        extras = order.terms.extras
        assert extras is not None, "an order that trails says how far"
        if extras.trail_ticks:
            self.by_ticks.add(extras.trail_ticks, order.order_id)
        else:
            self.by_bps.add(extras.trail_bps, order.order_id)

    def level(self) -> int | None:
        """Return the highest price at which one of it fires, None if it is empty."""
        ticks, bps = self.by_ticks.first(), self.by_bps.first()
        found = [self.peak - ticks[0]] if ticks is not None else []
        if bps is not None:
            found.append(self.peak - trail_of(abs(self.peak), 0, bps[0]))
        return max(found, default=None)

    def fired(self, price: int) -> Iterator[str]:
        """Yield, and let go of, those that fire at *price*."""
        for heap, is_bps in ((self.by_ticks, False), (self.by_bps, True)):
            while (first := heap.first()) is not None:
                trail = trail_of(abs(self.peak), 0, first[0]) if is_bps else first[0]
                if price > self.peak - trail:
                    break
                heappop(heap.items)
                yield first[1]

    def take(self, other: "Group") -> None:
        for own, more in ((self.by_ticks, other.by_ticks), (self.by_bps, other.by_bps)):
            for item in more.items:
                heappush(own.items, item)

    def size(self) -> int:
        return len(self.by_ticks.items) + len(self.by_bps.items)


class Trails:
    """Trailing orders of one side: groups, highest best price first, the lowest last.

    sign: +1 for sellers, who trail a rising mark; -1 for buyers, whose prices are counted negative, so
    that for both the best price is the highest, and they fire when the price falls behind it.

    _levels: (minus the level at which a group fires, serial, group); one that is out of date is put
    right when it comes up.
    """

    __slots__ = ("_levels", "_serial", "groups", "live", "sign")

    def __init__(self, sign: int, live: dict[str, Order]) -> None:
        self.sign = sign
        self.live = live
        self.groups: list[Group] = []
        self._levels: list[tuple[int, int, Group]] = []
        self._serial = 0

    def add(self, order: Order) -> None:
        peak = self.sign * order.peak_ticks
        at = len(self.groups)
        while at and self.groups[at - 1].peak < peak:
            at -= 1
        if not at or self.groups[at - 1].peak != peak:
            self.groups.insert(at, Group(peak, self.live))
            at += 1
        self.groups[at - 1].add(order)
        self._watch(self.groups[at - 1])

    def _watch(self, group: Group) -> None:
        level = group.level()
        if level is None:
            return
        if len(self._levels) > 2 * len(self.groups) + SLACK:
            self._levels.clear()
            for one in self.groups:
                if one is not group:
                    self._watch(one)
        self._serial += 1
        heappush(self._levels, (-level, self._serial, group))

    def fired(self, mark_ticks: int) -> list[str]:
        """Move with the mark; return the ids of those that fire, in no order."""
        price = self.sign * mark_ticks
        self._follow(price)
        found: list[str] = []
        while self._levels and -self._levels[0][0] >= price:
            _, _, group = heappop(self._levels)
            if group in self.groups:
                found += group.fired(price)
                self._watch(group)
        return found

    def _follow(self, price: int) -> None:
        """Make one group of all whose best price this one is."""
        groups = self.groups
        last: Group | None = None
        while groups and groups[-1].peak <= price:
            group = groups.pop()
            if last is not None:
                small, group = sorted((last, group), key=Group.size)
                group.take(small)
            last = group
        if last is not None and last.level() is not None:
            last.peak = price
            groups.append(last)
            self._watch(last)

    def settle(self) -> None:
        """Write into the orders what they trail now."""
        for group in self.groups:
            for heap in (group.by_ticks, group.by_bps):
                for _, order_id in heap.items:
                    order = self.live.get(order_id)
                    if order is not None:
                        order.peak_ticks = self.sign * group.peak


class Triggers:
    """Everything of one symbol that waits for a price. live: by order id."""

    __slots__ = ("above", "below", "buyers", "live", "sellers")

    def __init__(self) -> None:
        self.live: dict[str, Order] = {}
        self.above = Heap(self.live)
        self.below = Heap(self.live)
        self.sellers = Trails(1, self.live)
        self.buyers = Trails(-1, self.live)

    def add(self, order: Order) -> None:
        """Wait for the price at which *order* fires; nothing if it does already."""
        order_id, terms = order.order_id, order.terms
        if order_id in self.live:
            return
        self.live[order_id] = order
        if terms.trails:
            (self.sellers if terms.sign < 0 else self.buyers).add(order)
        elif terms.fires_above:
            self.above.add(terms.stop_ticks, order_id)
        else:
            self.below.add(-terms.stop_ticks, order_id)
        self._sweep(self.above)
        self._sweep(self.below)

    def drop(self, order_id: str) -> None:
        if order_id in self.live:
            self._let_go(order_id)

    def _let_go(self, order_id: str) -> Order:
        """What it trailed is forgotten: how well it is known depends on when a snapshot was made."""
        order = self.live.pop(order_id)
        order.peak_ticks = 0
        return order

    def fired(self, mark_ticks: int) -> list[Order]:
        """Return those that fire at this mark, oldest first; they wait no longer."""
        found: list[str] = []
        for heap, key in ((self.above, mark_ticks), (self.below, -mark_ticks)):
            while (first := heap.first()) is not None and first[0] <= key:
                heappop(heap.items)
                found.append(first[1])
        for trails in (self.sellers, self.buyers):
            if trails.groups:
                found += trails.fired(mark_ticks)
        return [self._let_go(order_id) for order_id in sorted(found)]

    def settle(self) -> None:
        self.sellers.settle()
        self.buyers.settle()

    def _sweep(self, heap: Heap) -> None:
        if len(heap.items) > 2 * len(self.live) + SLACK:
            heap.sweep()
