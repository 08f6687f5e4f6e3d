"""Candles in SQL: written twice, rolled up late, pulled back, forgotten."""

import random  # noqa: TID251 - a seeded tape
from collections.abc import Callable

import pytest

from marketdata import tasks, wiring
from marketdata.adapters.candles import KEEP_DAYS, SqlCandles
from marketdata.domain.candle import INTERVALS, fold
from marketdata.domain.past import Span
from marketdata.domain.prices import Candle, Trade
from marketdata.tests.build import SECOND_NS
from oms_project.adapters.clock import FakeClock

pytestmark = pytest.mark.django_db(databases=["default", "store"])
BTC = "BTC-USD"
BEGIN_S = 1_790_035_200
"""A midnight (UTC)."""
DAY_S = 86_400


def a_tape(hours: int, seed: int = 1) -> list[Trade]:
    dice = random.Random(seed)
    at_s = sorted(dice.sample(range(hours * 3_600), hours * 40))
    return [
        Trade(
            str(s), "A", dice.randrange(1, 999), dice.randrange(1, 99), 1, (BEGIN_S + s) * SECOND_NS
        )
        for s in at_s
    ]


def never() -> bool:
    return False


def save(store: SqlCandles, tape: list[Trade], until_s: int) -> None:
    rows = [(BTC, seconds, one) for seconds in (1, 60) for one in fold(tape, seconds)]
    store.save(rows, {BTC: Span(BEGIN_S, until_s)})


@pytest.fixture
def store() -> SqlCandles:
    return SqlCandles()


@pytest.mark.parametrize("interval_s", INTERVALS.values())
@pytest.mark.parametrize("rolled", [False, True])
def test_every_interval_is_exact_rolled_up_or_not(
    store: SqlCandles, interval_s: int, rolled: bool
) -> None:
    tape = a_tape(30)
    save(store, tape, BEGIN_S + 29 * 3_600 + 1_234)
    if rolled:
        store.roll_up(never)
    found = store.read(BTC, interval_s, BEGIN_S, BEGIN_S + 30 * 3_600)
    assert found == fold(tape, interval_s)


def test_rows_written_again_stand_once(store: SqlCandles) -> None:
    """What is written last stands; a roll-up done twice writes nothing the second time."""
    tape = a_tape(3)
    save(store, tape, BEGIN_S + 10_800)
    save(store, tape, BEGIN_S + 10_800)
    assert store.roll_up(never) > 0
    assert store.roll_up(never) == 0
    assert store.read(BTC, 3_600, BEGIN_S, BEGIN_S + 10_800) == fold(tape, 3_600)


def test_a_past_found_out_later_is_rolled_up_again(store: SqlCandles) -> None:
    """Newest first, as it is found out: what was rolled up of a part becomes whole."""
    tape = a_tape(6)
    half = BEGIN_S + 2 * 3_600 + 600
    save(store, [one for one in tape if one.at_ns >= half * SECOND_NS], BEGIN_S + 21_600)
    store.roll_up(never)
    save(store, [one for one in tape if one.at_ns < half * SECOND_NS], BEGIN_S + 21_600)
    assert store.read(BTC, 3_600, BEGIN_S, BEGIN_S + 21_600) == fold(tape, 3_600)
    store.roll_up(never)
    assert store.read(BTC, 14_400, BEGIN_S, BEGIN_S + 21_600) == fold(tape, 14_400)


def test_a_roll_up_stops_when_its_time_is_over(store: SqlCandles) -> None:
    save(store, a_tape(3), BEGIN_S + 10_800)
    assert store.roll_up(lambda: True) == 0


def test_the_candle_before_is_the_newest_with_trades(store: SqlCandles) -> None:
    tape = a_tape(3)
    save(store, tape, BEGIN_S + 10_800)
    for interval_s in (1, 60, 3_600):
        before = store.before(BTC, interval_s, BEGIN_S + 7_200)
        last = max((one for one in tape if one.at_ns < (BEGIN_S + 7_200) * SECOND_NS), key=_at)
        assert before is not None
        assert before.close_ticks == last.ticks
    assert store.before(BTC, 60, BEGIN_S) is None


def _at(trade: Trade) -> int:
    return trade.at_ns


def test_what_is_too_large_for_a_column_is_cut(store: SqlCandles) -> None:
    huge = Candle(BEGIN_S, 1, 1, 1, 1, 1, 10**20, 1, 1, 1)
    store.save([(BTC, 60, huge)], {})
    [found] = store.read(BTC, 60, BEGIN_S, BEGIN_S + 60)
    assert found.turnover == 2**63 - 1


def test_the_tasks_roll_up_and_forget(store: SqlCandles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each interval goes at its own age; what is longer stays when seconds and minutes are gone."""
    clock = FakeClock()
    clock.advance_ns((BEGIN_S + 36 * DAY_S) * SECOND_NS - clock.now_ns())
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    tape = a_tape(3)
    save(store, tape, BEGIN_S + 10_800)
    tasks.roll_up(unknown="argument")
    tasks.forget_candles()
    read: Callable[[int], list[Candle]] = lambda s: store.read(BTC, s, BEGIN_S, BEGIN_S + 10_800)  # noqa: E731
    assert read(1) == read(60) == []
    assert read(300) == fold(tape, 300)
    assert set(KEEP_DAYS) == set(INTERVALS.values())
