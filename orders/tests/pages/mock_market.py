"""Seeded prices for looking at the pages without the product: a random walk with a book around it."""

import zlib
from typing import Any

from oms_project.adapters.clock import SystemClock
from oms_project.adapters.ids import seeded
from oms_project.rest.times import text as iso

Value = dict[str, Any]
LEVELS = 40
SPECS = (  # symbol, tick, lot, start in ticks, state
    ("BTC-USD", "0.01", "0.0001", 6_412_050, "TRADING"),
    ("ETH-USD", "0.01", "0.0001", 341_277, "TRADING"),
    ("SOL-USD", "0.001", "0.001", 152_340, "TRADING"),
    ("XRP-USD", "0.00001", "0.1", 52_118, "TRADING"),
    ("ADA-USD", "0.00001", "0.1", 38_402, "TRADING"),
    ("HALT-USD", "0.01", "0.01", 1_000, "HALTED"),
    ("OLD-USD", "0.01", "0.01", 1_000, "DELISTED"),
)


def decimal(value: int, step: str) -> str:
    """Return *value* steps as text with the step's decimals."""
    places = len(step.partition(".")[2])
    digits = f"{abs(value):0{places + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


class MockSymbol:
    """One symbol's walk: mid, book, trades. Prices in ticks, sizes in lots."""

    def __init__(self, symbol: str, tick: str, lot: str, start: int, state: str) -> None:
        self.symbol, self.tick, self.lot, self.state = symbol, tick, lot, state
        self.random = seeded(zlib.crc32(symbol.encode()))
        self.open = self.high = self.low = self.mid = self.last = start
        self.seq = 1
        self.step = max(1, start // 60_000)
        self.trades: list[Value] = []
        self.told: Value = {"since": None, "stale": False}
        self.count = 0
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._rebuild()
        for back in range(240, 0, -1):
            self.move(back * 1_000_000_000)

    def _rebuild(self) -> None:
        half = max(1, self.step // 3)
        old = (self.bids, self.asks)
        for sign, side in ((-1, "bids"), (1, "asks")):
            levels = {}
            price = self.mid + sign * half
            for depth in range(LEVELS):
                kept = old[sign > 0].get(price)
                fresh = self.random.randint(5, 4_000 + 900 * depth)
                levels[price] = kept if kept and self.random.random() < 0.7 else fresh
                price += sign * self.random.choice((1, 1, 2, 3, 5)) * max(1, self.step // 4)
            setattr(self, side, levels)

    def move(self, back_ns: int = 0) -> None:
        """Let the price take one step, and sometimes a trade happen."""
        self.mid += round(self.random.gauss(0, 1) * self.step)
        self.high, self.low = max(self.high, self.mid), min(self.low, self.mid)
        self._rebuild()
        self.seq += 1
        if self.random.random() < 0.45:
            self._trade(SystemClock.now_ns() - back_ns)

    def _trade(self, at_ns: int) -> None:
        side = self.random.choice(("buy", "sell"))
        self.last = min(self.asks) if side == "buy" else max(self.bids)
        self.count += 1
        row = {
            "trade_id": f"{self.symbol}-{self.count}",
            "venue": "alpha",
            "price": decimal(self.last, self.tick),
            "quantity": decimal(self.random.randint(1, 9_000), self.lot),
            "side": side,
            "at": iso(at_ns),
        }
        self.trades = [row, *self.trades[:199]]

    def instrument(self) -> Value:
        base, quote = self.symbol.split("-")
        return {
            "symbol": self.symbol,
            "base": base,
            "quote": quote,
            "state": self.state,
            "tick_size": self.tick,
            "lot_size": self.lot,
            "quantity_min": self.lot,
            "quantity_max": "5000",
            "notional_min": "10.00",
            "notional_max": "1000000.00",
            "market_cap": "0.05",
            "price_collar": "0.5",
            "taker_fee": "0.001",
            "maker_fee": "0.0005",
        }

    def ticker(self) -> Value:
        change = (self.last - self.open) * 10_000 // self.open
        return {
            "symbol": self.symbol,
            "bid": decimal(max(self.bids), self.tick),
            "ask": decimal(min(self.asks), self.tick),
            "last": decimal(self.last, self.tick),
            "mark": decimal(self.mid, self.tick),
            "high_24h": decimal(self.high, self.tick),
            "low_24h": decimal(self.low, self.tick),
            "open_24h": decimal(self.open, self.tick),
            "volume_24h": "18342.5511",
            "change_24h": decimal(change, "0.01"),
            "state": self.state,
            **self.told,
            "seq": self.seq,
            "at": iso(SystemClock.now_ns()),
        }

    def candles(self, seconds: int, limit: int, until_s: int | None = None) -> list[Value]:
        """Return candles up to now out of a walk of their own; the newest ends at the last price."""
        now_s = SystemClock.now_ns() // 1_000_000_000
        last_s = min(now_s, (until_s or now_s + 1) - 1) // seconds * seconds
        return [
            self._candle(at_s, seconds)
            for at_s in range(last_s - (limit - 1) * seconds, last_s + 1, seconds)
        ]

    def _candle(self, at_s: int, seconds: int) -> Value:
        dice = [
            zlib.crc32(f"{self.symbol}{at_s + number * seconds}".encode()) % 1_000
            for number in (0, 1)
        ]
        first, last = (self.open + (one - 500) * self.step // 40 for one in dice)
        high, low = max(first, last) + self.step, min(first, last) - self.step
        prices = {"open": first, "high": high, "low": low, "close": last}
        return {
            "at": iso(at_s * 1_000_000_000)[:19] + "Z", "volume": str(dice[0] % 90 + 1), "turnover": "1.00",
            "trades": dice[1] + 1, "closed": True,
            **{name: decimal(value, self.tick) for name, value in prices.items()},
        }  # fmt: skip

    def book(self, depth: int = LEVELS) -> Value:
        def rows(side: dict[int, int], reverse: bool) -> list[list[str]]:
            best = sorted(side, reverse=reverse)[:depth]
            return [[decimal(p, self.tick), decimal(side[p], self.lot)] for p in best]

        return {
            "symbol": self.symbol,
            "seq": self.seq,
            "bids": rows(self.bids, True),
            "asks": rows(self.asks, False),
            "at": iso(SystemClock.now_ns()),
        }


def market() -> dict[str, MockSymbol]:
    return {spec[0]: MockSymbol(*spec) for spec in SPECS}
