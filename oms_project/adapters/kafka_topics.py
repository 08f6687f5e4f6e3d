"""Makes the topics, and refuses a cluster whose topics are not as we need them."""

import contextlib
from typing import Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from oms_project.adapters.kafka_wire import KafkaOptions, connect
from oms_project.kernel import wire
from oms_project.kernel.errors import OmsError, TransportError
from oms_project.kernel.words import Topic

ADMIN_MS_MAX: Final = 15_000
RECORD_OVERHEAD_BYTES: Final = 64 * 1024


class TopicMismatchError(OmsError):
    """A topic exists with another number of partitions: accounts would change their writer."""


def ensure_topics(
    brokers: tuple[str, ...],
    partitions: int,
    *,
    options: KafkaOptions,
    replication: int,
    min_insync: int,
    topics: tuple[str, ...] = tuple(Topic),
) -> list[str]:
    """Create what is missing, check the rest; return the names of those created.

    Raises:
        TopicMismatchError: a topic has another number of partitions; nothing was created.
        TransportError: the cluster does not answer or refuses.
    """
    admin = connect(
        KafkaAdminClient, brokers, options, client_id="oms-topics", request_timeout_ms=ADMIN_MS_MAX
    )
    with contextlib.closing(admin):
        try:
            found = _partitions(admin, topics)
            wrong = {name: n for name, n in found.items() if n != partitions}
            if wrong:
                raise TopicMismatchError(_advice(wrong, partitions))
            missing = [name for name in topics if name not in found]
            if missing:
                config = _config(min_insync)
                wanted = {
                    name: {
                        "num_partitions": partitions,
                        "replication_factor": replication,
                        "configs": config,
                    }
                    for name in missing
                }
                with contextlib.suppress(TopicAlreadyExistsError):  # somebody was faster
                    admin.create_topics(wanted, timeout_ms=ADMIN_MS_MAX, wait_for_metadata=True)
                found = _partitions(admin, topics)
                if any(found.get(name) != partitions for name in topics):
                    raise TopicMismatchError(_advice(found, partitions))
        except KafkaError as error:
            raise TransportError("kafka", repr(error)) from error
    return missing


def _config(min_insync: int) -> dict[str, str]:
    return {
        "min.insync.replicas": str(min_insync),
        "unclean.leader.election.enable": "false",
        "cleanup.policy": "delete",
        "retention.ms": "-1",  # the log is the truth: it is archived before anything is deleted
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(wire.RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES),
    }


def _partitions(admin: KafkaAdminClient, topics: tuple[str, ...]) -> dict[str, int]:
    existing = set(admin.list_topics())
    names = [name for name in topics if name in existing]
    if not names:
        return {}
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}


def _advice(found: dict[str, int], partitions: int) -> str:
    listed = ", ".join(f"{name} has {count}" for name, count in sorted(found.items()))
    return (
        f"OMS_PARTITIONS is {partitions}, but {listed}. The number of partitions decides which "
        "engine writes an account and cannot be changed: set OMS_PARTITIONS to what the topics "
        "have, or move to a new cluster with `manage.py replay`."
    )
