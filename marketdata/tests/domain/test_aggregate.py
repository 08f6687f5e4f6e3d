"""The consolidated book, its ticker, its staleness and its marks."""

from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.aggregate import LEVELS_MAX, TRADES_MAX, Consolidator, merge
from marketdata.domain.prices import Level
from marketdata.domain.quote import FeedStep, Quote
from marketdata.tests.build import MS_NS, NOW_NS, SECOND_NS, a_quote, a_trade, levels

side = st.dictionaries(st.integers(80, 120), st.integers(1, 50), max_size=30)


@st.composite
def quotes(draw: st.DrawFn) -> list[Quote]:
    """Up to four venues, each sane by itself, together often crossed."""
    made = []
    for number in range(draw(st.integers(0, 4))):
        middle = draw(st.integers(80, 120))
        bids = {ticks: lots for ticks, lots in draw(side).items() if ticks < middle}
        asks = {ticks: lots for ticks, lots in draw(side).items() if ticks >= middle}
        made.append(
            a_quote(
                f"V{number}",
                bids=sorted(bids.items(), reverse=True),
                asks=sorted(asks.items()),
            )
        )
    return made


@given(quotes())
def test_consolidated_book_is_sorted_bounded_and_never_crossed(found: list[Quote]) -> None:
    bids, asks = merge(found)
    bid_ticks = [level.ticks for level in bids]
    ask_ticks = [level.ticks for level in asks]
    assert bid_ticks == sorted(set(bid_ticks), reverse=True)
    assert ask_ticks == sorted(set(ask_ticks))
    assert len(bids) <= LEVELS_MAX
    assert len(asks) <= LEVELS_MAX
    assert all(level.lots > 0 for level in (*bids, *asks))
    if bids and asks:
        assert bids[0].ticks < asks[0].ticks


@given(quotes())
def test_netting_takes_the_same_from_both_sides(found: list[Quote]) -> None:
    """What is left over plus what was netted is what was offered; nothing is made up."""
    bids, asks = merge(found, levels_max=1_000)
    offered_bids = sum(level.lots for quote in found for level in quote.bids)
    offered_asks = sum(level.lots for quote in found for level in quote.asks)
    gone_bids = offered_bids - sum(level.lots for level in bids)
    gone_asks = offered_asks - sum(level.lots for level in asks)
    assert gone_bids == gone_asks
    for level in bids:
        assert level.lots <= sum(
            one.lots for quote in found for one in quote.bids if one.ticks == level.ticks
        )


@given(quotes())
def test_order_of_venues_does_not_matter(found: list[Quote]) -> None:
    assert merge(found) == merge(list(reversed(found)))


def test_levels_at_one_price_add_up() -> None:
    bids, asks = merge([a_quote("A"), a_quote("B", bids=((99, 1), (98, 2)), asks=((102, 3),))])
    assert bids == levels([(99, 6), (98, 2)])
    assert asks == levels([(101, 5), (102, 3)])


def test_a_cross_is_netted_out() -> None:
    """A bids 103 for 4, B asks 101 for 5: one lot remains asked at 101."""
    bids, asks = merge(
        [a_quote("A", bids=((103, 4), (99, 1)), asks=((104, 2),)), a_quote("B", bids=())]
    )
    assert bids == levels([(99, 1)])
    assert asks == levels([(101, 1), (104, 2)])


def a_book(*quotes_now: Quote, stale_ms: int = 3_000) -> Consolidator:
    book = Consolidator("test", stale_ms)
    heard = tuple(quote.venue for quote in quotes_now)
    book.apply(FeedStep(heard, quotes_now), NOW_NS)
    return book


def test_a_silent_venue_drops_out_with_its_levels() -> None:
    """After the stale time only those heard since remain; an old price is worse than none."""
    book = a_book(a_quote("A"), a_quote("B", asks=((100, 1),)))
    before = book.prices(NOW_NS).symbols[0]
    assert before.venues == ("A", "B")
    later = NOW_NS + 3_001 * MS_NS
    book.apply(FeedStep(heard=("A",)), later)
    after = book.prices(later).symbols[0]
    assert after.venues == ("A",)
    assert after.asks[0] == Level(101, 5)
    assert after.seq == before.seq + 1


def test_a_clock_set_back_does_not_keep_a_dead_venue_alive() -> None:
    """What was heard an hour "from now" says nothing about now."""
    book = a_book(a_quote("A"), a_quote("B"))
    earlier = NOW_NS - 3_600 * SECOND_NS
    book.apply(FeedStep(heard=("A",)), earlier)
    assert book.prices(earlier).symbols[0].venues == ("A",)


def test_a_venue_that_is_alive_but_unchanged_stays() -> None:
    book = a_book(a_quote("A"))
    later = NOW_NS + 60 * SECOND_NS
    book.apply(FeedStep(heard=("A",)), later)
    assert book.prices(later).symbols[0].at_ns == later


def test_seq_grows_only_with_the_book() -> None:
    book = a_book(a_quote())
    seqs = [book.prices(NOW_NS).symbols[0].seq]
    book.apply(FeedStep(("A",), (), (("BTC-USD", a_trade()),)), NOW_NS)
    seqs.append(book.prices(NOW_NS).symbols[0].seq)
    book.apply(FeedStep(("A",), (a_quote(bids=((99, 6),)),)), NOW_NS)
    seqs.append(book.prices(NOW_NS).symbols[0].seq)
    assert seqs == [1, 1, 2]


def test_marks_are_the_mid_of_fresh_two_sided_books() -> None:
    book = a_book(
        a_quote(),
        a_quote(symbol="ETH-USD", bids=()),
        a_quote("B", "SOL-USD", ((10, 1),), ((13, 1),)),
    )
    book.prices(NOW_NS)
    found = [(mark.symbol, mark.ticks, mark.bid_ticks) for mark in book.marks(NOW_NS)]
    assert found == [("BTC-USD", 100, 99), ("SOL-USD", 11, 10)]
    later = NOW_NS + 4 * SECOND_NS
    book.prices(later)
    assert book.marks(later) == ()


def test_a_mark_is_as_old_as_what_it_was_made_of() -> None:
    book = a_book(a_quote())
    later = NOW_NS + 2 * SECOND_NS
    book.prices(later)
    assert [mark.at_ns for mark in book.marks(later)] == [NOW_NS]


def test_trades_stay_until_published_and_are_bounded() -> None:
    book = a_book(a_quote())
    trades = tuple(("BTC-USD", a_trade(str(number))) for number in range(TRADES_MAX + 5))
    book.apply(FeedStep(("A",), (), trades), NOW_NS)
    first, again = (book.prices(NOW_NS).symbols[0].trades for _ in range(2))
    assert first == again
    assert [trade.trade_id for trade in first[:1]] == ["5"]
    book.published()
    assert book.prices(NOW_NS).symbols[0].trades == ()


def test_a_new_process_goes_on_where_the_last_one_stopped() -> None:
    """Seqs keep growing and the day's figures stay, so readers notice nothing but a pause."""
    old = a_book(a_quote())
    old.apply(FeedStep(("A",), (), (("BTC-USD", a_trade(ticks=77)),)), NOW_NS)
    last = old.prices(NOW_NS)
    new = Consolidator("test")
    new.resume(last)
    same = a_quote()
    new.apply(FeedStep(("A",), (same,)), NOW_NS)
    now = new.prices(NOW_NS).symbols[0]
    assert (now.seq, now.last_ticks, now.volume_24h_lots) == (1, 77, 2)
    new.apply(FeedStep(("A",), (a_quote(asks=((103, 1),)),)), NOW_NS)
    assert new.prices(NOW_NS).symbols[0].seq == 2
