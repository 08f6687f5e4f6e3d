"""The page's book equals the server's by checksum while one frame in twenty is lost."""

import json
import zlib

import pytest

from marketdata import queries
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
