"""Structured logs: constant message, data as keys, one line an event. Secrets never get here."""

import logging
import sys
from typing import Any

import structlog

_REDACTED = {"password", "token", "secret", "authorization", "cookie", "api_key", "signature"}


def _redact(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A name that sounds like a secret loses its value, whoever logged it."""
    for key in event:
        if any(word in key.lower() for word in _REDACTED):
            event[key] = "[redacted]"
    return event


def configure(level: str, form: str) -> None:
    """Send structlog's and the standard library's records to stderr, as text or JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("pymongo", "axes", "httpx", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
    # It tells every reconnect, dozens a second; that a broker is away is said by our own loops.
    logging.getLogger("kafka").setLevel("CRITICAL")
