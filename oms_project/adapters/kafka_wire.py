"""How we speak to Kafka: options from the URL, clients with bounded time, errors in our words.

Settings follow docs/decisions on durability: every wait has an end, nothing is created by accident,
and a broken broker is told within seconds.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

from kafka.errors import (
    FencedInstanceIdError,
    KafkaConfigurationError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
)
from kafka.net.compat import KafkaNetClient

from oms_project.kernel.errors import FencedError, GapError, TransportError

CONNECT_S_MAX: Final = 1.0
BOOTSTRAP_MS_MAX: Final = 3_000
RECONNECT_MS_MAX: Final = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """What the query of a kafka:// URL may say; the defaults fit an open broker on this machine.

    For Amazon MSK: security_protocol=SASL_SSL & sasl_mechanism=SCRAM-SHA-512 with user:password in
    the URL, or sasl_mechanism=AWS_MSK_IAM (the process' AWS role and region). ssl_cafile: only for a private CA.
    session_timeout_ms: after this long without a heartbeat a member's partitions go to others; no
    less than the brokers' group.min.session.timeout.ms (6,000 unless changed).
    instance: makes members static ("role-instance"): one that was killed and restarts gets its
    partitions back at once, instead of after the session of its dead self. Must be unique per
    process of a role and the same after a restart: a StatefulSet's pod name is, a task's id is not.
    """

    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_plain_username: str = ""
    sasl_plain_password: str = ""
    ssl_cafile: str = ""
    session_timeout_ms: int = 6_000
    instance: str = ""

    @classmethod
    def read(cls, source: Mapping[str, str]) -> "KafkaOptions":
        """Return the options in *source*.

        Raises:
            ValueError: an option that does not exist, is not a number where one is due, or is of
                no effect without another.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(source) - known)
        if unknown:
            raise ValueError(f"LOG_URL: no option {', '.join(unknown)}; there are {sorted(known)}")
        if source.get("sasl_mechanism") and not source.get("security_protocol", "").startswith(
            "SASL_"
        ):
            raise ValueError("LOG_URL: a sasl_mechanism needs security_protocol=SASL_SSL")
        values: dict[str, Any] = dict(source)
        if "session_timeout_ms" in values:
            values["session_timeout_ms"] = int(values["session_timeout_ms"])
        return cls(**values)

    def client(self) -> dict[str, Any]:
        """Return what all clients are told about security; empty options are left out."""
        names = ("security_protocol", "sasl_mechanism", "sasl_plain_username")
        names += ("sasl_plain_password", "ssl_cafile")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def connect(
    kind: Callable[..., T], brokers: tuple[str, ...], options: KafkaOptions, **config: Any
) -> T:
    """Return a client of *kind*, connected.

    Raises:
        TransportError: no broker answers. Nothing is left behind (kafka-python would leave its
            thread and sockets when its constructor fails).
    """
    probe(brokers)
    made: list[KafkaNetClient] = []

    def net_client(**given: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**given))
        return made[-1]

    try:
        return kind(
            bootstrap_servers=list(brokers),
            kafka_client=net_client,
            bootstrap_timeout_ms=BOOTSTRAP_MS_MAX,
            reconnect_backoff_max_ms=RECONNECT_MS_MAX,
            **options.client(),
            **config,
        )
    except KafkaError as error:
        for client in made:
            client.close()
        if isinstance(error, KafkaConfigurationError):
            raise  # ours to mend, not a wire to wait for
        raise TransportError("kafka", repr(error)) from error


def probe(brokers: tuple[str, ...]) -> None:
    """Return if any broker accepts a connection.

    Raises:
        TransportError: none does.
    """
    reasons = []
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=CONNECT_S_MAX).close()
        except OSError as error:
            reasons.append(f"{broker}: {error}")
        else:
            return
    raise TransportError("kafka", "; ".join(reasons))


@contextmanager
def translated() -> Iterator[None]:
    """Turn kafka-python's errors into ours."""
    try:
        yield
    except (OffsetOutOfRangeError, LogTruncationError) as error:
        raise GapError(f"kafka: {error!r}") from error
    except FencedInstanceIdError as error:
        raise FencedError(f"kafka: another process has our instance name: {error!r}") from error
    except KafkaError as error:
        raise TransportError("kafka", repr(error)) from error
