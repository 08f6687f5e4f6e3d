"""Secrets in every place where one can be sent, to the whole application behind the real server: none
of them, nor any part long enough to be used, is in what was logged. At the most talkative level."""

import io
import json
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
import websockets.sync.client
from django.conf import settings
from websockets.exceptions import ConnectionClosed, InvalidStatus

from oms_project import log
from oms_project.asgi import application
from oms_project.kernel.words import Role
from oms_project.tests import signer
from oms_project.tests.live import exchange, server
from orders.tests.world import World

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
PASSWORD = "pw-0f4c-the-right-one"
WRONG = "pw-77aa-the-wrong-one"
NEXT = "pw-19be-the-next-one"
PART_CHARS = 24


@pytest.fixture(params=["console", "json"])
def logged(request: Any, monkeypatch: Any) -> Iterator[io.StringIO]:
    """All that any logger says, written as the product writes it."""
    root, told = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in ("axes", "uvicorn.error")}
    monkeypatch.setattr(sys, "stderr", told)
    log.configure("DEBUG", request.param)
    yield told
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    monkeypatch.undo()
    log.configure(settings.ENV.log_level, settings.ENV.log_format)
    root.handlers = handlers


class Visitor:
    """Sends secrets, and remembers each."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.secrets = {PASSWORD, WRONG, NEXT}

    def ask(self, method: str, target: str, body: Any = b"", **fields: str) -> tuple[str, bytes]:
        """Return head and body of the answer; cookies that are set are secrets, too."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        kind = "application/json" if target.startswith("/api/") else FORM
        given = {"Host": "localhost", "Content-Type": kind, "Content-Length": str(len(body))}
        given |= {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"{method} {target} HTTP/1.1", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in given.items()]
        head, _, rest = exchange(
            self.port, ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        ).partition(b"\r\n\r\n")
        return head.decode("latin-1"), rest

    def cookies(self, head: str) -> dict[str, str]:
        lines = [line for line in head.split("\r\n") if line.lower().startswith("set-cookie:")]
        pairs = [line.split(":", 1)[1].split(";")[0].strip().split("=", 1) for line in lines]
        found = {name: value for name, value in pairs if len(value) >= PART_CHARS}
        self.secrets |= set(found.values())
        return found

    def pair(self, body: Any, path: str = "login") -> dict[str, str]:
        found: dict[str, str] = json.loads(self.ask("POST", f"/api/auth/{path}", body)[1])
        assert "access" in found, found
        self.secrets |= {found["access"], found["refresh"]}
        return found

    def socket(self, target: str, **options: Any) -> None:
        """Open a socket, say something that is no request, and see it closed."""
        try:
            with websockets.sync.client.connect(
                f"ws://127.0.0.1:{self.port}{target}", **options
            ) as wire:
                wire.send(b"\xff" + WRONG.encode(), text=True)
                wire.recv(5)
        except (ConnectionClosed, InvalidStatus):
            pass


FORM = "application/x-www-form-urlencoded"


def test_no_secret_is_in_a_log(logged: io.StringIO) -> None:
    """In bodies, headers, cookies, targets, sub-protocols and frames; taken, refused and broken."""
    world = World()
    user = world.user("ann", {world.account(): Role.TRADER})
    user.set_password(PASSWORD)
    user.save()
    with server(application) as port:
        visitor = Visitor(port)
        rest(visitor)
        programs(visitor)
        sockets(visitor)
        pages(visitor)
    structlog.get_logger("probe").info("the_end")
    text = logged.getvalue()
    assert "the_end" in text, "nothing was captured"
    assert "login_failed" in text
    assert len(visitor.secrets) > 8
    for secret in visitor.secrets:
        assert secret not in text
        for start in range(0, max(1, len(secret) - PART_CHARS), PART_CHARS):
            part = secret[start : start + PART_CHARS]
            # A token's first part is the same for all, and a secret to nobody.
            assert len(part) < PART_CHARS or start == 0 or part not in text


def rest(visitor: Visitor) -> None:
    pair = visitor.pair({"username": "ann", "password": PASSWORD})
    visitor.ask("POST", "/api/auth/login", {"username": "ann", "password": WRONG})
    visitor.ask("POST", "/api/auth/login", b'{"password":"' + WRONG.encode())
    visitor.ask("POST", "/api/auth/login", {"username": "ann", "password": WRONG, "x": WRONG})
    visitor.pair({"refresh": pair["refresh"]}, "refresh")
    visitor.ask("POST", "/api/auth/refresh", {"refresh": pair["refresh"] + "x"})
    token = pair["access"]
    for target in (f"/api/orders?token={token}", f"/api/nothing/{token}", f"/{token}?x={WRONG}"):
        visitor.ask("GET", target)
        visitor.ask("GET", target, Authorization=f"Bearer {token}")
    visitor.ask("GET", "/api/orders", Authorization=f"Basic {WRONG}")
    visitor.ask("POST", "/api/orders", b"{}", Authorization=f"Bearer {token}x")
    visitor.ask("POST", "/api/orders", b"{}", Cookie=f"sessionid={WRONG}; csrftoken={WRONG}")
    visitor.ask("GET", f"/api/orders?password={WRONG}", Host=f"{WRONG}.example")
    exchange(visitor.port, f"GET /?token={token} HTTP/9.9\r\nA: {token}\r\n\r\n".encode())


def sockets(visitor: Visitor) -> None:
    token = visitor.pair({"username": "ann", "password": PASSWORD})["access"]
    for path in ("/ws/orders", "/ws/market", "/ws/nothing"):
        visitor.socket(f"{path}?token={token}")
        visitor.socket(path, subprotocols=["oms.v1", f"bearer.{token}"])
        visitor.socket(path, additional_headers={"Authorization": f"Bearer {token}"})
        visitor.socket(path, additional_headers={"Cookie": f"sessionid={WRONG}"})


def programs(visitor: Visitor) -> None:
    """API keys: made, signed with, sent as a bearer, turned over, wrong, on sockets and in targets."""
    token = visitor.pair({"username": "ann", "password": PASSWORD})["access"]
    mine = {"Authorization": f"Bearer {token}"}
    body = {"label": "a bot", "scopes": ["read", "trade"], "bearer": True}
    made = json.loads(visitor.ask("POST", "/api/auth/keys", body, **mine)[1])
    key, secret = made["key_id"], made["secret"]
    turned = json.loads(visitor.ask("POST", f"/api/auth/keys/{key}/rotate", {}, **mine)[1])[
        "secret"
    ]
    visitor.secrets |= {secret, turned}
    for one in (secret, turned, secret[:-1] + "x"):
        bearer = {"Authorization": f"Bearer {key}.{one}"}
        for target in ("/api/accounts", f"/api/accounts?key={key}.{one}"):
            visitor.ask("GET", target, **bearer)
            visitor.ask("GET", target, **signer.fields(key, one, "GET", target))
        visitor.ask("POST", "/api/orders", b"{}", **bearer)
        for protocol in (f"bearer.{key}.{one}", signer.protocol(key, one, "/ws/orders")):
            visitor.socket(f"/ws/orders?key={key}.{one}", subprotocols=["oms.v1", protocol])
            visitor.socket("/ws/orders", subprotocols=["oms.v1", protocol])


def pages(visitor: Visitor) -> None:
    head, body = visitor.ask("GET", "/login/")
    csrf = visitor.cookies(head)["csrftoken"]
    field = body.split(b'name="csrfmiddlewaretoken" value="')[1].split(b'"')[0].decode()
    visitor.secrets.add(field)
    cookie = f"csrftoken={csrf}"
    form = f"csrfmiddlewaretoken={field}&username=ann&password="
    origin = {"Origin": "http://localhost"}
    visitor.ask("POST", f"/login/?token={WRONG}", (form + WRONG).encode(), Cookie=cookie, **origin)
    visitor.ask("POST", "/login/", f"username=ann&password={WRONG}".encode())  # no CSRF token
    head, _ = visitor.ask("POST", "/login/", (form + PASSWORD).encode(), Cookie=cookie, **origin)
    session = visitor.cookies(head)
    cookie = "; ".join(f"{name}={value}" for name, value in session.items())
    visitor.ask("GET", f"/orders/?token={session['sessionid']}", Cookie=cookie)
    visitor.ask("GET", "/admin/", Cookie=cookie)
    _, body = visitor.ask("GET", "/password/", Cookie=cookie)
    field = body.split(b'name="csrfmiddlewaretoken" value="')[1].split(b'"')[0].decode()
    visitor.secrets.add(field)
    form = f"csrfmiddlewaretoken={field}&new_password1={NEXT}&new_password2={NEXT}&old_password="
    for old in (WRONG, PASSWORD):
        visitor.ask("POST", "/password/", (form + old).encode(), Cookie=cookie, **origin)


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f'"WebSocket /ws/orders?token={TOKEN}" [accepted]', '"WebSocket /ws/orders?'),
        (f"bearer.{TOKEN}", "bearer."),
        (f"Sec-WebSocket-Protocol: oms.v1, bearer.oms_{'a2' * 17}.hunter2-{'x' * 30}", "bearer."),
        ("GET /x?a=1&new_password=hunter2&b=2", "GET /x?a=1&"),
        ("cannot connect to redis://user:hunter2@10.0.0.1:6379/0", "@10.0.0.1:6379/0"),
        ("Set-Cookie: sessionid=abcdef; Path=/", "; Path=/"),
        ("nothing of interest at http://host:80/path?a=b", "http://host:80/path?a=b"),
    ],
)
def test_text_loses_what_looks_like_a_secret(text: str, left: str) -> None:
    """Whoever wrote it; and nothing else of it."""
    found = log.plain(text)
    assert left in found
    for secret in (TOKEN, "hunter2", "abcdef"):
        assert secret not in found


@pytest.mark.parametrize("part", ["eyJ", "eyJaaaaaaaa.", "://a:", "?token", "?token="])
def test_looking_for_secrets_takes_no_longer_than_the_text(part: str) -> None:
    """What is logged may be what a client sent."""

    def seconds(size: int) -> float:
        text = part * (size // len(part))
        found = []
        for _ in range(3):
            begun = time.perf_counter()
            log.plain(text)
            found.append(time.perf_counter() - begun)
        return max(0.002, min(found))

    assert seconds(128 * 1024) < 80 * seconds(8 * 1024)
