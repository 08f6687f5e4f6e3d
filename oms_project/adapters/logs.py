"""Which log a URL means: the composition root of the Log port."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from oms_project.kernel.ports import Log

if TYPE_CHECKING:
    from oms_project.adapters.kafka_wire import KafkaOptions


def open_log(url: str, partitions: int, role: str) -> Log:
    """Return the log at *url*; *role* names this process to the broker.

    sqlite://folder or sqlite:///absolute/folder · memory:// · kafka://host:port[,host:port] with
    the options of `adapters.kafka.KafkaOptions` as query parameters.

    Raises:
        ValueError: no such scheme, or an option that does not exist.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        # Imported on use: a web process on Kafka never loads the rest, nor the other way about.
        from oms_project.adapters.memory import MemoryLog

        return MemoryLog(partitions)
    if scheme == "sqlite":
        from oms_project.adapters.sqlite_log import SqliteLog

        return SqliteLog(Path(rest), partitions)
    if scheme == "kafka":
        from oms_project.adapters.kafka import KafkaLog

        brokers, options = kafka_address(url)
        return KafkaLog(brokers, partitions, role=role, options=options)
    raise ValueError(f"LOG_URL: {scheme!r} is none of sqlite, kafka, memory")


def kafka_address(url: str) -> "tuple[tuple[str, ...], KafkaOptions]":
    """Return the brokers and options in a kafka:// URL.

    kafka://[user:password@]host:port[,host:port][?option=value&…]
    """
    from oms_project.adapters.kafka_wire import KafkaOptions

    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    options = dict(parse_qsl(parts.query))
    if credentials:
        user, _, password = credentials.partition(":")
        options["sasl_plain_username"] = unquote(user)
        options["sasl_plain_password"] = unquote(password)
    return tuple(hosts.split(",")), KafkaOptions.read(options)
