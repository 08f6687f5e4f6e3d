"""Marks: the one price per symbol that risk uses, as a command in the log."""

import msgspec

from oms_project.kernel.numbers import Count


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The mark of a symbol: mid of the consolidated book. bid, ask: best prices, ticks."""

    symbol: str
    ticks: Count
    bid_ticks: Count
    ask_ticks: Count
    at_ns: Count


class SetMarks(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Command: the newest marks, all symbols in one record, one record a partition (key "")."""

    marks: tuple[Mark, ...]
