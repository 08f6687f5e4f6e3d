"""What the market data app keeps in SQL: instruments as they are in force, and candles.

Instruments are a copy of what the log says, kept by the projector. Do not write here to change one: a
change is a command in the log, and comes back here.
"""

from django.db import models


class Instrument(models.Model):
    """One instrument. offset is null while its command is not in force yet (seeded, not projected)."""

    symbol = models.CharField(max_length=32, primary_key=True)
    state = models.CharField(max_length=16)
    spec = models.TextField(help_text="JSON of marketdata.domain.instrument.Instrument")
    at_ns = models.BigIntegerField(help_text="nanoseconds since 1970 UTC of the command")
    partition = models.IntegerField(default=0)
    offset = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("symbol",)

    def __str__(self) -> str:
        return self.symbol


class Candle(models.Model):
    """What traded in a stretch of time (marketdata.domain.prices.Candle); quiet ones are not kept."""

    pk = models.CompositePrimaryKey("symbol", "interval_s", "begin_s")
    symbol = models.CharField(max_length=32)
    interval_s = models.IntegerField()
    begin_s = models.BigIntegerField()
    open_ticks = models.BigIntegerField()
    high_ticks = models.BigIntegerField()
    low_ticks = models.BigIntegerField()
    close_ticks = models.BigIntegerField()
    lots = models.BigIntegerField()
    turnover = models.BigIntegerField()
    trades = models.BigIntegerField()
    first_ns = models.BigIntegerField()
    last_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.symbol} {self.interval_s} s from {self.begin_s}"


class CandleSpan(models.Model):
    """From when until when candles of an interval are whole: all trades of that time are in them."""

    pk = models.CompositePrimaryKey("symbol", "interval_s")
    symbol = models.CharField(max_length=32)
    interval_s = models.IntegerField()
    from_s = models.BigIntegerField()
    until_s = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.symbol} {self.interval_s} s"
