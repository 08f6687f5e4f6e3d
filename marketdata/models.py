"""Instruments as they are in force: a copy of what the log says, kept by the projector.

Do not write here to change an instrument: a change is a command in the log, and comes back here.
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
