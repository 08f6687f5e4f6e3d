"""Replay of captures: the exchanges' own procedures on files in their own formats."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from marketdata.adapters.kraken import KrakenReader
from marketdata.adapters.readers import counters_of
from marketdata.adapters.recorded import RecordedFeed
from marketdata.domain.book import checksum
from marketdata.domain.feed_state import Counters
from marketdata.domain.instrument import Units
from marketdata.domain.prices import Trade
from marketdata.domain.quote import FeedStep, Quote
from marketdata.tests.build import NOW_NS, SECOND_NS, levels, units

DEPTH_URL = "https://api.binance.example/api/v3/depth?symbol={symbol}&limit=1000"
UNITS = {"BTC-USD": units(), "ADA-BTC": units("ADA-BTC", tick_size="0.00000001", lot_size="1")}


def ws(at: str, body: Any) -> str:
    return f"{at}: {json.dumps(body)}\n"


def diff(
    at: str, first: int, last: int, *, bids: Any = (), asks: Any = (), symbol: str = "BTCUSD"
) -> str:
    data = {"e": "depthUpdate", "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    return ws(at, {"stream": f"{symbol.lower()}@depth@100ms", "data": data})


def snapshot(at: str, last_id: int, *, symbol: str = "BTCUSD") -> str:
    body = {
        "lastUpdateId": last_id,
        "bids": [["99.00000000", "0.50000000"], ["98.00000000", "1.00000000"]],
        "asks": [["101.00000000", "0.50000000"]],
    }
    return f"{DEPTH_URL.format(symbol=symbol)} -> {at}: {json.dumps(body)}\n"


def trade(at: str, trade_id: int, *, maker_bought: bool) -> str:
    data = {"e": "aggTrade", "s": "BTCUSD", "a": trade_id, "p": "100.005", "q": "0.25"}
    return ws(at, {"stream": "btcusd@aggTrade", "data": {**data, "m": maker_bought}})


def binance(folder: Path, lines: Iterable[str], snapshots: Iterable[str]) -> Path:
    header = "wss://stream.binance.example/stream?streams=btcusd@depth@100ms <-> 1600000000.0\n"
    (folder / "BINANCE.ws.1.0").write_text(header + "".join(lines))
    (folder / "BINANCE.http.0.0").write_text("".join(snapshots) + "\n")
    return folder


class Replay:
    """Plays a folder second by second and remembers the newest quote of each symbol."""

    def __init__(self, folder: Path, *, repeat: bool = False, speed_percent: int = 100) -> None:
        self.feed = RecordedFeed(
            folder, UNITS, symbols={}, repeat=repeat, speed_percent=speed_percent
        )
        self.quotes: dict[str, Quote] = {}
        self.trades: list[Trade] = []
        self.steps: list[FeedStep] = []

    def to(self, seconds: int) -> "Replay":
        """Play until so many seconds after the capture's first message."""
        for second in range(len(self.steps), seconds + 1):
            step = self.feed.step(NOW_NS + second * SECOND_NS)
            self.steps.append(step)
            self.quotes.update({quote.symbol: quote for quote in step.quotes})
            self.trades += [found for _, found in step.trades]
        return self

    def bids(self, symbol: str = "BTC-USD") -> Any:
        return self.quotes[symbol].bids


def test_diffs_are_joined_to_the_snapshot_in_the_exchanges_way(tmp_path: Path) -> None:
    """Buffered before the snapshot, dropped when older, applied in order behind it."""
    folder = binance(
        tmp_path,
        [
            diff("1600000001.0", 8, 9, bids=[["99.00000000", "9.00000000"]]),
            diff("1600000002.0", 10, 12, bids=[["97.00000000", "2.00000000"]]),
            diff("1600000004.5", 13, 13, asks=[["101.00000000", "0"], ["102.00000000", "3"]]),
        ],
        [snapshot("1600000003.25", 10)],
    )
    replay = Replay(folder)
    assert replay.to(1).bids() == (), "no snapshot yet"
    assert replay.to(3).bids() == levels([(9900, 5_000), (9800, 10_000), (9700, 20_000)])
    assert replay.quotes["BTC-USD"].asks == levels([(10_100, 5_000)])
    assert replay.to(4).quotes["BTC-USD"].asks == levels([(10_200, 30_000)])
    assert replay.feed.ended


def test_a_gap_empties_the_book_until_another_snapshot(tmp_path: Path) -> None:
    """Id 12 is missing: no book is shown until the second snapshot, then all that came since."""
    folder = binance(
        tmp_path,
        [
            diff("1600000001.0", 11, 11),
            diff("1600000002.0", 13, 13, bids=[["97.00000000", "1"]]),
            diff("1600000003.0", 14, 14, bids=[["96.00000000", "1"]]),
        ],
        [snapshot("1600000000.5", 10), snapshot("1600000004.0", 12)],
    )
    replay = Replay(folder)
    assert replay.to(1).bids() != ()
    assert replay.to(2).bids() == ()
    assert replay.to(3).bids() == ()
    assert [level.ticks for level in replay.to(4).bids()] == [9900, 9800, 9700, 9600]


def test_a_malformed_diff_is_a_gap_and_other_lines_are_only_counted(tmp_path: Path) -> None:
    """What cannot be read is never guessed: the book it belonged to is gone, the rest goes on."""
    folder = binance(
        tmp_path,
        [
            "no capture line at all\n",
            '1600000001.0: {"stream": "btcusd@dep\n',
            diff("1600000002.0", 11, 11, bids=[["97.00000000", "-1"]]),
            diff("1600000003.0", 12, 12),
            trade("1600000003.5", 7, maker_bought=True),
        ],
        [snapshot("1600000000.5", 10)],
    )
    replay = Replay(folder)
    assert replay.to(1).bids() != ()
    assert replay.to(3).bids() == ()
    [track] = replay.feed.tracks
    assert (track.malformed, track.capture.unreadable) == (1, 2)
    assert len(replay.trades) == 1


@pytest.mark.parametrize(
    "data",
    [
        {"U": "1", "u": 2, "b": [], "a": []},
        {"U": 1, "b": [], "a": []},
        {"U": 1, "u": 2, "b": None, "a": []},
        {"U": 1, "u": 2, "b": [["1"]], "a": []},
        {"U": 1, "u": 2, "b": [[1, 2]], "a": []},
        {"U": 1, "u": 2, "b": [["1e5", "2"]], "a": []},
        {"U": 1, "u": 2, "b": 5, "a": []},
    ],
)
def test_no_malformed_diff_gets_through(tmp_path: Path, data: Any) -> None:
    body = {"e": "depthUpdate", "s": "BTCUSD", **data}
    folder = binance(tmp_path, [ws("1600000001.0", body)], [snapshot("1600000000.5", 10)])
    replay = Replay(folder).to(2)
    assert replay.feed.tracks[0].malformed == 1
    assert replay.bids() == ()


def test_trades_carry_the_takers_side_and_the_time_of_the_replay(tmp_path: Path) -> None:
    folder = binance(
        tmp_path,
        [
            trade("1600000001.0", 7, maker_bought=True),
            trade("1600000002.0", 8, maker_bought=False),
        ],
        [],
    )
    replay = Replay(folder).to(2)
    sells, buys = replay.trades
    assert (sells.trade_id, sells.sign, sells.ticks, sells.lots) == ("7", -1, 10_001, 2_500)
    assert (buys.sign, buys.venue) == (1, "BINANCE")
    assert NOW_NS <= sells.at_ns <= buys.at_ns <= NOW_NS + 2 * SECOND_NS


def test_prices_and_sizes_round_against_showing_too_much(tmp_path: Path) -> None:
    """Half a tick: the bid goes down, the ask up; less than a lot is not shown."""
    line = diff(
        "1600000001.0",
        11,
        11,
        bids=[["99.00500000", "0.00019999"], ["98.50000000", "0.00009999"]],
        asks=[["100.99500000", "1"]],
    )
    replay = Replay(binance(tmp_path, [line], [snapshot("1600000000.5", 10)])).to(2)
    quote = replay.quotes["BTC-USD"]
    assert quote.bids[0].ticks == 9900
    assert quote.bids[0].lots == 5_001, "0.5 + 0.00019999 fall on one tick, rounded once"
    assert [level.ticks for level in quote.bids] == [9900, 9800]
    assert quote.asks[0].ticks == 10_100
    assert quote.asks[0].lots == 15_000


def test_a_capture_can_be_played_again_and_faster(tmp_path: Path) -> None:
    """The second round builds the book anew, and its trades have ids of their own."""
    lines = [diff("1600000001.0", 11, 11), trade("1600000009.0", 7, maker_bought=True)]
    folder = binance(tmp_path, lines, [snapshot("1600000000.5", 10)])
    fast = Replay(folder, repeat=True, speed_percent=1_000).to(3)
    assert [found.trade_id for found in fast.trades] == ["7", "7-2"]
    assert fast.bids() != ()
    once = Replay(folder, speed_percent=1_000).to(3)
    assert len(once.trades) == 1
    assert once.steps[-1].heard == ()


def test_a_clock_set_back_does_not_stop_the_replay(tmp_path: Path) -> None:
    lines = [diff("1600000001.0", 11, 11), trade("1600000003.5", 7, maker_bought=True)]
    folder = binance(tmp_path, lines, [snapshot("1600000000.5", 10)])
    feed = RecordedFeed(folder, UNITS, symbols={})
    feed.step(NOW_NS)
    trades = []
    for second in range(4):
        trades += feed.step(NOW_NS - 3_600 * SECOND_NS + second * SECOND_NS).trades
    assert len(trades) == 1


KRAKEN_ASKS = [["0.00002290", "13355.87450757"], ["0.00002300", "5.00000000"]]
KRAKEN_BIDS = [["0.00002280", "10.00000000"]]


def kraken_line(at: str, *payloads: Any) -> str:
    return ws(at, [1840, *payloads, "book-10", "ADA/XBT"])


def plain(rows: list[list[str]]) -> list[tuple[int, int]]:
    return [(int(p.replace(".", "")), int(s.replace(".", ""))) for p, s in rows]


def kraken(folder: Path, *, wrong: int = 0) -> Path:
    """A snapshot and an update in two parts whose checksum is *wrong* by that much."""
    after = [*KRAKEN_BIDS, ["0.00002270", "3.00000000"]]
    right = checksum(plain(after), plain(KRAKEN_ASKS[:1]))
    (folder / "KRAKEN.ws.50.0").write_text(
        "wss://ws.kraken.example <-> 1600000000.0\n"
        'wss://ws.kraken.example <- 1600000000.1: {"event": "subscribe"}\n'
        + ws("1600000000.2", {"connectionID": 1, "event": "systemStatus"})
        + kraken_line("1600000001.0", {"as": KRAKEN_ASKS, "bs": KRAKEN_BIDS})
        + kraken_line(
            "1600000003.0",
            {"a": [["0.00002300", "0.00000000", "1600000002.9"]]},
            {
                "b": [["0.00002270", "3.00000000", "1600000002.9", "r"]],
                "c": str(right + wrong),
            },
        )
        + ws("1600000004.0", [1, [["0.00002290", "7.5", "1.0", "b", "l", ""]], "trade", "ADA/XBT"])
    )
    return folder


def test_krakens_books_are_checked_after_every_update(tmp_path: Path) -> None:
    replay = Replay(kraken(tmp_path))
    assert replay.to(1).quotes["ADA-BTC"].asks == levels([(2290, 13_355), (2300, 5)])
    replay.to(4)
    assert replay.quotes["ADA-BTC"].asks == levels([(2290, 13_355)])
    assert replay.bids("ADA-BTC") == levels([(2280, 10), (2270, 3)])
    assert [(found.sign, found.lots, found.ticks) for found in replay.trades] == [(1, 7, 2290)]


def test_a_checksum_that_differs_takes_the_book_away(tmp_path: Path) -> None:
    replay = Replay(kraken(tmp_path, wrong=1)).to(3)
    assert replay.bids("ADA-BTC") == ()
    reader = replay.feed.tracks[0].reader
    assert isinstance(reader, KrakenReader)
    [tracked] = reader.tracked()
    assert counters_of(tracked, 0) == Counters(checked=1, checksum_failures=1)


@pytest.mark.parametrize(
    "payload",
    [
        {"b": [["0.000022801", "1.00000000"]], "c": "1"},
        {"b": [["0.00002280"]], "c": "1"},
        {"b": [["0.00002280", "1.00000000"]], "c": "many"},
        {"b": 7},
        ["not", "a", "book"],
    ],
    ids=["too fine", "no size", "no checksum", "no list", "no object"],
)
def test_a_malformed_update_takes_the_book_away(tmp_path: Path, payload: Any) -> None:
    """Until the next snapshot: what was missed cannot be known."""
    (tmp_path / "KRAKEN.ws.0.0").write_text(
        kraken_line("1600000001.0", {"as": KRAKEN_ASKS, "bs": KRAKEN_BIDS})
        + kraken_line("1600000002.0", payload)
        + kraken_line("1600000003.0", {"b": [["0.00002280", "2.00000000"]]})
        + kraken_line("1600000004.0", {"as": KRAKEN_ASKS, "bs": KRAKEN_BIDS})
    )
    replay = Replay(tmp_path)
    assert replay.to(0).bids("ADA-BTC") != ()
    assert replay.to(2).bids("ADA-BTC") == ()
    assert replay.to(3).bids("ADA-BTC") != ()
    assert replay.feed.tracks[0].malformed == 1


def test_malformed_trades_and_foreign_messages_are_passed_over(tmp_path: Path) -> None:
    """Nothing a capture holds ends the replay."""
    (tmp_path / "KRAKEN.ws.0.0").write_text(
        kraken_line("1600000000.0", {"as": KRAKEN_ASKS, "bs": KRAKEN_BIDS})
        + ws("1600000001.0", [1, 5, "trade", "ADA/XBT"])
        + ws("1600000001.1", [1, [["1"]], "trade", "ADA/XBT"])
        + ws("1600000001.2", [1, [["0.1", "1.0", "0", "s"]], "trade", "WHO/XBT"])
        + ws("1600000001.3", [1, {}, "spread", "ADA/XBT"])
        + ws("1600000001.4", "hello")
    )
    replay = Replay(tmp_path).to(2)
    assert replay.feed.tracks[0].malformed == 3
    assert replay.trades == []
    assert replay.bids("ADA-BTC") != ()


def test_captures_of_several_exchanges_play_side_by_side(tmp_path: Path) -> None:
    """Each from its own first message on, however far apart they were recorded."""
    kraken(tmp_path)
    binance(tmp_path, [diff("1900000001.0", 11, 11)], [snapshot("1900000000.5", 10)])
    replay = Replay(tmp_path).to(2)
    assert set(replay.quotes) == {"BTC-USD", "ADA-BTC"}
    assert {venue for step in replay.steps for venue in step.heard} == {"BINANCE", "KRAKEN"}


def test_names_are_mapped_by_hand_or_by_their_assets(tmp_path: Path) -> None:
    lines = [diff("1600000001.0", 11, 11, symbol="BTCUSDT")]
    binance(tmp_path, lines, [snapshot("1600000000.5", 10, symbol="BTCUSDT")])
    assert Replay(tmp_path).to(2).quotes == {}, "USDT is not USD unless somebody says so"
    mapped = RecordedFeed(tmp_path, UNITS, symbols={"BTCUSDT": "BTC-USD"})
    mapped.step(NOW_NS)
    assert [one.symbol for one in mapped.step(NOW_NS + 2 * SECOND_NS).quotes] == ["BTC-USD"]


@pytest.mark.parametrize(
    ("names", "symbols", "reason"),
    [
        ((), {}, "no capture"),
        (("OTHER.ws.0.0",), {}, "no known format"),
        (("OTHER.ws.0.0",), {"X": "NO-USD"}, "no such instrument: NO-USD"),
    ],
)
def test_a_folder_that_is_no_use_is_refused(
    tmp_path: Path, names: tuple[str, ...], symbols: dict[str, str], reason: str
) -> None:
    for name in names:
        (tmp_path / name).write_text('1600000000.0: {"hello": 1}\n')
    with pytest.raises(ValueError, match=reason):
        RecordedFeed(tmp_path, UNITS, symbols=symbols)
    with pytest.raises(ValueError, match="not a folder"):
        RecordedFeed(tmp_path / "none", UNITS, symbols={})


# ------------------------------------------------------------------ somebody's real captures
def names_in(folder: Path) -> set[str]:
    """Return the venue's symbols that occur in the first lines of the captures."""
    found: set[str] = set()
    for path in folder.glob("*.ws.*"):
        with path.open() as file:
            for _, line in zip(range(400), file, strict=False):
                body = line.partition(": ")[2]
                if '"book-' in body and body.startswith("["):
                    found.add(json.loads(body)[-1])
                elif '"depthUpdate"' in body:
                    found.add(json.loads(body)["data"]["s"])
    return found


def test_real_captures_replay_without_a_gap_or_a_wrong_checksum(recorded_dir: Path) -> None:
    """Every book that is shown comes from the exchange's own procedure, and nothing is unreadable."""
    mapped: dict[str, str] = {}
    all_units: dict[str, Units] = {}
    for number, name in enumerate(sorted(names_in(recorded_dir))):
        symbol = f"S{number}-USD"
        mapped[name] = symbol
        all_units[symbol] = units(symbol, tick_size="0.0000001", lot_size="0.1")
    feed = RecordedFeed(recorded_dir, all_units, symbols=mapped, speed_percent=10_000)
    shown: dict[tuple[str, str], Quote] = {}
    for second in range(3_600):
        for quote in feed.step(NOW_NS + second * SECOND_NS).quotes:
            shown[quote.venue, quote.symbol] = quote
        if feed.ended:
            break
    assert feed.ended
    assert shown
    for quote in shown.values():
        assert quote.bids
        assert quote.asks
        assert quote.bids[0].ticks < quote.asks[0].ticks
    for track in feed.tracks:
        assert (track.malformed, track.capture.unreadable) == (0, 0)
        for one in track.reader.tracked():
            counted = counters_of(one, track.malformed)
            assert counted == Counters(checked=counted.checked)
