"""Run one of the product's commands with a log that notes what is touched.

    python recorder.py NOTES ROLE COMMAND [ARGUMENT ...]

Every first touch becomes a line in NOTES: role, right and topic (or group), at once, so that a
process that is killed has told all the same. Run by the application's Python, in its environment.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms_project.settings")
READS = ("read", "end_offset", "first_offset", "end_offsets")


class Notes:
    """What was touched, once each."""

    def __init__(self, path: str, role: str):
        self._path, self._role = path, role
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def add(self, right: str, name: str) -> None:
        with self._lock:
            if (right, name) not in self._known:
                self._known.add((right, name))
                with open(self._path, "a") as file:
                    file.write(f"{self._role} {right} {name}\n")


class RecordingLog:
    """A Log that passes everything on and notes it."""

    def __init__(self, real: object, notes: Notes):
        self._real, self._notes = real, notes

    def append(self, topic, records):
        self._notes.add("write", topic)
        return self._real.append(topic, records)

    def subscribe(self, topic, group):
        self._notes.add("read", topic)
        self._notes.add("member", group)
        return self._real.subscribe(topic, group)

    def committed(self, topic, group):
        self._notes.add("look", group)
        return self._real.committed(topic, group)

    def trim(self, topic, partition, before):
        return self._real.trim(topic, partition, before)  # on Kafka the topic's retention does it

    def __getattr__(self, name):
        found = getattr(self._real, name)
        if name not in READS:
            return found

        def noted(topic, *args):
            self._notes.add("read", topic)
            return found(topic, *args)
        return noted


def main() -> None:
    path, role, *command = sys.argv[1:]
    from oms_project.adapters import logs  # before anything that opens one by name
    real, notes = logs.open_log, Notes(path, role)
    logs.open_log = lambda *args: RecordingLog(real(*args), notes)
    from django.core.management import execute_from_command_line
    execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main()
