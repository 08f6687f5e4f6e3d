"""How numbers, times and events read. The browser's twin is held to the same in test_modules.py."""

import pytest

from orders.pages import filters, shapes, story

THIN = "\u202f"


@pytest.mark.parametrize(
    ("text", "places", "bright", "zeros"),
    [
        ("64120.50", 2, f"64{THIN}120.5", "0"),
        ("64120.00", 2, f"64{THIN}120", ".00"),
        ("0.25", 4, "0.25", "00"),
        ("0", 0, "0", ""),
        ("1000000", 0, f"1{THIN}000{THIN}000", ""),
        ("-12.5", 2, "−12.5", "0"),
        ("-0.00", 2, "0", ".00"),
        ("1.23456789", 2, "1.23456789", ""),
    ],
)
def test_number(text: str, places: int, bright: str, zeros: str) -> None:
    assert filters.split(text, places) == (bright, zeros)


def test_sign_is_shown_when_asked() -> None:
    assert filters.split("5", signed=True) == ("+5", "")
    assert filters.split("0", signed=True) == ("0", "")
    assert filters.num(None) == "–"


@pytest.mark.parametrize(
    ("text", "tone"), [("1", "up"), ("-1", "down"), ("0.00", ""), ("-0.0", ""), (None, "")]
)
def test_tone(text: str | None, tone: str) -> None:
    assert filters.tone(text) == tone


def test_ladder_has_totals_best_in_the_middle() -> None:
    book = {"bids": [["10.00", "1"], ["9.99", "3"]], "asks": [["10.02", "2"], ["10.05", "6"]]}
    found = shapes.ladder(book, 5)
    assert [(one["price"], one["total"], one["bucket"]) for one in found["asks"]] == [
        ("10.05", "8", 20),
        ("10.02", "2", 5),
    ]
    assert [(one["price"], one["total"], one["bucket"]) for one in found["bids"]] == [
        ("10.00", "1", 2),
        ("9.99", "4", 10),
    ]
    assert found["spread"] == "0.02"


@pytest.mark.parametrize(
    "book", [None, {"bids": [], "asks": []}, {"bids": [["1", "1"]], "asks": []}]
)
def test_half_a_book_has_no_spread(book: dict | None) -> None:
    assert shapes.ladder(book, 5)["spread"] is None


@pytest.mark.parametrize(
    ("later", "hop"),
    [
        ("00.000057", "+57 µs"), ("00.018232", "+18.2 ms"), ("00.999999", "+999.9 ms"),
        ("02.950000", "+2.9 s"), ("59.999999", "+59.9 s"), ("00.000000", "same record"),
    ],
)  # fmt: skip
def test_hop_between_two_events(later: str, hop: str) -> None:
    order = {"type": "limit", "side": "buy", "quantity": "1", "symbol": "A-B", "price": "2",
             "time_in_force": "gtc", "fee_asset": "B"}  # fmt: skip
    events = [
        {"type": "OrderAccepted", "at": "2026-01-31T12:00:00.000000Z"},
        {"type": "OrderCancelRequested", "at": f"2026-01-31T12:00:{later}Z"},
    ]
    assert [row["hop"] for row in shapes.told(events, order)] == ["", hop]


def test_field_errors_go_to_their_field_or_to_the_order() -> None:
    problem = {
        "detail": "Look.",
        "errors": [
            {"pointer": "/price", "code": "price_tick", "detail": "Use 0.01."},
            {"pointer": "/account_id", "code": "not_yours"},
        ],
    }
    assert shapes.field_errors(problem) == {"price": "Use 0.01.", "order": "not yours"}
    assert shapes.field_errors({"detail": "Look."}) == {"order": "Look."}


def test_an_event_without_words_still_has_a_title() -> None:
    assert story.tell({"type": "SomethingNew"}, {}) == ("SomethingNew", "")
