"""Publish market data: a seeded simulation or a replayed capture."""

import argparse
import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from marketdata import feed, wiring
from marketdata.candles import Candles
from marketdata.domain import demo
from marketdata.domain.quote import Feed
from oms_project.checks import Checks
from oms_project.kernel import numbers
from oms_project.kernel.words import Topic
from oms_project.management.roles import RoleCommand
from oms_project.metrics import Meter

EXAMPLES = """examples:
  manage.py run_marketdata
      the simulated market, seed 1, until Ctrl-C or SIGTERM
  manage.py run_marketdata --seed 42 --start-prices BTC-USD=30000,ETH-USD=2000
      another market: these two symbols, from these prices
  manage.py run_marketdata --feed recorded --dir captures --symbols XBT/USD=BTC-USD --repeat
      replay the captures in the folder, over and over
  manage.py run_marketdata --feed recorded --dir captures --speed 10 --steps-max 50
      ten times as fast; stop after fifty steps
"""


HISTORY_HOURS_MAX: Final = 24 * 30
WRITTEN_S: Final = 10.0


class Command(RoleCommand):
    role = "marketdata"
    help = "Publish prices to oms.prices and marks to oms.commands until stopped."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name,
            subcommand,
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--feed", choices=("sim", "recorded"), default="sim")
        parser.add_argument("--seed", type=int, default=1, help="of the simulation (default 1)")
        parser.add_argument(
            "--start-prices",
            default="",
            metavar="SYMBOL=PRICE,…",
            help="symbols to simulate and where they start (default: the demo's five)",
        )
        parser.add_argument("--dir", type=Path, help="folder of the captures to replay")
        parser.add_argument(
            "--symbols",
            default="",
            metavar="NAME=SYMBOL,…",
            help="which recorded name is which of ours (default: same base and quote asset)",
        )
        parser.add_argument("--speed", default="1", help="of the replay, 0.01 to 1000 (default 1)")
        parser.add_argument("--repeat", action="store_true", help="start again at the end")
        parser.add_argument(
            "--history-hours",
            type=int,
            default=settings.ENV.history_hours,
            help="how far back a simulated market's past is told (default: OMS_HISTORY_HOURS)",
        )
        parser.add_argument("--interval-ms", type=int, default=feed.INTERVAL_MS)
        parser.add_argument("--steps-max", type=int, help="stop after so many steps")

    def handle(
        self,
        *,
        interval_ms: int,
        steps_max: int | None,
        inner_port: int,
        history_hours: int,
        **options: Any,
    ) -> None:
        if interval_ms < 1:
            raise CommandError("--interval-ms must be at least 1")
        if not 0 <= history_hours <= HISTORY_HOURS_MAX:
            raise CommandError(f"--history-hours must be from 0 to {HISTORY_HOURS_MAX}")
        try:
            source = _feed(options)
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"publishing {source.name} prices every {interval_ms} ms")
        meter = Meter("marketdata")
        checks = Checks({"log": _log_answers, "loop": meter.check}, {})
        candles = wiring.candles(source, history_hours)
        with (
            _stopped_by_signals() as stop,
            self.inner(inner_port, checks),
            _written(candles),
        ):
            records = feed.run(
                source,
                wiring.log(),
                wiring.clock(),
                stop,
                interval_ms=interval_ms,
                steps_max=steps_max,
                meter=meter,
                candles=candles,
            )
        self.stdout.write(f"stopped after {records} records")


@contextlib.contextmanager
def _written(candles: Candles) -> Iterator[None]:
    """Have candles written by a thread of their own; what is left at the end too."""
    stop = threading.Event()
    writer = threading.Thread(target=candles.run, args=(stop,), name="candles", daemon=True)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join(WRITTEN_S)


def _log_answers() -> Mapping[str, Any]:
    wiring.log().end_offsets(Topic.PRICES)
    return {}


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and Ctrl-C set; put the old handlers back afterwards."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may set handlers: the owner of this one stops us
        return
    numbers_caught = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers_caught]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers_caught, before, strict=True):
            signal.signal(number, handler)


def _feed(options: Mapping[str, Any]) -> Feed:
    if options["feed"] == "sim":
        prices = _pairs("--start-prices", options["start_prices"]) or demo.START_PRICES
        return wiring.simulated_feed(options["seed"], prices)
    if options["dir"] is None:
        raise ValueError("--feed recorded needs --dir")
    return wiring.recorded_feed(
        options["dir"],
        symbols=_pairs("--symbols", options["symbols"]),
        speed_percent=_percent(options["speed"]),
        repeat=options["repeat"],
    )


def _pairs(option: str, text: str) -> dict[str, str]:
    pairs = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{option}: {part!r} is not NAME=VALUE")
        pairs[name] = value
    return pairs


def _percent(text: str) -> int:
    try:
        percent = numbers.scaled(text, 2)
    except ValueError:
        percent = None
    if percent is None or not 1 <= percent <= 100_000:
        raise ValueError(f"--speed: {text!r} is not between 0.01 and 1000, at most two decimals")
    return percent
