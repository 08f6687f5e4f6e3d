"""PostgreSQL as a local child process: for the tests of what is kept in SQL.

It refuses to run as root. Started by root, it and its files belong to the system's user for it, so
its folder must be where that user may go: not below a folder of root's own.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from oms_project.adapters.servers import HOST, LocalServer, ServerError

_DEBIAN: Final = Path("/usr/lib/postgresql")
_USERS: Final = ("postgres", "nobody")
_DATABASE: Final = "postgres"


class Postgres(LocalServer):
    """One node with an empty database. What it is told survives its process, not the machine."""

    name = "postgres"
    stop_signal = signal.SIGINT  # with SIGTERM it would wait for its clients to leave

    @property
    def url(self) -> str:
        return f"postgres://oms@{self.address}/{_DATABASE}"

    def _prepare(self) -> None:
        data = self.folder / "data"
        if data.exists():
            return
        user = _user()
        if user:
            shutil.chown(self.folder, user)
        # A language's order of texts, as most servers have: no query of ours may lean on it.
        order = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        flags = ["--username=oms", "--auth=trust", "--encoding=UTF8", *order]
        done = subprocess.run(
            [*_as(user), str(_programs() / "initdb"), "-D", str(data), *flags, "--no-sync"],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ServerError(f"postgres: initdb: {done.stderr[-500:]}")

    def _command(self) -> Sequence[str]:
        flags = {"listen_addresses": HOST, "port": str(self.port), "fsync": "off"}
        flags["unix_socket_directories"] = ""
        options = [part for name, value in flags.items() for part in ("-c", f"{name}={value}")]
        data = str(self.folder / "data")
        return [*_as(_user()), str(_programs() / "postgres"), "-D", data, *options]

    def _answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self.url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _programs() -> Path:
    """Return the folder of initdb and postgres."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    debian = sorted(_DEBIAN.glob("*/bin/initdb"), reverse=True)
    if not debian:
        raise ServerError("postgres: apt-get install postgresql")
    return debian[0].parent


def _user() -> str:
    """Return whom to become to run it, "" for nobody else."""
    if os.getuid() != 0:
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    found = next((name for name in _USERS if name in known), None)
    if found is None:
        raise ServerError("postgres: it does not run as root, and there is no user for it")
    return found


def _as(user: str) -> list[str]:
    if not user:
        return []
    group = str(pwd.getpwnam(user).pw_gid)
    return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]
