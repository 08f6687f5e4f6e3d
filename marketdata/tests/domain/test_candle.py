"""Candles are exact, in whatever parts and order they are put together."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.candle import INTERVALS, fold, merge, of_trade, quiet, roll, without_gaps
from marketdata.domain.prices import Candle, Trade
from marketdata.tests.build import MS_NS, NOW_NS, SECOND_NS

BEGIN_S = NOW_NS // SECOND_NS // 86_400 * 86_400


def a_trade(ms: int, ticks: int = 100, lots: int = 1) -> Trade:
    return Trade(f"{ms}-{ticks}-{lots}", "A", ticks, lots, 1, BEGIN_S * SECOND_NS + ms * MS_NS)


@st.composite
def tapes(draw: st.DrawFn) -> list[Trade]:
    """Trades at instants of their own, in the order of time."""
    at_ms = draw(st.lists(st.integers(0, 7_300_000), min_size=1, max_size=40, unique=True))
    return [a_trade(ms, draw(st.integers(1, 99)), draw(st.integers(1, 9))) for ms in sorted(at_ms)]


def plain(trades: list[Trade], begin_s: int, interval_s: int) -> Candle:
    """Work a candle out of a list of all its trades: what everything here must equal."""
    inside = [one for one in trades if begin_s <= one.at_ns // SECOND_NS < begin_s + interval_s]
    ticks = [one.ticks for one in inside]
    lots = [one.lots for one in inside]
    turnover = sum(one.ticks * one.lots for one in inside)
    return Candle(
        begin_s, ticks[0], max(ticks), min(ticks), ticks[-1], sum(lots), turnover, len(inside),
        inside[0].at_ns, inside[-1].at_ns,
    )  # fmt: skip


def test_each_interval_holds_the_one_before_a_whole_number_of_times() -> None:
    seconds = list(INTERVALS.values())
    assert all(b % a == 0 for a, b in pairwise(seconds))


@given(tapes(), st.sampled_from(list(INTERVALS.values())))
def test_candles_of_a_tape_are_those_of_its_trades(tape: list[Trade], interval_s: int) -> None:
    candles = fold(tape, interval_s)
    assert candles == [plain(tape, one.begin_s, interval_s) for one in candles]
    assert sum(one.trades for one in candles) == len(tape)
    assert all(one.begin_s % interval_s == 0 for one in candles)


@given(tapes(), st.data())
def test_late_and_shuffled_trades_make_the_same_candles(
    tape: list[Trade], data: st.DataObject
) -> None:
    assert fold(data.draw(st.permutations(tape)), 60) == fold(tape, 60)


@given(tapes(), st.lists(st.integers(0, 39), max_size=4))
def test_parts_merge_to_the_whole(tape: list[Trade], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(tape)]
    parts = [fold(tape[a:b], 86_400) for a, b in pairwise(edges)]
    whole = None
    for part in (one for found in parts for one in found):
        whole = part if whole is None else merge(whole, part)
    assert [whole] == fold(tape, 86_400)


@given(tapes())
def test_roll_ups_of_roll_ups_are_exact(tape: list[Trade]) -> None:
    finer = fold(tape, 1)
    for interval_s in (60, 300, 900, 3_600, 14_400, 86_400):
        finer = roll(finer, interval_s)
        assert finer == fold(tape, interval_s)


def test_of_one_instant_the_order_of_arrival_decides() -> None:
    first, second = a_trade(5, ticks=10), a_trade(5, ticks=20)
    [candle] = fold([first, second], 60)
    assert (candle.open_ticks, candle.close_ticks) == (10, 20)


def test_gaps_are_candles_without_trades_at_the_last_close() -> None:
    candles = [of_trade(a_trade(0, 10), 60), of_trade(a_trade(180_000, 30), 60)]
    found = list(without_gaps(candles, 60, BEGIN_S + 300))
    assert [(one.begin_s - BEGIN_S, one.close_ticks, one.trades) for one in found] == [
        (0, 10, 1), (60, 10, 0), (120, 10, 0), (180, 30, 1), (240, 30, 0),
    ]  # fmt: skip
    assert found[1] == Candle(BEGIN_S + 60, 10, 10, 10, 10, 0, 0, 0, 0, 0)


def test_nothing_is_made_up_in_front_of_the_first_trade() -> None:
    [candle] = without_gaps([of_trade(a_trade(0), 60)], 60, BEGIN_S + 60)
    assert candle.begin_s == BEGIN_S
    assert list(without_gaps([], 60, BEGIN_S + 600)) == []
    before = quiet(BEGIN_S - 60, 7)
    assert [one.close_ticks for one in without_gaps([], 60, BEGIN_S + 120, before)] == [7, 7]
