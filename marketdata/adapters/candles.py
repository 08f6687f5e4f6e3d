"""The only file that reads and writes the tables of candles.

Rules of this file:
- A row is written whole and may be written again: what is written last stands. Only whoever makes
  candles writes seconds and minutes; only `roll_up` writes what is longer.
- What is longer than a minute is read from its rows as far as they are rolled up, and put together
  from minutes behind that: a late roll-up makes an answer slower, never wrong.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

import msgspec
from django.conf import settings
from django.db import connections, transaction

from marketdata.domain.candle import MINUTE, ROLLED, SECOND, roll
from marketdata.domain.live_candles import Row
from marketdata.domain.past import Span
from marketdata.domain.prices import Candle
from oms_project.kernel.numbers import NS_PER_S

INT64_MAX: Final = 2**63 - 1
DAY_S: Final = 86_400
KEEP_DAYS: Final[Mapping[int, int]] = {
    SECOND: 1, MINUTE: 35, 300: 90, 900: 180, 3_600: 730, 14_400: 3_650, 86_400: 3_650,
}  # fmt: skip
"""How long candles of an interval are kept, in days."""
ROLL_S: Final = 7 * DAY_S
"""Minutes rolled up in one transaction."""
COLUMNS: Final = Candle.__struct_fields__

_TABLE: Final = "marketdata_candle"
_NAMES: Final = ", ".join(("symbol", "interval_s", *COLUMNS))
_UPSERT: Final = f"""
INSERT INTO {_TABLE} ({_NAMES}) VALUES ({", ".join(["%s"] * (2 + len(COLUMNS)))})
ON CONFLICT (symbol, interval_s, begin_s) DO UPDATE SET
  {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])}
"""
_READ: Final = f"""
SELECT {", ".join(COLUMNS)} FROM {_TABLE}
WHERE symbol = %s AND interval_s = %s AND begin_s >= %s AND begin_s < %s ORDER BY begin_s
"""
_BEFORE: Final = f"""
SELECT {", ".join(COLUMNS)} FROM {_TABLE}
WHERE symbol = %s AND interval_s = %s AND begin_s < %s ORDER BY begin_s DESC LIMIT 1
"""
_SPAN: Final = """
INSERT INTO marketdata_candlespan (symbol, interval_s, from_s, until_s) VALUES (%s, %s, %s, %s)
ON CONFLICT (symbol, interval_s) DO UPDATE SET from_s = excluded.from_s, until_s = excluded.until_s
"""
_PULL_BACK: Final = """
UPDATE marketdata_candlespan SET until_s = %s
WHERE symbol = %s AND interval_s > %s AND until_s > %s
"""
_SPANS: Final = "SELECT symbol, interval_s, from_s, until_s FROM marketdata_candlespan"
_FORGET: Final = f"DELETE FROM {_TABLE} WHERE interval_s = %s AND symbol = %s AND begin_s < %s"


class SqlCandles:
    """The candles of the store."""

    def __init__(self, alias: str | None = None) -> None:
        self._alias = alias or settings.STORE_ALIAS

    # ------------------------------------------------------------------ keeping

    def save(self, rows: Sequence[Row], spans: Mapping[str, Span]) -> None:
        """Write seconds and minutes, and until when those of each symbol are whole.

        Roll-ups begin again where an older minute is written.
        """
        oldest: dict[str, int] = {}
        for symbol, _, one in rows:
            oldest[symbol] = min(one.begin_s, oldest.get(symbol, one.begin_s))
        with self._writing(), connections[self._alias].cursor() as cursor:
            cursor.executemany(_UPSERT, [_values(*row) for row in rows])
            cursor.executemany(
                _SPAN, [(symbol, MINUTE, one.from_s, one.until_s) for symbol, one in spans.items()]
            )
            for symbol, begin_s in oldest.items():
                day = begin_s // DAY_S * DAY_S  # a whole one of every interval
                cursor.execute(_PULL_BACK, [day, symbol, MINUTE, begin_s])

    def spans(self, interval_s: int = MINUTE) -> dict[str, Span]:
        with connections[self._alias].cursor() as cursor:
            cursor.execute(_SPANS)
            return {row[0]: Span(row[2], row[3]) for row in cursor if row[1] == interval_s}

    # ------------------------------------------------------------------ reading

    def read(self, symbol: str, interval_s: int, from_s: int, until_s: int) -> list[Candle]:
        """Return the candles that begin in [from_s, until_s), those without trades left out.

        from_s is the begin of a candle.
        """
        if interval_s <= MINUTE:
            return self._rows(symbol, interval_s, from_s, until_s)
        span = self.spans(interval_s).get(symbol)
        rolled_s = min(max(span.until_s, from_s), until_s) if span else from_s
        ready = self._rows(symbol, interval_s, from_s, rolled_s) if rolled_s > from_s else []
        end_s = -(-until_s // interval_s) * interval_s
        return ready + roll(self._rows(symbol, MINUTE, rolled_s, end_s), interval_s)

    def before(self, symbol: str, interval_s: int, begin_s: int) -> Candle | None:
        """Return the newest candle with trades in front of *begin_s*, of this interval or of minutes."""
        for source_s in dict.fromkeys((min(interval_s, MINUTE), interval_s, MINUTE)):
            with connections[self._alias].cursor() as cursor:
                cursor.execute(_BEFORE, [symbol, source_s, begin_s])
                row = cursor.fetchone()
            if row:
                return roll([Candle(*row)], interval_s)[0]
        return None

    def _rows(self, symbol: str, interval_s: int, from_s: int, until_s: int) -> list[Candle]:
        with connections[self._alias].cursor() as cursor:
            cursor.execute(_READ, [symbol, interval_s, from_s, until_s])
            return [Candle(*row) for row in cursor.fetchall()]

    # ------------------------------------------------------------------ upkeep

    def roll_up(self, over: Callable[[], bool]) -> int:
        """Roll minutes up as far as they are whole; return the candles written. over: stop now?"""
        written = 0
        for symbol, minutes in self.spans().items():
            for interval_s in ROLLED:
                written += self._roll(symbol, interval_s, minutes, over)
        return written

    def _roll(self, symbol: str, interval_s: int, minutes: Span, over: Callable[[], bool]) -> int:
        written = 0
        end_s = minutes.until_s // interval_s * interval_s
        while not over():
            with self._writing():
                span = self.spans(interval_s).get(symbol)
                first_s = span.until_s if span else self._first(symbol)
                begin_s = max(first_s, 0) // interval_s * interval_s
                if begin_s >= end_s:
                    break
                until_s = min(begin_s + ROLL_S, end_s)
                candles = roll(self._rows(symbol, MINUTE, begin_s, until_s), interval_s)
                from_s = min(span.from_s, begin_s) if span else begin_s
                with connections[self._alias].cursor() as cursor:
                    rows = [_values(symbol, interval_s, one) for one in candles]
                    cursor.executemany(_UPSERT, rows)
                    cursor.execute(_SPAN, [symbol, interval_s, from_s, until_s])
            written += len(candles)
        return written

    def _first(self, symbol: str) -> int:
        found = self._rows_first(symbol)
        return found if found is not None else INT64_MAX // NS_PER_S

    def _rows_first(self, symbol: str) -> int | None:
        with connections[self._alias].cursor() as cursor:
            cursor.execute(
                f"SELECT MIN(begin_s) FROM {_TABLE} WHERE symbol = %s AND interval_s = %s",
                [symbol, MINUTE],
            )
            row = cursor.fetchone()
        return row[0] if row else None

    def forget(self, now_s: int) -> int:
        """Delete what is older than its interval is kept; return the rows deleted."""
        gone = 0
        symbols = list(self.spans())
        for interval_s, days in KEEP_DAYS.items():
            for symbol in symbols:
                with self._writing(), connections[self._alias].cursor() as cursor:
                    cursor.execute(_FORGET, [interval_s, symbol, now_s - days * DAY_S])
                    gone += max(cursor.rowcount, 0)
        return gone

    def _writing(self) -> AbstractContextManager[None]:
        return transaction.atomic(using=self._alias)


def _values(symbol: str, interval_s: int, one: Candle) -> tuple[str | int, ...]:
    fields: Iterable[int] = msgspec.structs.astuple(one)
    return (symbol, interval_s, *(min(value, INT64_MAX) for value in fields))
