"""The application's users: two that take turns, and either can change what the other made."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import psycopg
import pytest
from django.core.management import CommandError, call_command
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from oms_project import store_users
from oms_project.env import Env
from oms_project.store_users import Login
from oms_project.tests.servers import Server

A, B = Login("oms_a", "first"), Login("oms_b", "second: p@ss/word")
DATABASE = "store_users"


@pytest.fixture
def database(postgres_server: Server) -> Iterator[str]:
    """A database of its own on the real server, as its master sees it."""
    with psycopg.connect(postgres_server.url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {DATABASE}")
        yield postgres_server.url.rsplit("/", 1)[0] + f"/{DATABASE}"
        server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        for name in ("oms_a", "oms_b", store_users.OWNER):
            server.execute(f"DROP ROLE IF EXISTS {name}")


def _password_of(url: str, name: str) -> str:
    with psycopg.connect(url) as server:
        found = server.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (name,))
        return found.fetchall()[0][0]


@pytest.mark.services
def test_either_user_changes_what_the_other_made(database: str) -> None:
    assert len(store_users.postgres(database, [A, B])) == 2
    with psycopg.connect(store_users.with_login(database, A), autocommit=True) as first:
        first.execute("CREATE TABLE made (id int)")
    with psycopg.connect(store_users.with_login(database, B), autocommit=True) as second:
        second.execute("ALTER TABLE made ADD COLUMN name text")
        second.execute("INSERT INTO made VALUES (1, 'x')")


@pytest.mark.services
def test_a_rotation_leaves_the_user_in_use_alone(database: str) -> None:
    store_users.postgres(database, [A, B])
    before = _password_of(database, "oms_b")
    made = store_users.postgres(database, [B, Login("oms_a", "third")])
    assert made == ["postgres: oms_b has its password", "postgres: oms_a has its password"]
    assert before.startswith("SCRAM-SHA-256$")
    assert "second" not in before
    with psycopg.connect(store_users.with_login(database, B)) as second:
        assert second.execute("SELECT current_user").fetchone() == (store_users.OWNER,)


def test_a_login_survives_its_url() -> None:
    url = store_users.with_login("postgres://old:x@host:5432/oms?sslmode=require", B)
    assert url == "postgres://oms_b:second%3A%20p%40ss%2Fword@host:5432/oms?sslmode=require"
    assert psycopg.conninfo.conninfo_to_dict(url)["password"] == B.password


class _Admin:
    """The admin database as the commands see it: users by name."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, object]] = {}

    def command(self, name: str, user: str, **fields: object) -> dict[str, object]:
        if name == "usersInfo":
            return {"users": [{"user": user}] if user in self.users else []}
        if (name == "createUser") == (user in self.users):
            raise OperationFailure(f"{name}: {user}")
        self.users[user] = fields
        return {"ok": 1}


def test_document_users_read_and_write_their_database_alone() -> None:
    admin = _Admin()
    for wanted in ([A, B], [B, Login("oms_a", "third")]):
        store_users.make_document_users(admin, "oms", wanted)  # type: ignore[arg-type]
    assert admin.users["oms_a"]["pwd"] == "third"
    assert admin.users["oms_b"]["pwd"] == B.password
    assert all(one["roles"] == [{"role": "readWrite", "db": "oms"}] for one in admin.users.values())


def test_a_document_url_takes_the_login() -> None:
    url = store_users.with_login("mongodb://host:27017/oms?authSource=admin", B)
    with MongoClient(url, connect=False) as client:
        assert client.options.pool_options._credentials.password == B.password


def _secrets(folder: Path, second: Login) -> Path:
    for store in ("postgres", "documentdb"):
        for name, login in (("master", Login("oms", "m")), ("previous", A), ("current", second)):
            (folder / f"{store}-{name}").write_bytes(msgspec.json.encode(login))
    return folder


def test_embedded_there_are_no_users_to_make(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Set DATABASE_URL"):
        call_command("store_users", secrets=_secrets(tmp_path, B))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"username": "a"}'])
def test_a_secret_that_is_none_is_named(settings, tmp_path: Path, content: bytes) -> None:
    settings.ENV = _in_a_cluster(settings.ENV)
    (_secrets(tmp_path, B) / "postgres-current").write_bytes(content)
    with pytest.raises(CommandError, match="postgres-current"):
        call_command("store_users", secrets=tmp_path)


def test_one_user_for_both_generations_is_refused(settings, tmp_path: Path) -> None:
    settings.ENV = _in_a_cluster(settings.ENV)
    with pytest.raises(CommandError, match="take turns"):
        call_command("store_users", secrets=_secrets(tmp_path, A))


def _in_a_cluster(env: Env) -> Env:
    """The environment of a cluster, whose stores nobody reaches."""
    return replace(env, database_url="postgres://nobody:1/oms", order_store_url="mongodb://x/oms")
