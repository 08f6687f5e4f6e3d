"""API keys turn over and end; sockets that came with one, and nonces of two processes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings

from oms_project.access import changes, key_ring, keys
from oms_project.access.errors import KeyFormError
from oms_project.access.models import ApiKey, ApiKeySecret
from oms_project.adapters import nonces
from oms_project.adapters.clock import NS_PER_MS, FakeClock
from oms_project.asgi import sockets as routes
from oms_project.rest.sockets import Seats, guarded
from oms_project.tests import signer
from oms_project.tests.programs import ALL, Desk, code_of

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()
    yield found
    found.loop.close()


# ------------------------------------------------------------------ turning over
def test_rotation_overlaps(desk: Desk) -> None:
    """Both secrets are good for a while; a third is one too many; at the end of it only the newest."""
    made = desk.key()
    second = keys.rotate(made.key, overlap_h=1)
    assert [desk.signed(made, secret=one).status for one in (made.secret, second)] == [200, 200]
    third = keys.rotate(made.key, overlap_h=1)
    codes = [code_of(desk.signed(made, secret=one)) for one in (made.secret, second, third)]
    assert codes == ["invalid_signature", "200", "200"]
    last = keys.rotate(made.key, overlap_h=0)
    codes = [code_of(desk.signed(made, secret=one)) for one in (third, last)]
    assert codes == ["invalid_signature", "200"]


def test_the_installations_key_turns_over(desk: Desk, settings: Any) -> None:
    """A new OMS_SECRET_KEY ends no API key while the one before is named; then it does."""
    made = desk.key()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [settings.SECRET_KEY]
    changes.forget()
    assert desk.signed(made).status == 200
    assert desk.signed(desk.key()).status == 200
    settings.SECRET_KEY_FALLBACKS = []
    changes.forget()
    key_ring.is_ours.cache_clear()
    assert code_of(desk.signed(made)) == "invalid_api_key"


def test_no_secret_is_stored(desk: Desk) -> None:
    """What the tables hold signs nothing."""
    made = desk.key()
    for row in (*ApiKey.objects.values_list(), *ApiKeySecret.objects.values_list()):
        assert made.secret not in str(row)


CANNOT = [
    ({"label": ""}, "label"), ({"label": "a\nb"}, "label"), ({"label": "x" * 65}, "label"),
    ({"scopes": ["withdraw"]}, "scopes"), ({"addresses": ["nowhere"]}, "addresses"),
    ({"addresses": ["10.0.0.1/8"]}, "addresses"), ({"days": 0}, "days"), ({"days": 91}, "days"),
    ({"days": 367, "addresses": ["10.0.0.0/8"]}, "days"), ({"kind": "rsa"}, "kind"),
    ({"kind": "ed25519"}, "public_key"), ({"kind": "ed25519", "public_key": "zz"}, "public_key"),
    ({"public_key": "00" * 32}, "public_key"),
    ({"kind": "ed25519", "public_key": "00" * 32, "bearer": True}, "bearer"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "field"), CANNOT, ids=str)
def test_what_cannot_be_made(desk: Desk, how: dict[str, Any], field: str) -> None:
    with pytest.raises(KeyFormError) as raised:
        keys.make(desk.ann, **{"label": "a bot", "scopes": ALL, **how})
    assert raised.value.field == field
    assert not ApiKey.objects.exists()


# ------------------------------------------------------------------ sockets
async def a_socket(app: Any, *protocols: str, **fields: str) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost")]
    headers += [(name.encode(), value.encode()) for name, value in fields.items()]
    made = WebsocketCommunicator(app, "/ws/orders", headers=headers, subprotocols=list(protocols))
    assert (await made.connect(timeout=10))[0]
    return made


async def end_of(socket: WebsocketCommunicator) -> dict[str, Any]:
    while True:
        message = await socket.receive_output(timeout=10)
        if message["type"] == "websocket.close":
            return dict(message)


def test_sockets(desk: Desk) -> None:
    """By sub-protocol and by fields; read by scope; ended within a second when the key is revoked."""
    made = desk.key(bearer=True)
    blind = desk.key("trade")

    async def story() -> None:
        seats = Seats()
        app = guarded(routes, seats)
        watching = asyncio.create_task(seats.watch())
        protocol = signer.protocol(made.key.pk, made.secret, "/ws/orders")
        fields = signer.fields(made.key.pk, made.secret, "GET", "/ws/orders")
        sockets = [
            await a_socket(app, "oms.v1", protocol),
            await a_socket(app, "oms.v1", f"bearer.{made.key.pk}.{made.secret}"),
            await a_socket(app, **fields),
        ]
        for one in sockets:
            await one.send_json_to({"op": "subscribe", "account_id": desk.account})
            assert (await one.receive_json_from(timeout=10))["op"] == "subscribed"
        replayed = await end_of(await a_socket(app, "oms.v1", protocol))
        assert (replayed["code"], replayed["reason"]) == (4401, "nonce_reused")
        unseeing = await a_socket(app, signer.protocol(blind.key.pk, blind.secret, "/ws/orders"))
        await unseeing.send_json_to({"op": "subscribe", "account_id": desk.account})
        assert (await unseeing.receive_json_from(timeout=10))["code"] == "permission_denied"
        assert changes.LOOK_S < 0.5  # so they end within a second
        await asyncio.to_thread(keys.revoke, [made.key], by="test")
        assert [(await end_of(one))["code"] for one in sockets] == [4401] * 3
        watching.cancel()
        await unseeing.disconnect()

    desk.loop.run(story())


# ------------------------------------------------------------------ nonces
def test_nonces_of_two_processes(tmp_path: Any) -> None:
    """One file, two processes: who is first has it; what is old is forgotten."""
    clock = FakeClock()
    first, second = (nonces.FileNonces(tmp_path / "n.sqlite3", clock) for _ in range(2))
    for turn in range(20):
        assert first.use("key", f"nonce-{turn}")
        assert not second.use("key", f"nonce-{turn}")
        assert second.use("other", f"nonce-{turn}")
        clock.advance_s(nonces.KEEP_S - 1)
        assert not second.use("key", f"nonce-{turn}")
    (tables,) = first._wire.execute("SELECT count(*) FROM sqlite_master").fetchone()
    assert tables <= 4
    first.close()
    second.close()


@pytest.mark.services
def test_nonces_of_two_hosts(tmp_path: Any, valkey_server: Any) -> None:
    """Redis tells them apart; what was used while it was away is known when it is back."""
    clock = FakeClock()
    first, second = (
        nonces.RedisNonces(
            valkey_server.url, nonces.FileNonces(tmp_path / f"{host}.sqlite3", clock), clock
        )
        for host in ("a", "b")
    )
    assert [one.use("key", "nonce-1") for one in (first, second, first)] == [True, False, False]
    first._rest_until_ns = clock.monotonic_ns() + NS_PER_MS  # Redis is away
    assert first.use("key", "nonce-2")
    clock.advance_ns(2 * NS_PER_MS)
    assert not first.use("key", "nonce-2")
    first.close()
    second.close()


def test_nonces_without_redis(tmp_path: Any) -> None:
    """The host's own file answers."""
    alone = nonces.RedisNonces("redis://127.0.0.1:1/0", nonces.FileNonces(tmp_path / "n.sqlite3"))
    assert [alone.use("key", "nonce-1") for _ in range(2)] == [True, False]
    alone.close()


def test_the_settings_name_no_key() -> None:
    """The installation's key is not the settings' text itself."""
    assert settings.SECRET_KEY.encode() not in key_ring.roots()
