"""Position and profit: rows with every way a fill can move them, and what always holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms_project.tests.examples import examples
from risk.domain.position import Position

ROWS = [
    # begins with          fills                                ends with (net, cost, realized)
    ("open long",          [(10, 100)],                         (10, 1_000, 0)),
    ("open short",         [(-10, 100)],                        (-10, -1_000, 0)),
    ("increase long",      [(10, 100), (5, 130)],               (15, 1_650, 0)),
    ("increase short",     [(-10, 100), (-5, 70)],              (-15, -1_350, 0)),
    ("reduce long, win",   [(10, 100), (-4, 150)],              (6, 600, 200)),
    ("reduce long, lose",  [(10, 100), (-4, 50)],               (6, 600, -200)),
    ("reduce short, win",  [(-10, 100), (4, 50)],               (-6, -600, 200)),
    ("reduce short, lose", [(-10, 100), (4, 150)],              (-6, -600, -200)),
    ("close long",         [(10, 100), (-10, 110)],             (0, 0, 100)),
    ("close short",        [(-10, 100), (10, 110)],             (0, 0, -100)),
    ("flip to short",      [(10, 100), (-15, 120)],             (-5, -600, 200)),
    ("flip to long",       [(-10, 100), (15, 80)],              (5, 400, 200)),
    ("flip there and back", [(10, 100), (-20, 110), (20, 90)],  (10, 900, 300)),
    ("at average cost",    [(1, 100), (1, 101), (-1, 100)],     (1, 101, 0)),
    ("the rest stays in",  [(2, 100), (1, 101), (-1, 100)],     (2, 201, 0)),
    ("... and comes out",  [(2, 100), (1, 101), (-1, 100), (-2, 100)], (0, 0, -1)),
    ("short rounds to 0",  [(-2, 100), (-1, 101), (1, 100)],    (-2, -201, 0)),
    ("short, closed",      [(-2, 100), (-1, 101), (1, 100), (2, 100)], (0, 0, 1)),
    ("nothing bought dear", [(3, 1), (-1, 10**12)],             (2, 2, 10**12 - 1)),
    ("opens again",        [(5, 10), (-5, 12), (-5, 20)],       (-5, -100, 10)),
]  # fmt: skip


@pytest.mark.parametrize(("fills", "ends"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_fills(fills: list[tuple[int, int]], ends: tuple[int, int, int]) -> None:
    position = Position()
    for lots, ticks in fills:
        position.fill(lots, ticks)
    assert (position.net_lots, position.cost, position.realized) == ends


@pytest.mark.parametrize(
    ("fills", "mark", "profit"),
    [
        ([], 100, 0),
        ([(10, 100)], 110, 100),
        ([(10, 100)], 90, -100),
        ([(-10, 100)], 110, -100),
        ([(-10, 100)], 90, 100),
        ([(10, 100), (-10, 150)], 90, 0),
    ],
)
def test_unrealized(fills: list[tuple[int, int]], mark: int, profit: int) -> None:
    position = Position()
    for lots, ticks in fills:
        position.fill(lots, ticks)
    assert position.unrealized(mark) == profit


fills = st.lists(
    st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 10**9)), min_size=1, max_size=30
)


@given(fills, st.integers(1, 10**9))
@examples(80)
def test_no_tick_is_lost(path: list[tuple[int, int]], mark: int) -> None:
    """After every fill: realized − cost is the cash paid in; closing all makes exactly that."""
    position = Position()
    cash = net = 0
    for lots, ticks in path:
        position.fill(lots, ticks)
        cash -= lots * ticks
        net += lots
        assert position.net_lots == net
        assert position.realized - position.cost == cash
        # The sign of what is open is the sign of what it cost.
        assert position.cost * position.net_lots >= 0
        assert net or not position.cost
    profit = position.realized + position.unrealized(mark)
    assert profit == cash + net * mark
    if net:
        position.fill(-net, mark)
        assert (position.net_lots, position.cost, position.realized) == (0, 0, profit)


@given(fills)
@examples(50)
def test_the_other_side_mirrors(path: list[tuple[int, int]]) -> None:
    """Who took the other side of everything has the same with the sign turned, to the tick."""
    ours, theirs = Position(), Position()
    for lots, ticks in path:
        ours.fill(lots, ticks)
        theirs.fill(-lots, ticks)
    assert (ours.net_lots, ours.cost, ours.realized) == (
        -theirs.net_lots,
        -theirs.cost,
        -theirs.realized,
    )
