"""Reference data and money by hand; sums that cannot be kept; what is no command."""

import msgspec
import pytest

from oms_project.kernel.errors import IllegalTransitionError
from oms_project.kernel.words import AccountState, InstrumentState
from orders.domain import commands as c
from orders.domain import events as e
from orders.domain.book import Account
from orders.domain.decide import step
from orders.domain.laws import breaches
from orders.domain.order import Life
from orders.tests.domain import build
from orders.tests.domain.build import Desk, answers, new_order, order_id_of, place
from risk.domain.rules import Reason

R = Reason


# ------------------------------------------------------------------ reference data and money


def test_an_adjustment_is_booked_once() -> None:
    desk = Desk()
    free = desk.account.balances["USD"].free
    assert desk.do(build.credit("USD", 500, "a")).events
    assert desk.do(build.credit("USD", 500, "a")).events == []
    assert desk.do(build.credit("USD", -200, "b")).events
    balance = desk.account.balances["USD"]
    assert balance.free == free + 300
    assert balance.external == -(free + 300)


def test_what_changes_nothing_is_not_told() -> None:
    desk = Desk()
    assert desk.do(build.account()).events == []
    assert desk.do(c.SetInstrument(build.an_instrument())).events == []


@pytest.mark.parametrize(
    "changes",
    [
        {"tick_size": "0.1"}, {"lot_size": "1"}, {"base": "XBT"}, {"quote": "EUR"},
        {"symbol": "X-USD", "tick_size": "0"}, {"symbol": "X-USD", "lot_size": "-1"},
        {"symbol": "X-USD", "tick_size": "0.00001", "lot_size": "0.0001"},
        {"symbol": "X-USD", "tick_size": "abc"},
        {"maker_fee_ppm": 2_000},  # more than a hold is worked out with
        {"taker_fee_ppm": 1_000_001},
    ],
)  # fmt: skip
def test_an_instrument_that_cannot_be(changes: dict[str, str]) -> None:
    """Refused by an event; nothing changes, and the next command is decided."""
    desk = Desk()
    before = dict(desk.book.state.instruments)
    turn = desk.do(c.SetInstrument(build.an_instrument(**{"symbol": "BTC-USD"} | changes)))
    (event,) = turn.events
    assert isinstance(event, e.ChangeRefused)
    assert event.reason in ("units_never_change", "impossible_units")
    assert desk.book.state.instruments == before
    assert answers(desk.do(place(new_order(1)))) == ["routed"]


def test_an_older_change_never_overwrites_a_newer_one() -> None:
    """A change carries the version it makes; one that comes late is refused by an event."""
    desk = Desk()
    halted = build.account(state=AccountState.HALTED)
    version = desk.account.version
    newer = msgspec.structs.replace(halted, version=version + 2)
    older = msgspec.structs.replace(build.account(), name="Old", version=version + 1)
    desk.do(newer)
    (refused,) = desk.do(older).events
    assert isinstance(refused, e.ChangeRefused)
    assert (refused.reason, refused.current) == ("version_conflict", version + 2)
    assert desk.account.state is AccountState.HALTED
    listed = build.an_instrument(state=InstrumentState.HALTED)
    desk.do(c.SetInstrument(listed, 9))
    (refused,) = desk.do(c.SetInstrument(build.an_instrument(), 9)).events
    assert isinstance(refused, e.ChangeRefused)
    assert desk.book.state.instruments["BTC-USD"].state is InstrumentState.HALTED


def test_a_halted_instrument_refuses_at_once() -> None:
    """Also an account that has traded it before, and nobody who trades another."""
    desk = Desk()
    desk.do(place(new_order(8), new_order(9, symbol="ETH-USD")))
    desk.do(c.SetInstrument(build.an_instrument(state=InstrumentState.HALTED)))
    orders = [new_order(1), new_order(2, symbol="ETH-USD")]
    assert answers(desk.do(place(*orders))) == [R.INSTRUMENT_NOT_TRADABLE, "routed"]


@pytest.mark.parametrize(
    ("units", "reason"),
    [(10**18 + 1, R.MAX_BALANCE), (-1, R.INSUFFICIENT_BALANCE), (10**18, None)],
)
def test_money_has_a_bound(units: int, reason: Reason | None) -> None:
    """More than the books can count is not given; more than is free is not taken."""
    desk = Desk(accounts=())
    (event, *_) = desk.do(build.credit("EUR", units, "typo")).events
    if reason is None:
        assert isinstance(event, e.BalanceAdjusted)
        return
    assert isinstance(event, e.AdjustmentRefused)
    assert event.reason == reason
    assert "EUR" not in desk.account.balances


@pytest.mark.usefixtures("short_memory")
def test_an_adjustment_is_booked_once_for_ever() -> None:
    desk = Desk()
    for number in range(20):
        desk.do(build.credit("USD", 5, f"a-{number}"))
    desk.book = build.again(desk.book)
    for number in range(20):
        assert desk.do(build.credit("USD", 5, f"a-{number}")).events == []


def test_no_order_and_no_trade_makes_a_sum_that_cannot_be_kept() -> None:
    """A coin of many tiny lots: an order whose proceeds no column holds is refused by a rule, and
    what a venue says beyond that is set aside; the partition goes on."""
    shib = build.an_instrument(
        "SHIB-USD", tick_size="0.00000001", lot_size="1", quantity_max_lots=0, quantity_min_lots=1
    )
    desk = Desk(shib, funds={"USD": 10**16})
    desk.do(build.marks(desk.at_ns, 1, ("SHIB-USD",)))
    wanted = new_order(1, symbol="SHIB-USD", lots=95 * 10**9, ticks=1)
    (denied,) = [x for x in desk.do(place(wanted)).events if isinstance(x, e.OrderDenied)]
    assert (denied.reason, denied.limit) == (R.MAX_BALANCE, 2 * 10**18)
    assert denied.used == 95 * 10**17
    fits = new_order(2, symbol="SHIB-USD", lots=10**9, ticks=1)
    assert answers(desk.do(place(fits))) == ["routed"]
    for execution in range(1, 200):
        desk.do(build.told(build.trade(2, execution, lots=10**10, ticks=1)))
    assert desk.book.state.quarantined > 0
    msgspec.msgpack.encode(desk.book.state)
    assert answers(desk.do(place(new_order(3, symbol="SHIB-USD", ticks=1)))) == [
        R.ACCOUNT_REDUCE_ONLY
    ]


def test_a_command_we_do_not_know_is_poison() -> None:
    book = build.a_book()
    with pytest.raises(IllegalTransitionError, match="no decision for str"):
        step(book, "id", 0, "hello")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("free", "sums to 1"),
        ("locked", "locks"),
        ("closed", "closed and still open"),
    ],
)
def test_a_breach_is_found(spoil: str, words: str) -> None:
    """The checks of every other test can fail."""
    desk = Desk()
    desk.do(place(new_order(1)))
    account: Account = desk.account
    balance = account.balances["USD"]
    if spoil == "free":
        balance.free += 1
    elif spoil == "locked":
        balance.locked += 1
        balance.free -= 1
    else:
        account.open[order_id_of(1)].life = Life.OVER
    assert words in " ".join(breaches(desk.book.state))
