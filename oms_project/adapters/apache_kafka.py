"""Where Apache Kafka comes from on a developer's machine: Maven Central, kept in a user cache.

Needs `mvn` (once) and `java` 17 or newer; no container, no root.
"""

import fcntl
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

KAFKA_VERSION: Final = "4.1.0"
JAVA_MAJOR_MIN: Final = 17
HEAP: Final = "384m"
DOWNLOAD_S_MAX: Final = 600

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka-home</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
<version>1.7.36</version></dependency>
</dependencies></project>
"""

# One node that is broker and controller. Groups form at once (no wait for more members), nothing is
# created by accident, and a broker that was killed may come back after its short session.
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
message.max.bytes=5000000
replica.fetch.max.bytes=5000000
unclean.leader.election.enable=false
log.retention.hours=-1
"""


class KafkaHome:
    """An Apache Kafka that can be run: its jars and a java."""

    def __init__(self, java: str, jars: Path) -> None:
        self._java = java
        self._jars = jars

    def format(self, folder: Path, host: str, port: int, controller_port: int) -> None:
        """Write the configuration; make the storage ready once."""
        config = folder / "server.properties"
        config.write_text(
            _PROPERTIES.format(host=host, port=port, controller_port=controller_port, folder=folder)
        )
        if (folder / "data" / "meta.properties").exists():
            return
        tool = [*self._run("96m"), "kafka.tools.StorageTool", "format", "--config", str(config)]
        subprocess.run(
            [*tool, "--cluster-id", str(uuid.UUID(int=1)), "--ignore-formatted"],
            check=True,
            capture_output=True,
            timeout=60,
        )

    def command(self, folder: Path) -> Sequence[str]:
        """Return the command line of the broker."""
        return [*self._run(HEAP), "kafka.Kafka", str(folder / "server.properties")]

    def _run(self, heap: str) -> list[str]:
        return [
            self._java,
            f"-Xmx{heap}",
            f"-Xms{heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # starts in half the time; the peak is not what we need
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            f"{self._jars}/*",
        ]


def find_kafka(cache: Path | None = None) -> KafkaHome:
    """Return Apache Kafka, fetched from Maven Central the first time.

    Raises:
        LookupError: no java of a fitting version, no mvn, or Maven Central is out of reach.
    """
    java = shutil.which("java")
    if java is None or _java_major(java) < JAVA_MAJOR_MIN:
        raise LookupError(f"Apache Kafka needs java {JAVA_MAJOR_MIN} or newer")
    home = (cache or Path.home() / ".cache" / "crypto-oms") / f"kafka-{KAFKA_VERSION}"
    jars = home / "jars"
    if not jars.exists():
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # test workers start at the same time
            if not jars.exists():
                _fetch(jars)
    return KafkaHome(java, jars)


def _fetch(jars: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise LookupError("Apache Kafka needs mvn to be fetched")
    with tempfile.TemporaryDirectory(dir=jars.parent) as work:
        pom = Path(work) / "pom.xml"
        pom.write_text(_POM.format(version=KAFKA_VERSION))
        found = Path(work) / "jars"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={found}"]
        try:
            subprocess.run(
                [mvn, "-q", "-B", "-f", str(pom), *goal],
                check=True,
                capture_output=True,
                timeout=DOWNLOAD_S_MAX,
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise LookupError(f"Maven did not fetch Apache Kafka: {error}") from error
        found.rename(jars)  # all or nothing: a broken download is never found


def _java_major(java: str) -> int:
    told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    version = re.search(r'"(\d+)', told)
    return int(version[1]) if version else 0
