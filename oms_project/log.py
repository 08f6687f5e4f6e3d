"""Structured logs: constant message, data as keys, one line an event. Secrets never get here.

Nobody means to log one. But a library may write a whole target, or an error quote what it was given;
so names that sound like secrets lose their value, and text loses what looks like one.
"""

import logging
import re
import sys
from typing import Any, Final

import structlog

from oms_project.adapters import process

REDACTED: Final = "[redacted]"
_NAMES: Final = {"password", "token", "secret", "authorization", "cookie", "api_key", "signature"}


def _redact(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A name that sounds like a secret loses its value, whoever logged it."""
    for key in event:
        if any(word in key.lower() for word in _NAMES):
            event[key] = REDACTED
        elif isinstance(event[key], str):
            event[key] = plain(event[key])
    return event


# Every repetition is bounded: a line of the log may hold what a client sent.
_IN_TEXT: Final = re.compile(
    r"""eyJ[\w-]{8,4096}\.[\w.-]{8,4096}                                  # a JSON web token
      | oms_[a-z2-7]{20,40}\.[\w-]{20,64}                                  # an API key with its secret
      | (?<=://)[^\s/:@]{0,256}:[^\s/@]{1,256}(?=@)                       # user:password of a URL
      | (?<=[?&;\s])(?:\w{0,32}(?:password|token|secret|session|refresh)\w{0,32})=[^\s&;"']{1,4096}
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def plain(text: str) -> str:
    """Return *text* without what looks like a token, or the password of an address."""
    return _IN_TEXT.sub(REDACTED, text)


def _who(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["role"] = process.role()
    return event


def _redact_exception(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """What an exception says is somebody else's text; it is formatted last."""
    if "exception" in event:
        event["exception"] = plain(event["exception"])
    return event


# One list for ever: loggers keep the one that they began with.
_chain: list[structlog.typing.Processor] = []


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
    _chain[:] = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_chain,
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
                *([_who] if form == "json" else []),  # a person has a file a role
                structlog.processors.format_exc_info,
                _redact_exception,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("pymongo", "axes", "httpx", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
    # What a client did wrong is told to the client, counted, and evidence where it is a refusal: a line
    # for each would let anybody fill the log. Our own errors (5xx) stay.
    logging.getLogger("django.request").setLevel("ERROR")
    # It tells every reconnect, dozens a second; that a broker is away is said by our own loops.
    logging.getLogger("kafka").setLevel("CRITICAL")
