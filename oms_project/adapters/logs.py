"""Which log a URL means: the composition root of the Log port."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from oms_project.kernel.ports import Log


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
        from oms_project.adapters.kafka import KafkaLog, KafkaOptions

        parts = urlsplit(url)
        options = KafkaOptions.read(dict(parse_qsl(parts.query)))
        brokers = tuple(parts.netloc.split(","))
        return KafkaLog(brokers, partitions, role=role, options=options)
    raise ValueError(f"LOG_URL: {scheme!r} is none of sqlite, kafka, memory")
