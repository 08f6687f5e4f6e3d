"""manage.py store_users: the application's own users in the stores."""

from pathlib import Path

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from oms_project import store_users
from oms_project.store_users import Login

GENERATIONS = ("previous", "current")


class Command(BaseCommand):
    help = (
        "Make or renew the application's users in PostgreSQL and the document store, as the masters\n"
        "of both. The folder holds secrets as JSON files: postgres-master, postgres-current,\n"
        "postgres-previous, and the same for documentdb. Addresses come from DATABASE_URL and\n"
        "ORDER_STORE_URL. Safe to repeat; the first step of a rotation.\n\n"
        "  manage.py store_users --secrets /secrets"
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--secrets", type=Path, required=True, help="folder of the files")

    def handle(self, *, secrets: Path, **_: object) -> None:
        env = settings.ENV
        for name, url, make in (
            ("postgres", env.database_url, store_users.postgres),
            ("documentdb", env.order_store_url, store_users.documents),
        ):
            if not url.startswith(("postgres", "mongodb")):
                raise CommandError(
                    f"{name}: its address is not set. Set DATABASE_URL and ORDER_STORE_URL."
                )
            master = _read(secrets / f"{name}-master")
            users = [_read(secrets / f"{name}-{one}") for one in GENERATIONS]
            if len({user.username for user in users}) < len(users):
                raise CommandError(
                    f"{name}: both generations name {users[0].username}. Two users must take turns, "
                    "or the one in use would get a new password."
                )
            for line in make(store_users.with_login(url, master), users):
                self.stdout.write(line)


def _read(path: Path) -> Login:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Login)
    except (OSError, msgspec.MsgspecError) as error:
        raise CommandError(
            f"{path}: {type(error).__name__}, a secret as JSON is expected"
        ) from None
