"""Fixtures of the market data tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from marketdata import wiring
from marketdata.tests.fakes import BreakableLog, MemoryCandles
from marketdata.tests.sockets import connect as connect
from marketdata.view import PriceView
from oms_project.adapters.clock import FakeClock

# What a property says does not depend on how busy the machine is.
settings.register_profile(
    "laws", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("laws")


@pytest.fixture
def recorded_dir() -> Path:
    """Somebody's own folder of real captures; they are not part of the product."""
    name = os.environ.get("OMS_RECORDED_DIR", "")  # noqa: TID251 - read by this test alone
    if not name or not Path(name).is_dir():
        pytest.skip("OMS_RECORDED_DIR names no folder of captures")
    return Path(name)


@pytest.fixture
def price_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[BreakableLog]:
    """A log in memory behind this process' view; its clock stands at the prices' time."""
    log = BreakableLog()
    clock = FakeClock()
    view = PriceView(log, clock)
    monkeypatch.setattr(wiring, "log", lambda: log)
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    monkeypatch.setattr(wiring, "view", lambda: view)
    store = MemoryCandles()
    monkeypatch.setattr(wiring, "candles_store", lambda: store)
    wiring.candle_reader.cache_clear()
    wiring.forget_instruments()
    yield log
    wiring.forget_instruments()
    wiring.candle_reader.cache_clear()
