"""Ids that were used once and never again: client_order_ids, commands, adjustments; for ever, by hash.

Part of the engine's state, so that deciding asks no store. What memory lets go of is kept as a pair
of 64 bits: a hash of the id, and what it stands for (48 bits of the order's id hash, 16 of the
highest execution number seen). Newest pairs are in a dict; every SEGMENT_PAIRS of them become an
immutable sorted segment that is written once, so a snapshot's cost does not grow with history.

A false "used" needs two equal 64-bit hashes in one partition: about 5·10⁻¹³ an order at 10⁷ orders
(ADR 0011, with the memory it takes).
"""

import hashlib
from array import array
from bisect import bisect_left
from typing import Final

import msgspec
from rbloom import Bloom
from xxhash import xxh3_64_intdigest

from oms_project.kernel.ids import CLAIMED_AT

SEGMENT_PAIRS: Final = 65_536
EXECUTION_BITS: Final = 16
EXECUTION_MAX: Final = (1 << EXECUTION_BITS) - 1
FIRST_SIZE: Final = 1_000_000
FALSE_POSITIVES: Final = 0.001
_WORD_BYTES: Final = 8


class Segment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The name of an immutable segment. digest: sha256 of its bytes, part of the state's hash."""

    number: int
    digest: str


class Used(msgspec.Struct, array_like=True):
    """The part that a snapshot holds. fresh: hash -> what it stands for, not in a segment yet."""

    fresh: dict[int, int] = {}
    segments: list[Segment] = []


def client_key(account_hash: int, client_order_id: str) -> int:
    """Return the hash of an account's client_order_id."""
    return xxh3_64_intdigest(client_order_id.encode(), account_hash)


def lasting_name(order_id: str, client_order_id: str) -> str:
    """Return what no second order of the account can have: the client_order_id, if it chose one.

    Else the part of the order's id that comes of the idempotency key alone: once the key's claim is
    forgotten, the same request makes an id of another time, and still no second order.
    """
    return client_order_id if client_order_id != order_id else order_id[CLAIMED_AT:]


def account_hash(account_id: str) -> int:
    return xxh3_64_intdigest(account_id.encode())


def other_key(kind: str, an_id: str) -> int:
    """Return the hash of an id of another kind: a command's, an adjustment's, an order's."""
    return xxh3_64_intdigest(an_id.encode(), _SEEDS[kind])


_SEEDS: Final = {"command": 1, "adjustment": 2, "external": 3, "executions": 4}


def order_mark(order_id: str, executions: int) -> int:
    """Return what a client_order_id stands for: its order, and how much of it was told."""
    order_hash = xxh3_64_intdigest(order_id.encode()) >> EXECUTION_BITS
    return order_hash << EXECUTION_BITS | min(executions, EXECUTION_MAX)


class UsedIds:
    """A partition's used ids: the state's part, and what makes looking it up cheap."""

    def __init__(self, state: Used, bodies: dict[int, bytes] | None = None) -> None:
        """*bodies*: of the state's segments, by number; all of them.

        Raises:
            KeyError: one is missing; ValueError: one is not what the state says.
        """
        self.state = state
        self._filters = [Bloom(FIRST_SIZE, FALSE_POSITIVES)]
        self._size = self._room = FIRST_SIZE
        self._keys: list[array[int]] = []
        self._marks: list[bytes] = []
        self.unsaved: dict[int, bytes] = {}
        """Segments that no snapshot has named yet, by number."""
        for segment in state.segments:
            body = (bodies or {})[segment.number]
            if hashlib.sha256(body).hexdigest() != segment.digest:
                raise ValueError(f"segment {segment.number} is not what the snapshot says")
            self._open(body)
        self._note(list(state.fresh))

    def add(self, key: int, mark: int) -> None:
        """Remember *key* for ever; the first mark stays."""
        fresh = self.state.fresh
        if key in fresh:
            return
        if not self._room:
            self._grow()
        self._room -= 1
        self._filters[-1].add(key)
        fresh[key] = mark
        if len(fresh) >= SEGMENT_PAIRS:
            self._freeze()

    def mark_of(self, key: int) -> int | None:
        """Return what *key* stands for, None if it was never used."""
        for one in self._filters:
            if key in one:
                break
        else:
            return None
        found = self.state.fresh.get(key)
        if found is not None:
            return found
        for keys, marks in zip(self._keys, self._marks, strict=True):
            at = bisect_left(keys, key)
            if at < len(keys) and keys[at] == key:
                start = at * _WORD_BYTES
                return int.from_bytes(marks[start : start + _WORD_BYTES], "little")
        return None

    def __contains__(self, key: int) -> bool:
        for one in self._filters:  # next to every key was never used: the hot path ends here
            if key in one:
                return self.mark_of(key) is not None
        return False

    def executions_of(self, order_id: str) -> int | None:
        """Return the highest execution number told of an order let go of; None: not known here.

        A scan, for what hardly ever happens: a report of an order that memory has let go of.
        """
        wanted = order_mark(order_id, 0)
        for mark in self.state.fresh.values():
            if mark & ~EXECUTION_MAX == wanted:
                return self._executions(order_id, mark & EXECUTION_MAX)
        pattern = wanted.to_bytes(_WORD_BYTES, "little")[EXECUTION_BITS // 8 :]
        for marks in self._marks:
            at = marks.find(pattern)
            while at >= 0:
                start = at - EXECUTION_BITS // 8
                if not start % _WORD_BYTES:
                    return self._executions(order_id, int.from_bytes(marks[start:at], "little"))
                at = marks.find(pattern, at + 1)
        return None

    def _executions(self, order_id: str, marked: int) -> int:
        """Return the number behind the 16 bits of a mark: what they cannot hold stands by itself."""
        if marked < EXECUTION_MAX:
            return marked
        return self.mark_of(other_key("executions", order_id)) or marked

    def let_go(self, account_hash: int, name: str, order_id: str, executions: int) -> None:
        """Remember an order by its lasting name, and how much of it was told."""
        self.add(client_key(account_hash, name), order_mark(order_id, executions))
        if executions >= EXECUTION_MAX:
            self.add(other_key("executions", order_id), executions)

    def bodies(self) -> dict[int, bytes]:
        """Return the bytes of every segment, by number."""
        pairs = zip(self._keys, self._marks, strict=True)
        return {number: keys.tobytes() + marks for number, (keys, marks) in enumerate(pairs)}

    def __len__(self) -> int:
        return len(self.state.fresh) + sum(len(keys) for keys in self._keys)

    def _freeze(self) -> None:
        """Make an immutable segment of the fresh pairs: sorted keys, then their marks."""
        pairs = sorted(self.state.fresh.items())
        keys = b"".join([key.to_bytes(_WORD_BYTES, "little") for key, _ in pairs])
        marks = b"".join([mark.to_bytes(_WORD_BYTES, "little") for _, mark in pairs])
        body = keys + marks
        number = len(self.state.segments)
        self.state.segments.append(Segment(number, hashlib.sha256(body).hexdigest()))
        self.state.fresh.clear()
        self.unsaved[number] = body
        self._keep(body)

    def _open(self, body: bytes) -> None:
        self._keep(body)
        self._note(self._keys[-1].tolist())

    def _keep(self, body: bytes) -> None:
        half = len(body) // 2
        keys = array("Q")
        keys.frombytes(body[:half])  # little-endian, as are all machines this runs on
        self._keys.append(keys)
        self._marks.append(body[half:])

    def _note(self, keys: list[int]) -> None:
        if len(keys) > self._room:
            self._grow(len(keys))
        self._room -= len(keys)
        self._filters[-1].update(keys)

    def _grow(self, least: int = 0) -> None:
        self._size = max(self._size * 2, least)
        self._room = self._size
        self._filters.append(Bloom(self._size, FALSE_POSITIVES))
