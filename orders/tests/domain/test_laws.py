"""The laws of the core, for whatever happens: converging, folding, replaying, conserving."""

import itertools

from hypothesis import assume, example, given
from hypothesis import strategies as st

from oms_project.kernel.numbers import PPM, ceil_div
from oms_project.kernel.ports import Report
from oms_project.kernel.words import AccountState, Side, Status
from oms_project.tests.examples import examples
from orders.domain import events as e
from orders.domain.book import Account, state_hash
from orders.domain.order import Order, status_of
from orders.tests.domain import build
from orders.tests.domain.build import ACCOUNT, SYMBOLS, Desk, moved_by_fills
from orders.tests.domain.script import (
    ACCOUNTS,
    Action,
    Player,
    honest_scripts,
    scripts,
    shown,
)
from risk.domain.limits import Limits
from risk.domain.rules import Reason

LOTS = 10


@st.composite
def histories(draw: st.DrawFn) -> list[Report]:
    """Draw what a venue may say of an order of LOTS: ack, fills, and a cancel of what is left."""
    sizes = draw(st.lists(st.integers(1, 4), max_size=5))
    while sum(sizes) > LOTS:
        sizes.pop()
    reports = [build.ack()]
    for execution, lots in enumerate(sizes, 2):
        ticks = draw(st.integers(9_700, 10_300))
        reports.append(build.trade(1, execution, lots=lots, ticks=ticks, maker=draw(st.booleans())))
    if sum(sizes) == LOTS or draw(st.booleans()):
        reports.append(build.canceled(1, len(reports) + 1))
    return reports


@st.composite
def disorders(draw: st.DrawFn) -> tuple[list[Report], list[list[Report]]]:
    """Draw a history, and the same with repeats, in any order, cut into any records."""
    history = draw(histories())
    repeats = draw(st.lists(st.sampled_from(history), max_size=4))
    mixed = draw(st.permutations([*history, *repeats]))
    cuts = sorted(draw(st.sets(st.integers(0, len(mixed)), max_size=4)) | {0, len(mixed)})
    return history, [mixed[a:b] for a, b in itertools.pairwise(cuts)]


@given(disorders(), st.sampled_from(SYMBOLS), st.sampled_from(Side), st.booleans())
@examples(100)
def test_any_order_of_reports_ends_the_same(
    drawn: tuple[list[Report], list[list[Report]]], symbol: str, side: Side, asked: bool
) -> None:
    """Facts, status, cost, fee to the unit, position and balances; a client's cancel or none."""
    history, records = drawn
    desks = []
    for said in ([[one] for one in history], records):
        desk = Desk()
        desk.do(build.place(build.new_order(symbol=symbol, side=side)))
        if asked:
            desk.do(build.cancel(1))
        for record in said:
            desk.do(build.told(*record))
        desks.append(desk)
    straight, mixed = desks
    assert shown(mixed.order()) == shown(straight.order())
    assert mixed.account.positions == straight.account.positions
    assert mixed.account.balances == straight.account.balances
    assert mixed.account.state is straight.account.state
    assert list(mixed.account.open) == list(straight.account.open)


@given(scripts)
@examples(60)
def test_events_tell_all_that_commands_did(script: list[Action]) -> None:
    """What is projected of them is what the book says: orders, fills, positions, balances, account."""
    player = Player()
    for action in script:
        player.play(action)
    told = Told()
    for account_id, event in player.desk.events:
        told.hear(account_id, event)
    for account in player.desk.book.state.accounts.values():
        if account.seq and not account.account_id.startswith("~"):
            told.agrees(account, player.orders())


class Told:
    """What somebody knows who only hears events."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[object, ...]] = {}
        self.fills: dict[str, int] = {}
        self.rest: dict[tuple[str, ...], tuple[object, ...]] = {}

    def hear(self, account_id: str, event: e.Event) -> None:
        match event:
            case e.OrderRouted():
                self.orders[event.order_id] = (Status.NEW, 1, 0, 0, 0)
            case e.OrderHeld():
                self.orders[event.order_id] = (Status.TRIGGER_PENDING, 1, 0, 0, 0)
            case e.OrderDenied():
                self.orders[event.order_id] = (Status.REJECTED, 1, 0, 0, 0)
            case e.OrderExternal():
                self.orders[event.order_id] = (Status.FILLED, event.version)
            case e._OrderEvent():
                self.orders[event.order_id] = (
                    event.status, event.version, event.cum_lots, event.cost, event.fee,
                )  # fmt: skip
            case e.PositionChanged():
                key = (account_id, "position", event.symbol)
                self.rest[key] = (event.net_lots, event.cost, event.realized)
            case e.BalanceChanged():
                key = (account_id, "balance", event.asset)
                self.rest[key] = (event.free, event.locked, event.fees, event.venue, event.external)
            case e.AccountChanged():
                key = (account_id, "account")
                self.rest[key] = (event.name, event.state, event.limits, event.version)
        if isinstance(event, e.OrderFilled):
            self.fills[event.order_id] = self.fills.get(event.order_id, 0) + event.lots

    def agrees(self, account: Account, orders: list[Order]) -> None:
        for order in orders:
            assert self.orders[order.order_id] == (
                status_of(order), order.version, order.cum_lots, order.cost, order.fee,
            )  # fmt: skip
            assert self.fills.get(order.order_id, 0) == order.cum_lots
        account_id = account.account_id
        for symbol, p in account.positions.items():
            assert self.rest[account_id, "position", symbol] == (p.net_lots, p.cost, p.realized)
        for asset, b in account.balances.items():
            parts = (b.free, b.locked, b.fees, b.venue, b.external)
            assert self.rest.get((account_id, "balance", asset), (0,) * 5) == parts
        parts = (account.name, account.state, account.limits, account.version)
        assert (
            self.rest.get((account_id, "account"), ("", AccountState.HALTED, Limits(), 0)) == parts
        )


@given(scripts, st.integers(0, 40))
@examples(60)
def test_replay_gives_the_same_state(script: list[Action], cut: int) -> None:
    """From nothing, and from a snapshot taken anywhere: the same hash, the same events."""
    player = Player()
    for action in script:
        player.play(action)
    desk = player.desk
    again = build.a_book()
    told = []
    for number, (id, at_ns, command) in enumerate(desk.commands):
        if number == cut:
            again = build.again(again)
        turn = build.decide(again, id, at_ns, command)
        told += [(turn.account.account_id, event) for event in turn.events]
    assert state_hash(again.to_bytes()) == desk.hash()
    assert told == desk.events


@given(scripts)
@examples(80)
def test_whatever_happens_the_books_are_right(script: list[Action]) -> None:
    """After every command: sums zero, holds are what orders hold, trades ≡ cash ≡ position."""
    player = Player()
    for action in script:
        player.play(action)  # Desk.do asserts that nothing is breached
        for account_id in ACCOUNTS:
            moved_by_fills(player.desk, account_id)
    _no_overfill_in_silence(player.desk)
    for account_id, account in player.desk.book.state.accounts.items():
        seqs = sum(1 for told_of, _ in player.desk.events if told_of == account_id)
        assert account.seq == seqs


def _no_overfill_in_silence(desk: Desk) -> None:
    lots = {x.order_id: x.terms.lots for _, x in desk.events if isinstance(x, e.OrderRouted)}
    for _, event in desk.events:
        if isinstance(event, e.OrderFilled) and event.order_id in lots:
            assert event.overfilled is (event.cum_lots > lots[event.order_id])


@given(scripts)
@examples(40)
def test_an_overfill_takes_trading_away(script: list[Action]) -> None:
    """The record that tells of one leaves no account ACTIVE."""
    player = Player()
    for action in script:
        before = len(player.desk.events)
        player.play(action)
        for account_id, event in player.desk.events[before:]:
            if isinstance(event, e.OrderFilled) and event.overfilled:
                state = player.desk.book.state.accounts[account_id].state
                assert state is not AccountState.ACTIVE


@given(honest_scripts)
@examples(80)
def test_what_is_accepted_is_paid_for(script: list[Action]) -> None:
    """Fills at or better than the limit never take free below zero, fees and rounding included."""
    player = Player(honest=True)
    for action in script:
        player.play(action)
        for account_id in ACCOUNTS:
            balances = player.desk.book.state.accounts[account_id].balances
            assert all(b.free >= 0 and b.locked >= 0 for b in balances.values())
    assert not any(order.overfilled for order in player.orders())


@given(
    st.sampled_from(SYMBOLS),
    st.lists(
        st.tuples(
            st.integers(1, 4),
            st.one_of(st.just(0), st.integers(0, 200)),
            st.sampled_from((False, False, True)),
        ),
        max_size=12,
    ),
)
@example("SOL-USD", [(1, 0, False)] * LOTS)
@examples(60)
def test_a_hold_is_enough_to_the_unit(symbol: str, fills: list[tuple[int, int, bool]]) -> None:
    """Funded with exactly the hold: no split of fills needs a unit more; at the limit none is left."""
    units = build.a_book().units[symbol]
    notional = units.notional(build.TICKS, LOTS)
    rate = units.instrument.taker_fee_ppm
    desk = Desk(funds={"USD": notional + ceil_div(notional * rate, PPM)})
    desk.do(build.place(build.new_order(symbol=symbol)))
    usd = desk.account.balances["USD"]
    assert usd.free == 0
    dear = True
    for execution, (lots, better, maker) in enumerate([*fills, (LOTS, 0, False)], 1):
        size = min(lots, desk.order().leaves)
        if size:
            ticks = build.TICKS - better
            dear = dear and not better and (not maker or rate == 0)
            desk.do(build.told(build.trade(1, execution, lots=size, ticks=ticks, maker=maker)))
            assert usd.free >= 0
    assert usd.locked == 0
    assert (usd.free == 0) is dear


@given(scripts, st.data())
@examples(50)
def test_reducing_is_never_refused_to_reduce_only(
    script: list[Action], data: st.DataObject
) -> None:
    """Whatever came before: as many lots as the position has and no open order takes yet."""
    player = Player()
    for action in script:
        player.play(action)
    desk = player.desk
    desk.do(build.account(state=AccountState.REDUCE_ONLY))
    desk.do(build.marks(desk.at_ns))
    held = {s: p.net_lots for s, p in desk.account.positions.items() if p.net_lots}
    assume(held)
    symbol = data.draw(st.sampled_from(sorted(held)))
    sign = -1 if held[symbol] > 0 else 1
    lane = desk.book.lane(desk.account, symbol)
    assert lane is not None
    left = lane.reducible_lots(sign)
    pending = sum(
        o.leaves for o in desk.account.open.values() if o.terms.symbol == symbol and o.sign == sign
    )
    assert left == max(0, abs(held[symbol]) - pending)
    lots = data.draw(st.integers(1, left + 1))
    side = Side.SELL if sign < 0 else Side.BUY
    turn = desk.do(build.place(build.new_order(9_001, symbol=symbol, side=side, lots=lots)))
    refused = [x.reason for x in turn.events if isinstance(x, e.OrderDenied)]
    assert (Reason.ACCOUNT_REDUCE_ONLY in refused) is (lots > left)


@given(scripts)
@examples(80)
def test_an_atomic_batch_is_all_or_none(script: list[Action]) -> None:
    """Also with a client_order_id used before, in any state of the account."""
    player = Player()
    for action in script:
        told = len(player.desk.events)
        player.play(action)
        if action.kind == "place" and action.atomic:
            events = [event for _, event in player.desk.events[told:]]
            routed = sum(isinstance(event, e.OrderRouted | e.OrderHeld) for event in events)
            denied = sum(isinstance(event, e.OrderDenied) for event in events)
            assert (routed, denied) in ((len(action.items), 0), (0, len(action.items)))


@given(scripts)
@examples(30)
def test_a_batch_sent_again_does_nothing(script: list[Action]) -> None:
    """After an unknown outcome the same orders come with the same ids."""
    player = Player()
    for action in script:
        player.play(action)
    desk = player.desk
    before = {order.order_id: shown(order) for order in player.orders()}
    for _, _, command in [row for row in desk.commands if hasattr(row[2], "orders")]:
        turn = desk.do(command)
        assert (turn.events, turn.routes) == ([], [])
    assert {order.order_id: shown(order) for order in player.orders()} == before


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
@examples(30)
def test_a_state_survives_its_bytes(lots: list[int]) -> None:
    """A snapshot is the state: the same bytes when it is made again."""
    desk = Desk()
    for number, size in enumerate(lots, 1):
        desk.do(build.place(build.new_order(number, lots=size)))
        desk.do(build.told(build.trade(number, lots=1)))
    data = desk.book.to_bytes()
    again = build.again(desk.book)
    assert again.to_bytes() == data
    assert again.units.keys() == desk.book.units.keys()
    assert isinstance(next(iter(again.state.closed.values()), desk.order()), Order)
    assert again.state.accounts[ACCOUNT].balances == desk.account.balances
