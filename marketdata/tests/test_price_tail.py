"""The engine's cheap look at the prices."""

from marketdata.adapters.price_tail import PriceTail
from marketdata.tests.build import a_record, symbol_prices
from marketdata.tests.fakes import BreakableLog
from oms_project.kernel.ports import Record
from oms_project.kernel.words import Topic


def put(log: BreakableLog, *seqs: int) -> None:
    for seq in seqs:
        log.append(Topic.PRICES, [Record(0, "", a_record(symbol_prices(seq=seq)))])


def seqs(tail: PriceTail) -> list[int]:
    return [one.seq for one in tail.newest()]


def test_it_begins_with_the_last_record_and_skips_to_the_newest() -> None:
    log = BreakableLog()
    tail = PriceTail(log)
    assert seqs(tail) == []
    put(log, 1, 2, 3)
    assert seqs(tail) == [3]
    assert seqs(tail) == []
    assert seqs(PriceTail(log)) == [3]


def test_a_trimmed_log_and_an_unreadable_record_are_got_over() -> None:
    log = BreakableLog()
    tail = PriceTail(log)
    put(log, 1)
    assert seqs(tail) == [1]
    put(log, 2, 3)
    log.append(Topic.PRICES, [Record(0, "", b"rubbish")])
    assert seqs(tail) == [3]
    put(log, 4, 5, 6)
    log.trim(Topic.PRICES, 0, 6)
    assert seqs(tail) == []
    assert seqs(tail) == [6]
