"""API keys are made, turned over and revoked by their owners: over REST, on a page, by a command."""

import io
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from oms_project import env
from oms_project.access.models import ApiKey
from oms_project.asgi import application
from oms_project.kernel.words import Role
from oms_project.tests import signer
from oms_project.tests.live import server
from orders.tests.world import World, publish

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
NEW = {"label": "a bot", "scopes": ["read", "trade"]}
JSON = "application/json"


class Desk:
    def __init__(self) -> None:
        self.world = World()
        self.account = self.world.account("Alpha")
        self.ann = self.world.user("ann", {self.account: Role.TRADER})
        self.bob = self.world.user("bob")
        self.headers = {"authorization": f"Bearer {self.world.token(self.ann)}"}

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return Client().post(
            f"/api/auth/keys{path}", json.dumps(body or {}), content_type=JSON,
            headers=headers or self.headers,
        )  # fmt: skip

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = Client().get(
            "/api/auth/keys", headers=self.headers
        ).json()["keys"]  # fmt: skip
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


# ------------------------------------------------------------------ REST
def test_a_key_over_rest(desk: Desk) -> None:
    """Made (the secret once), listed, turned over, revoked."""
    made = desk.post(
        "", {**NEW, "accounts": [desk.account], "addresses": ["127.0.0.1"], "days": 366}
    )
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["state"], body["addresses"]) == ("active", ["127.0.0.1/32"])
    key_id, secret = body["key_id"], body["secret"]
    signed = signer.fields(key_id, secret, "GET", "/api/accounts")
    assert Client().get("/api/accounts", headers=signed).status_code == 200
    turned = desk.post(f"/{key_id}/rotate", {"overlap_h": 1}).json()
    assert (turned["secrets"], turned["secret"] != secret) == (2, True)
    assert "secret" not in desk.listed()[0]
    assert desk.listed()[0]["used_from"] == "127.0.0.1"
    assert desk.post(f"/{key_id}/revoke").json()["state"] == "revoked"
    assert desk.post(f"/{key_id}/rotate").status_code == 422
    signed = signer.fields(key_id, turned["secret"], "GET", "/api/accounts")
    assert Client().get("/api/accounts", headers=signed).json()["code"] == "api_key_revoked"


def test_bad_forms_over_rest(desk: Desk) -> None:
    """422 with a pointer, and no key."""
    for changes, pointer in (
        ({"scopes": ["withdraw"]}, "/scopes/0"), ({"scopes": []}, "/scopes"),
        ({"label": " "}, "/label"), ({"days": 0}, "/days"), ({"days": 366}, "/days"),
        ({"addresses": ["x"]}, "/addresses"), ({"accounts": ["x"]}, "/accounts"),
        ({"public_key": "x", "kind": "ed25519"}, "/public_key"), ({"more": 1}, "/more"),
    ):  # fmt: skip
        answer = desk.post("", NEW | changes)
        assert answer.status_code == 422, changes
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert not ApiKey.objects.exists()


def test_a_key_manages_no_keys(desk: Desk) -> None:
    """Nor does it see them; and nobody sees another's."""
    made = desk.post("", NEW).json()
    for method, target in (("GET", "/api/auth/keys"), ("POST", "/api/auth/keys"),
                           ("POST", f"/api/auth/keys/{made['key_id']}/rotate")):  # fmt: skip
        fields = signer.fields(made["key_id"], made["secret"], method, target, b"")
        answer = Client().generic(method, target, headers=fields)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    theirs = {"authorization": f"Bearer {desk.world.token(desk.bob)}"}
    for act in ("rotate", "revoke"):
        assert desk.post(f"/{made['key_id']}/{act}", **theirs).status_code == 404
    assert Client().get("/api/auth/keys", headers=theirs).json() == {"keys": []}


def test_so_many_and_no_more(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr("oms_project.access.keys.OF_USER_MAX", 1)
    first = desk.post("", NEW).json()
    assert desk.post("", NEW).status_code == 422
    desk.post(f"/{first['key_id']}/revoke")
    assert desk.post("", NEW).status_code == 201


# ------------------------------------------------------------------ the page
def test_the_page(desk: Desk) -> None:
    """Each button does what it says; the secret is on one answer and never again."""
    page = Client()
    assert page.get("/keys/").status_code == 302
    page.force_login(desk.ann)
    assert b"No keys." in page.get("/keys/").content
    form = {
        "act": "make",
        "kind": "hmac",
        "days": "90",
        "label": "<b>a bot</b>",
        "scopes": ["read"],
    }
    made = page.post("/keys/", form)
    assert (made.status_code, made["Cache-Control"].count("no-store")) == (200, 1)
    secret = re.search(rb'id="secret">([^<]{43})<', made.content)
    assert secret is not None
    assert b"<b>a bot" not in made.content
    key_id = ApiKey.objects.get().pk
    signed = signer.fields(key_id, secret[1].decode(), "GET", "/api/accounts")
    assert Client().get("/api/accounts", headers=signed).status_code == 200
    assert secret[1] not in page.get("/keys/").content
    turned = page.post("/keys/", {"act": "rotate", "key_id": key_id})
    assert b"has a new secret" in turned.content
    page.post("/keys/", {"act": "revoke", "key_id": key_id})
    assert b"revoked" in page.get("/keys/").content
    for act, wrong in (({"days": "1000"}, b"From 1 to 366"), ({"label": ""}, b"what it is for")):
        answer = page.post("/keys/", {**form, **act})
        assert (answer.status_code, wrong in answer.content) == (422, True)
    other = Client()
    other.force_login(desk.bob)
    other.post("/keys/", {"act": "revoke", "key_id": key_id})
    assert other.post("/keys/", {"act": "nonsense"}).status_code == 302
    assert key_id.encode() not in other.get("/keys/").content
    assert b'name="label" required maxlength="64" value=""' in made.content  # the next is another
    assert Client(enforce_csrf_checks=True).post("/keys/", form).status_code == 403


def test_an_admin_ends_anybodys(desk: Desk) -> None:
    """In a list that shows no secret and makes no key."""
    made = desk.post("", NEW).json()
    root = desk.world.user("root", desk_role="admin", is_staff=True)
    page = Client()
    page.force_login(root)
    listed = page.get("/admin/access/apikey/")
    assert made["key_id"].encode() in listed.content
    assert made["secret"].encode() not in listed.content
    form = {"action": "revoke", "_selected_action": [made["key_id"]]}
    assert page.post("/admin/access/apikey/", form).status_code == 302
    assert desk.listed()[0]["state"] == "revoked"
    assert page.get("/admin/access/apikey/add/").status_code == 403


# ------------------------------------------------------------------ the command
def run(*line: str) -> str:
    told = io.StringIO()
    call_command("api_key", *line, stdout=told)
    return told.getvalue()


def test_the_command(desk: Desk) -> None:
    """create, list, rotate, revoke; for people and as JSON."""
    made = json.loads(run("create", "ann", "--label", "x", "--scope", "read", "--json"))
    signed = signer.fields(made["key_id"], made["secret"], "GET", "/api/accounts")
    assert Client().get("/api/accounts", headers=signed).status_code == 200
    assert made["secret"] not in run("list", "--json") + run("list", "--user", "ann")
    assert made["key_id"] in run("list")
    turned = run("rotate", made["key_id"], "--overlap-h", "0")
    assert "shown once" in turned
    assert json.loads(run("revoke", "--user", "ann", "--json")) == {"revoked": 1}
    assert "0 revoked" in run("revoke", made["key_id"])
    for line in (
        ("create", "nobody", "--label", "x", "--scope", "read"), ("revoke",), ("rotate", "oms_x"),
        ("create", "ann", "--label", "x", "--scope", "read", "--days", "1000"),
    ):  # fmt: skip
        with pytest.raises(CommandError):
            run(*line)


# ------------------------------------------------------------------ the documents
def test_the_example_of_the_documents_trades(desk: Desk, tmp_path: Path) -> None:
    """docs/api.md's program, as it stands there, places an order at the server that runs."""
    publish("BTC-USD", 2_000_000, 2_000_100)
    text = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()
    program = re.search(r"<!-- run by a test: signed.py -->\n```python\n(.*?)```", text, re.DOTALL)
    assert program is not None
    made = desk.post("", {**NEW, "accounts": [desk.account]}).json()
    path = tmp_path / "signed.py"
    path.write_text(textwrap.dedent(program[1]))
    with server(application) as port:
        found = subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False,
            env=env.child(
                OMS_URL=f"http://127.0.0.1:{port}", OMS_API_KEY=made["key_id"],
                OMS_API_SECRET=made["secret"], OMS_ACCOUNT=desk.account,
            ),
        )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert '"status": "NEW"' in found.stdout, found.stdout
