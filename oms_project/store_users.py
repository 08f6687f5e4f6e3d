"""Makes the application's own users in PostgreSQL and in the document store; safe to repeat.

Two users take turns (terraform/modules/credentials): a new password goes to the one that is not in use. What they
make in PostgreSQL belongs to one role that both are in, so that either can change what the other made.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg import sql
from pymongo import MongoClient
from pymongo.database import Database

OWNER: Final = "oms_owner"
CONNECT_S: Final = 10


class Login(msgspec.Struct, frozen=True):
    """A secret's content: {"username": …, "password": …}; more than that is left alone."""

    username: str
    password: str


def with_login(url: str, login: Login) -> str:
    """Return *url* with the user and password of *login* instead of its own."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    who = f"{quote(login.username, safe='')}:{quote(login.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{who}@{host}"))


def postgres(url: str, users: Sequence[Login]) -> list[str]:
    """Make *users* of the database at *url* (its master's login); return what was done."""
    address = url.replace("postgres://", "postgresql://", 1)
    database = urlsplit(url).path.strip("/")
    done = []
    with psycopg.connect(address, autocommit=True, connect_timeout=CONNECT_S) as server:
        owner, named = sql.Identifier(OWNER), sql.Identifier(database)
        if not _role_exists(server, OWNER):
            server.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(owner))
        server.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(named, owner))
        server.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
        for login in users:
            there = _role_exists(server, login.username)
            user = sql.Identifier(login.username)
            # A hash, made here: what the server logs of this statement logs no password.
            secret = server.pgconn.encrypt_password(
                login.password.encode(), login.username.encode(), b"scram-sha-256"
            ).decode()
            verb = sql.SQL("ALTER" if there else "CREATE")
            server.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, user, sql.Literal(secret))
            )
            server.execute(sql.SQL("GRANT {} TO {}").format(owner, user))
            server.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(user, sql.Literal(OWNER)))
            done.append(f"postgres: {login.username} {'has its password' if there else 'made'}")
    return done


def _role_exists(server: psycopg.Connection[Any], name: str) -> bool:
    found = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    return found is not None


def documents(url: str, users: Sequence[Login]) -> list[str]:
    """Make *users* of the documents at *url* (its master's login); return what was done."""
    with MongoClient[Mapping[str, Any]](url, serverSelectionTimeoutMS=CONNECT_S * 1000) as client:
        name = client.get_default_database().name
        return make_document_users(client["admin"], name, users)


def make_document_users(
    admin: Database[Mapping[str, Any]], database: str, users: Sequence[Login]
) -> list[str]:
    """Make *users*, who may read and write *database* and nothing else; return what was done."""
    done = []
    for login in users:
        there = bool(admin.command("usersInfo", login.username)["users"])
        verb = "updateUser" if there else "createUser"
        roles = [{"role": "readWrite", "db": database}]
        admin.command(verb, login.username, pwd=login.password, roles=roles)
        done.append(f"documents: {login.username} {'has its password' if there else 'made'}")
    return done
