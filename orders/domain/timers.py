"""When what is due: names with a time, account by account. An index; the book rebuilds it from its state.

A name is an order's id, or what else of the account has a time. Heaps are lazy: what was moved or
dropped stays in them until it comes up, or until most of a heap is of that kind.
"""

from heapq import heapify, heappop, heappush
from typing import Final

SLACK: Final = 16
"""So many leftovers are not worth sweeping."""


class Timers:
    """at: account id -> name -> when (nanoseconds since 1970)."""

    __slots__ = ("_heaps", "_next", "at")

    def __init__(self) -> None:
        self.at: dict[str, dict[str, int]] = {}
        self._heaps: dict[str, list[tuple[int, str]]] = {}
        self._next: list[tuple[int, str]] = []  # (time of its first, account id)

    def set(self, account_id: str, name: str, at_ns: int) -> None:
        """Wake *name* at *at_ns*, and not when it was to be woken before."""
        own = self.at.setdefault(account_id, {})
        if own.get(name) == at_ns:
            return
        own[name] = at_ns
        heap = self._heaps.setdefault(account_id, [])
        heappush(heap, (at_ns, name))
        self._sweep(account_id)
        if self._heaps[account_id][0] == (at_ns, name):
            self._announce(account_id, at_ns)

    def drop(self, account_id: str, name: str) -> None:
        own = self.at.get(account_id)
        if own is None or own.pop(name, None) is None:
            return
        self._sweep(account_id)

    def ripe(self, now_ns: int) -> list[tuple[str, str, int]]:
        """Return (account id, name, time) of each account's first, if that is due; nothing changes."""
        found: dict[str, tuple[str, str, int]] = {}
        later = []
        while self._next and self._next[0][0] <= now_ns:
            _, account_id = heappop(self._next)
            first = self._first(account_id)
            if first is None or account_id in found:
                continue
            later.append((first[0], account_id))
            if first[0] <= now_ns:
                found[account_id] = (account_id, first[1], first[0])
        for one in later:
            heappush(self._next, one)
        return list(found.values())

    def take(self, account_id: str, now_ns: int, most: int) -> list[str]:
        """Return the names that are due, earliest first, at most so many; they are not set any more."""
        taken: list[str] = []
        while len(taken) < most:
            first = self._first(account_id)
            if first is None or first[0] > now_ns:
                break
            heappop(self._heaps[account_id])
            del self.at[account_id][first[1]]
            taken.append(first[1])
        self._sweep(account_id)
        first = self._first(account_id)
        if first is not None:
            self._announce(account_id, first[0])
        return taken

    def _first(self, account_id: str) -> tuple[int, str] | None:
        heap, own = self._heaps.get(account_id), self.at.get(account_id, {})
        while heap:
            if own.get(heap[0][1]) == heap[0][0]:
                return heap[0]
            heappop(heap)
        return None

    def _announce(self, account_id: str, at_ns: int) -> None:
        heappush(self._next, (at_ns, account_id))
        if len(self._next) > 2 * len(self.at) + SLACK:
            firsts = ((self._first(one), one) for one in self.at)
            self._next = [(first[0], one) for first, one in firsts if first is not None]
            heapify(self._next)

    def _sweep(self, account_id: str) -> None:
        """Leave nothing of an account that has no timer, and not too much of one that has."""
        own, heap = self.at.get(account_id), self._heaps.get(account_id)
        if not own or heap is None:
            self.at.pop(account_id, None)
            self._heaps.pop(account_id, None)
        elif len(heap) > 2 * len(own) + SLACK:
            self._heaps[account_id] = sorted((at_ns, name) for name, at_ns in own.items())
