"""Programs come in with API keys: signed or as a bearer, on the lean path, on views and on sockets."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oms_project.access import callers, changes, keys
from oms_project.access.errors import KeyFormError
from oms_project.access.keys import Made
from oms_project.access.models import ApiKey, ApiKeySecret, Membership
from oms_project.adapters.clock import NS_PER_MS, SystemClock
from oms_project.tests import signer
from oms_project.tests.programs import READ, Desk, code_of
from orders.tests.world import new_id

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()
    yield found
    found.loop.close()


# ------------------------------------------------------------------ what goes through
def test_a_signed_order_and_a_signed_read(desk: Desk) -> None:
    """The lean path and the views know the same signature; the log says with which key it came."""
    made = desk.key()
    placed = desk.signed(made, "POST", "/api/orders", body=desk.order(), key="k-1")
    assert placed.status == 202, placed.body
    order_id = json.loads(placed.body)["order_id"]
    again = desk.signed(made, "POST", "/api/orders", body=desk.order(), key="k-1")
    assert (again.status, again.headers["idempotent-replayed"]) == (202, "true")
    found = desk.signed(made, "GET", f"/api/orders?account_id={desk.account}&limit=5")
    assert [one["order_id"] for one in json.loads(found.body)["orders"]] == [order_id]
    canceled = desk.signed(made, "POST", f"/api/orders/{order_id}/cancel", key="k-2")
    assert canceled.status in (200, 202), canceled.body


def test_ed25519(desk: Desk) -> None:
    """We hold no secret: the owner's public key is enough, in any of its forms."""
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw()
    made = desk.key(kind="ed25519", public_key=raw.hex())
    assert made.secret == ""
    assert desk.signed(made, secret=private).status == 200
    placed = desk.signed(made, "POST", "/api/orders", body=desk.order(), key="k-1", secret=private)
    assert placed.status == 202
    assert code_of(desk.signed(made, secret=Ed25519PrivateKey.generate())) == "invalid_signature"


def test_algorithms_are_not_confused(desk: Desk) -> None:
    """The public key is no HMAC secret, and no field says which algorithm it is."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    made = desk.key(kind="ed25519", public_key=public.hex())
    for secret in (public.hex(), public.decode("latin-1")):
        assert code_of(desk.signed(made, secret=secret)) == "invalid_signature"
    proof = ApiKeySecret.objects.get(key=desk.key().key).proof
    assert code_of(desk.signed(Made(desk.key().key, proof))) == "invalid_signature"


def test_a_bearer_only_where_the_key_allows_it(desk: Desk) -> None:
    """Most keys sign; one that may be sent as it is says so."""
    for how, expected in ((True, "200"), (False, "invalid_api_key")):
        made = desk.key(bearer=how)
        for _ in range(2):  # asked for, and remembered
            answer = desk.ask("GET", READ, {"authorization": f"Bearer {made.key.pk}.{made.secret}"})
            assert code_of(answer) == expected
        for secret in ("", "x", made.secret[:-1]):
            answer = desk.ask("GET", READ, {"authorization": f"Bearer {made.key.pk}.{secret}"})
            assert code_of(answer) == "invalid_api_key"


# ------------------------------------------------------------------ what does not
def test_nothing_of_a_request_can_be_changed(desk: Desk) -> None:
    """Method, path, query and its order, body, key, timestamp and nonce are what was signed."""
    made = desk.key()
    target, body = "/api/orders?symbol=BTC-USD&limit=5", desk.order()
    good = signer.fields(made.key.pk, made.secret, "GET", target)
    wrong = [
        ("GET", "/api/orders?limit=5&symbol=BTC-USD", good, b""),
        ("GET", "/api/orders?symbol=BTC-USD&limit=6", good, b""),
        ("GET", "/api/orders", good, b""),
        ("GET", "/api/accounts?symbol=BTC-USD&limit=5", good, b""),
        ("GET", "/api/%6frders?symbol=BTC-USD&limit=5", good, b""),
        ("HEAD", target, good, b""),
        ("GET", target, {**good, "oms-nonce": "another-one"}, b""),
        ("GET", target, {**good, "oms-timestamp": str(int(good["oms-timestamp"]) + 1)}, b""),
        ("GET", target, good, b"{}"),
    ]
    post = signer.fields(made.key.pk, made.secret, "POST", "/api/orders", body, "k-1")
    wrong += [
        ("POST", "/api/orders", post, body.replace(b"0.1", b"9.1")),
        ("POST", "/api/orders", {**post, "idempotency-key": "k-2"}, body),
        ("POST", "/api/orders/batch", post, body),
        ("POST", "/api/orders?x", post, body),
    ]
    for method, where, fields, sent in wrong:
        answer = desk.ask(method, where, fields, sent)
        assert answer.status == 401, (method, where)
        assert method == "HEAD" or code_of(answer) == "invalid_signature", (method, where)
    assert desk.ask("GET", target, good).status == 200  # a refusal spent no nonce
    assert desk.ask("POST", "/api/orders", post, body).status == 202


FORMS = [
    {"oms-signature": ""}, {"oms-signature": "0" * 64}, {"oms-signature": "0" * 128},
    {"oms-signature": "Z" * 64}, {"oms-nonce": "short"}, {"oms-nonce": "n" * 65}, {"oms-nonce": "nul\0bytes"},
    {"oms-timestamp": "1"}, {"oms-timestamp": "-790000000000"}, {"oms-timestamp": "1e12000000000"},
    {"oms-key": ""}, {"oms-key": "x" * 41}, {"authorization": "Bearer x"},
]  # fmt: skip


@pytest.mark.parametrize("changes", FORMS, ids=str)
def test_fields_out_of_form(desk: Desk, changes: dict[str, str]) -> None:
    """Also two kinds of credentials at once, and upper-case hex: one spelling, one signature."""
    made = desk.key()
    good = signer.fields(made.key.pk, made.secret, "GET", READ)
    assert code_of(desk.ask("GET", READ, {**good, **changes})) == "invalid_signature"
    upper = {**good, "oms-signature": good["oms-signature"].upper()}
    assert code_of(desk.ask("GET", READ, upper)) == "invalid_signature"
    for missing in good:
        if missing != "oms-key":
            fields = {name: value for name, value in good.items() if name != missing}
            assert desk.ask("GET", READ, fields).status == 401


def test_the_clock(desk: Desk) -> None:
    """Old and future signatures are refused, and the answer says what time it is here."""
    made = desk.key()
    now_ms = SystemClock.now_ns() // NS_PER_MS
    for off_ms in (-60_000, -5_500, 1_900, 60_000):
        answer = desk.signed(made, timestamp=str(now_ms + off_ms))
        assert code_of(answer) == "timestamp_out_of_window"
        assert abs(int(json.loads(answer.body)["server_time"]) - now_ms) < 5_000
    for off_ms in (-3_000, 500):
        assert desk.signed(made, timestamp=str(now_ms + off_ms)).status == 200


def test_a_nonce_is_good_once(desk: Desk) -> None:
    """Not with another request, not on another path, not after a restart."""
    made = desk.key()
    assert desk.signed(made, nonce="nonce-of-mine").status == 200
    assert code_of(desk.signed(made, nonce="nonce-of-mine")) == "nonce_reused"
    order = {"body": desk.order(), "key": "k-1", "nonce": "nonce-of-mine"}
    assert code_of(desk.signed(made, "POST", "/api/orders", **order)) == "nonce_reused"
    callers.nonces().close()
    callers.nonces.cache_clear()
    assert code_of(desk.signed(made, nonce="nonce-of-mine")) == "nonce_reused"
    assert desk.signed(desk.key(), nonce="nonce-of-mine").status == 200  # another key's own


def test_scopes(desk: Desk) -> None:
    """A key does what it was made for, and never what its owner may not."""
    order_id = desk.world.order(desk.account)
    tries = {
        "read": ("GET", READ, {}),
        "trade": ("POST", "/api/orders", {"body": desk.order()}),
        "cancel": ("POST", f"/api/orders/{order_id}/cancel", {}),
    }
    goes = {("read",): {"read"}, ("trade",): {"trade", "cancel"}, ("cancel",): {"cancel"}}
    for scopes, allowed in goes.items():
        made = desk.key(*scopes)
        for name, (method, target, how) in tries.items():
            key = new_id() if method == "POST" else ""
            answer = desk.signed(made, method, target, key=key, **how)
            if name in allowed:
                assert answer.status in (200, 202), (scopes, name, answer.body)
            else:
                assert (answer.status, code_of(answer)) == (403, "permission_denied")
    watched = desk.signed(
        desk.key("trade"), "POST", "/api/orders", body=desk.order(desk.watched), key="k"
    )
    assert watched.status == 403


def test_accounts(desk: Desk) -> None:
    """Others of the owner's do not exist for it; none that is not the owner's can be named."""
    made = desk.key(accounts=[desk.watched])
    found = json.loads(desk.signed(made).body)["accounts"]
    assert [one["account_id"] for one in found] == [desk.watched]
    assert desk.signed(made, target=f"/api/accounts/{desk.account}").status == 404
    with pytest.raises(KeyFormError):
        desk.key(accounts=[desk.world.account()])
    Membership.objects.filter(user=desk.ann, account_id=desk.watched).delete()
    changes.announce()
    assert json.loads(desk.signed(made).body)["accounts"] == []


def test_addresses(desk: Desk) -> None:
    """Only who has the secret is told that the address is wrong."""
    made = desk.key(addresses=["10.1.0.0/16", "2001:db8::/32"])
    for address in ("10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"):
        assert desk.signed(made, address=address).status == 200
    for address in ("10.2.0.1", "2001:db9::1", "::1", ""):
        refused = desk.signed(made, address=address)
        assert (refused.status, code_of(refused)) == (403, "ip_not_allowed")
    assert code_of(desk.signed(made, secret="x", address="10.2.0.1")) == "invalid_signature"


def test_over(desk: Desk) -> None:
    """Expired, revoked, its owner disabled or with a new password: each at once."""
    ends = {
        "api_key_expired": lambda key: ApiKey.objects.filter(pk=key.pk).update(
            expires_at=key.created_at - timedelta(days=1)
        ),
        "api_key_revoked": lambda key: keys.revoke([key], by="test"),
    }
    for code, end in ends.items():
        made = desk.key(bearer=True)
        assert desk.signed(made).status == 200
        end(made.key)
        changes.announce()
        assert code_of(desk.signed(made)) in (code, "invalid_signature")
        answer = desk.ask("GET", READ, {"authorization": f"Bearer {made.key.pk}.{made.secret}"})
        assert code_of(answer) in (code, "invalid_api_key")
    made = desk.key()
    desk.ann.set_password("another long one")
    desk.ann.save()
    changes.forget()
    assert code_of(desk.signed(made)) == "api_key_revoked"


def test_strangers_cost_no_database(desk: Desk, django_assert_num_queries: Any) -> None:
    """An id that we never made is told from its form."""
    made = desk.key()
    body = made.key.pk[:-1] + ("a" if made.key.pk[-1] != "a" else "b")
    with django_assert_num_queries(0):
        for key_id in (body, "oms_" + "a" * 34, "nobody_at_all", made.key.pk.upper()):
            fields = signer.fields(key_id, made.secret, "GET", READ)
            assert code_of(desk.ask("GET", READ, fields)) == "invalid_api_key"


def test_random_credentials(desk: Desk) -> None:
    """Whatever is guessed at a key that exists: nobody comes in."""
    made = desk.key(bearer=True)
    for number in range(300):
        fields = signer.fields(made.key.pk, f"guess {number}", "GET", READ)
        assert code_of(desk.ask("GET", READ, fields)) == "invalid_signature"
        bearer = {"authorization": f"Bearer {made.key.pk}.{fields['oms-signature'][:43]}"}
        assert code_of(desk.ask("GET", READ, bearer)) == "invalid_api_key"
