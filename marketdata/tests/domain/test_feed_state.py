"""The state of each feed, and which venues are believed."""

import pytest

from marketdata.domain.aggregate import Consolidator
from marketdata.domain.feed_state import DOWN_MS, Counters, FeedState, FeedStatus, LeftOut, far_off
from marketdata.domain.quote import FeedStep, Quote
from marketdata.tests.build import MS_NS, NOW_NS, SECOND_NS, a_quote

STALE_MS = 3_000
BTC = "BTC-USD"


class Feeds:
    """A consolidator and what it says of feeds."""

    def __init__(self) -> None:
        self.book = Consolidator("test", STALE_MS)

    def hear(self, *quotes: Quote, heard: str = "", at_ns: int = NOW_NS) -> None:
        names = tuple(quote.venue for quote in quotes) + tuple(filter(None, [heard]))
        self.book.apply(FeedStep(names, quotes), at_ns)

    def look(self, at_ns: int = NOW_NS) -> dict[str, FeedStatus]:
        self.book.prices(at_ns)
        return {one.venue: one for one in self.book.feeds()}


def test_a_feed_goes_from_connecting_to_down() -> None:
    """Known by what it counts before it speaks; its state begins when it changed, not when looked at."""
    feeds = Feeds()
    feeds.hear(a_quote("A"))
    feeds.book.count({("B", BTC): Counters()})
    assert feeds.look()["B"].state is FeedState.CONNECTING
    feeds.hear(a_quote("B", bids=(), asks=()))
    assert (feeds.look()["B"].state, feeds.look()["B"].left_out) == (
        FeedState.SYNCING, LeftOut.NO_BOOK,
    )  # fmt: skip
    feeds.hear(a_quote("B"))
    assert (feeds.look()["B"].state, feeds.look()["B"].left_out) == (FeedState.LIVE, LeftOut.NO)
    quiet_ns = NOW_NS + (STALE_MS + 1) * MS_NS
    feeds.hear(a_quote("A"), at_ns=quiet_ns)
    stale = feeds.look(quiet_ns)["B"]
    assert (stale.state, stale.left_out, stale.since_ns) == (
        FeedState.STALE, LeftOut.STALE, quiet_ns,
    )  # fmt: skip
    assert feeds.look(quiet_ns + SECOND_NS)["B"].since_ns == quiet_ns
    gone = feeds.look(NOW_NS + (DOWN_MS + 1) * MS_NS)["B"]
    assert gone.state is FeedState.DOWN
    feeds.hear(a_quote("B"), at_ns=gone.since_ns)
    assert feeds.look(gone.since_ns)["B"].state is FeedState.LIVE


def test_a_venue_crossed_in_itself_is_left_out_and_said_so() -> None:
    feeds = Feeds()
    feeds.hear(a_quote("A"), a_quote("B", bids=((105, 9),), asks=((104, 9),)))
    assert feeds.look()["B"].left_out is LeftOut.CROSSED
    [prices] = feeds.book.prices(NOW_NS).symbols
    assert (prices.venues, prices.bids[0].ticks, prices.asks[0].ticks) == (("A",), 99, 101)


def test_a_venue_far_from_the_others_is_left_out() -> None:
    """Of three one can be told to be wrong; of two nobody knows which."""
    feeds = Feeds()
    far = a_quote("C", bids=((149, 9),), asks=((151, 9),))
    feeds.hear(a_quote("A"), a_quote("B"), far)
    assert feeds.look()["C"].left_out is LeftOut.FAR_OFF
    assert feeds.book.prices(NOW_NS).symbols[0].venues == ("A", "B")
    two = Feeds()
    two.hear(a_quote("A"), far)
    assert [one.left_out for one in two.look().values()] == [LeftOut.NO, LeftOut.NO]


@pytest.mark.parametrize(
    ("mids", "expected"),
    [
        ({"A": 100, "B": 100, "C": 102}, set()),
        ({"A": 100, "B": 100, "C": 103}, {"C"}),
        ({"A": 97, "B": 100, "C": 100}, {"A"}),
        ({"A": 100, "B": 500}, set()),
        ({}, set()),
    ],
)
def test_far_off_is_two_percent_from_the_middle_one(
    mids: dict[str, int], expected: set[str]
) -> None:
    assert far_off(mids) == expected


def test_states_go_with_the_prices_when_they_change() -> None:
    """Told once a change, and when everything is told; again if the record was not written."""
    feeds = Feeds()
    feeds.hear(a_quote("A"))
    assert [one.venue for one in feeds.book.prices(NOW_NS).feeds] == ["A"]
    assert feeds.book.prices(NOW_NS).feeds != (), "not published yet"
    feeds.book.published()
    assert feeds.book.prices(NOW_NS).feeds == ()
    assert len(feeds.book.prices(NOW_NS, all_feeds=True).feeds) == 1
    feeds.book.count({("A", BTC): Counters(gaps=3, resyncs=2)})
    assert feeds.book.prices(NOW_NS, all_feeds=True).feeds[0].counters.gaps == 3
