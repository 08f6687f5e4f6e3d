"""manage.py run_marketdata."""

import json
import os
import signal
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from marketdata.adapters import price_records
from marketdata.tests.build import eventually
from marketdata.tests.fakes import BreakableLog
from oms_project.kernel.words import Topic

pytestmark = pytest.mark.django_db


def run(**options: Any) -> str:
    out = StringIO()
    call_command("run_marketdata", interval_ms=1, stdout=out, **options)
    return out.getvalue()


def test_the_simulation_publishes_its_five_symbols(price_log: BreakableLog) -> None:
    assert "stopped after 3 records" in run(steps_max=3)
    records = price_log.read(Topic.PRICES, 0, 0, 9)
    assert len(records) == 3
    symbols = [one.symbol for one in price_records.decode(records[-1].value).symbols]
    assert symbols == ["ADA-USD", "BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"]
    assert len(price_log.read(Topic.COMMANDS, 1, 0, 9)) == 1


def test_seed_and_start_prices_make_another_market(price_log: BreakableLog) -> None:
    run(steps_max=1, seed=5, start_prices="BTC-USD=30000")
    [record] = price_log.read(Topic.PRICES, 0, 0, 9)
    [only] = price_records.decode(record.value).symbols
    assert only.symbol == "BTC-USD"
    assert 2_700_000 < only.bids[0].ticks < 3_300_000


def test_a_capture_is_replayed(price_log: BreakableLog, tmp_path: Path) -> None:
    line = {"e": "depthUpdate", "s": "BTCUSD", "U": 1, "u": 1, "b": [], "a": []}
    snapshot = {"lastUpdateId": 5, "bids": [["99.0", "1"]], "asks": [["101.0", "1"]]}
    (tmp_path / "X.ws.0.0").write_text(f"1600000000.0: {json.dumps(line)}\n")
    (tmp_path / "X.http.0.0").write_text(
        f"https://x.example/depth?symbol=BTCUSD -> 1600000000.0: {json.dumps(snapshot)}\n"
    )
    run(steps_max=2, feed="recorded", dir=tmp_path, speed="2.5", repeat=True)
    newest = price_log.read(Topic.PRICES, 0, 1, 1)[0]
    [symbol] = price_records.decode(newest.value).symbols
    assert (symbol.symbol, symbol.bids[0].ticks, symbol.venues) == ("BTC-USD", 9_900, ("X",))


def test_sigterm_stops_it_between_two_steps(price_log: BreakableLog) -> None:
    """The step in hand is finished, the command says what it wrote, the old handler is back."""
    before = signal.getsignal(signal.SIGTERM)

    def stop_when_running() -> None:
        eventually(lambda: price_log.end_offset(Topic.PRICES, 0) >= 2)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop_when_running)
    stopper.start()
    said = run()
    stopper.join()
    assert f"stopped after {price_log.end_offset(Topic.PRICES, 0)} records" in said
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"feed": "recorded"}, "needs --dir"),
        ({"feed": "recorded", "dir": Path("/does/not/exist")}, "not a folder"),
        ({"start_prices": "BTC-USD"}, "not NAME=VALUE"),
        ({"history_hours": -1}, "--history-hours"),
        ({"start_prices": "NO-USD=1"}, "not an instrument"),
        ({"feed": "recorded", "dir": Path("/"), "speed": "0"}, "--speed"),
        ({"feed": "recorded", "dir": Path("/"), "speed": "fast"}, "--speed"),
    ],
)
def test_bad_options_are_explained(
    price_log: BreakableLog, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        run(steps_max=1, **options)
    assert price_log.end_offset(Topic.PRICES, 0) == 0


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("run_marketdata", "--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "--start-prices BTC-USD=30000,ETH-USD=2000" in text
