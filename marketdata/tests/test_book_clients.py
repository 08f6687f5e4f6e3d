"""The client of docs/marketdata.md keeps the server's book, proven by checksum, whatever was lost."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from marketdata import queries
from marketdata.tests.tapes import UNITS, BookTape

DOCS = Path(__file__).parents[2] / "docs" / "marketdata.md"


def client() -> Any:
    """Return the documented client, as it stands in the documentation."""
    [code] = [
        one
        for one in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
        if "BookClient" in one
    ]
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCS), "exec"), names)
    return names["BookClient"]("BTC-USD")


def same(one: Any, tape: BookTape) -> bool:
    """Compare every level with the server's, not only the ten that are proven."""
    bids, asks = queries.rows(tape.now.bids, UNITS), queries.rows(tape.now.asks, UNITS)
    found = [[list(row) for row in one.best(side, 99)] for side in (one.bids, one.asks)]
    return found == [bids, asks]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_servers_book_after_every_frame_that_joined(seed: int) -> None:
    tape, one = BookTape(seed), client()
    assert one.take(tape.snapshot()) is None
    healed = 0
    for frame in tape.deltas(1_000):
        asked = one.take(frame)
        if asked is not None:
            assert json.loads(asked) == {"op": "subscribe", "channel": "book", "symbol": "BTC-USD"}
            assert one.take(tape.snapshot()) is None
            healed += 1
        assert one.seq == tape.now.seq
        assert same(one, tape)
    assert tape.lost > 20
    assert 20 < healed <= tape.lost


def test_a_book_that_differs_is_noticed_though_no_frame_was_lost() -> None:
    tape, one = BookTape(1, lost_percent=0), client()
    one.take(tape.snapshot())
    price = next(iter(one.best(one.bids)))[0]
    one.bids[price] = "77"
    asked = [one.take(frame) for frame in tape.deltas(3)]
    assert asked[0] is not None
    assert asked[1:] == [None, None], "what came before the snapshot is passed over"


def test_answers_and_other_channels_are_passed_over() -> None:
    one = client()
    assert json.loads(one.take('{"op": "ping"}')) == {"op": "pong"}
    assert one.take('{"op": "subscribed", "channel": "book", "symbol": "BTC-USD"}') is None
    assert one.take('{"op": "update", "channel": "ticker", "symbol": "BTC-USD"}') is None
