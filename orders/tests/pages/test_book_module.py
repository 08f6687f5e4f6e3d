"""The page's book equals the server's by checksum while one frame in twenty is lost."""

import json
import zlib
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from marketdata import queries
from marketdata.domain.prices import Level
from marketdata.tests.tapes import UNITS, BookTape
from orders.tests.pages.conftest import Watched

pytestmark = pytest.mark.browser
TAKE = """
async (frames) => {
  const { Book } = await import("/static/js/book.js");
  const book = new Book({ price: 2, size: 4 });
  let renewed = 0;
  const ends = frames.map(([delta, snapshot]) => {
    if (!delta || !book.delta(delta)) {
      renewed += delta ? 1 : 0;
      book.snapshot(snapshot);
    }
    return [book.seq, book.checksum(), book.levels("bids", 99).length, book.levels("asks", 99).length];
  });
  return { renewed, mismatches: book.mismatches, ends };
}
"""
SPOILT = """
async ([snapshot, delta]) => {
  const { Book, crc32 } = await import("/static/js/book.js");
  const book = new Book({ price: 2, size: 4 });
  book.snapshot(snapshot);
  book.put("bids", [[snapshot.bids[0][0], "77"]]);
  return [book.delta(delta), book.seq, book.mismatches, crc32("123456789")];
}
"""


def test_it_is_the_servers_book_after_every_frame_that_joined(watched: Watched) -> None:
    tape = BookTape(3)
    frames = [[None, json.loads(tape.snapshot())]]
    wanted = []
    for delta in tape.deltas(600):
        frames.append([json.loads(delta), json.loads(tape.snapshot())])
        bids, asks = (queries.rows(side, UNITS) for side in (tape.now.bids, tape.now.asks))
        wanted.append([tape.now.seq, queries.checksum(bids, asks), len(bids), len(asks)])
    found = watched.open("/orders/").evaluate(TAKE, frames)
    assert found["ends"][1:] == wanted
    assert 10 < found["renewed"] <= tape.lost
    assert found["mismatches"] == 0


def test_a_book_that_differs_is_noticed(watched: Watched) -> None:
    tape = BookTape(4, lost_percent=0)
    snapshot = json.loads(tape.snapshot())
    delta = json.loads(next(tape.deltas(1)))
    delta["bids"] = [row for row in delta["bids"] if row[0] != snapshot["bids"][0][0]]
    found = watched.open("/orders/").evaluate(SPOILT, [snapshot, delta])
    assert found == [False, None, 1, zlib.crc32(b"123456789")]


GROUPED = """
async ([snapshot, step]) => {
  const { Book } = await import("/static/js/book.js");
  const book = new Book({ price: 2, size: 4 });
  book.snapshot(snapshot);
  return ["bids", "asks"].map((side) => book.levels(side, 99, BigInt(step)).map(({ price, size }) => [price, size]));
}
"""


@pytest.mark.parametrize("step", [1, 7, 10, 500])
def test_grouped_levels_are_sums_bids_down_asks_up(watched: Watched, step: int) -> None:
    """Never better than what is there, and nothing is lost."""
    tape = BookTape(5)
    wanted = []
    for side, way in ((tape.now.bids, -1), (tape.now.asks, 1)):
        sums: dict[int, int] = {}
        for level in side:
            at = level.ticks // step * step if way < 0 else -(-level.ticks // step) * step
            sums[at] = sums.get(at, 0) + level.lots
        levels = [Level(at, sums[at]) for at in sorted(sums, reverse=way < 0)]
        wanted.append(queries.rows(levels, UNITS))
    snapshot = json.loads(tape.snapshot())
    found = watched.open("/orders/").evaluate(GROUPED, [snapshot, step])
    assert [[[p, Decimal(q)] for p, q in side] for side in found] == [
        [[p, Decimal(q)] for p, q in side] for side in wanted
    ]


def test_the_ladder_groups_and_shows_one_side_and_keeps_both_choices(watched: Watched) -> None:
    page = watched.trade()
    steps = page.locator("#book-group option").all_inner_texts()
    assert steps[0] == "0.01"
    assert "50" in steps
    page.select_option("#book-group", label="50")
    page.wait_for_function(ALL_ON)
    page.click("[data-sides=bids]")
    expect(page.locator("#book-asks")).to_be_hidden()
    page.reload()
    page.wait_for_selector("#book-bids tr[data-price]", state="attached")
    page.wait_for_function(ALL_ON)
    expect(page.locator("#book-asks")).to_be_hidden()
    page.click("[data-sides=both]")
    expect(page.locator("#book-asks")).to_be_visible()
    assert watched.found() == []


ALL_ON = """
() => {
  const rows = [...document.querySelectorAll("#book tr[data-price]")];
  return rows.length > 2 && rows.every((row) => Math.round(Number(row.dataset.price) * 100) % 5000 === 0);
}
"""
