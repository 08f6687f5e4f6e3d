"""Guessing passwords: how often, from where, at what cost for others, and what is left as evidence."""

import dataclasses
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.contrib.auth.hashers import ScryptPasswordHasher, check_password, make_password
from django.test import Client, RequestFactory
from limits import parse

from oms_project.access import hashing, principal, throttle
from oms_project.access.errors import AccessError
from oms_project.access.hashing import AT_ONCE, WAITING_MAX, BoundedScrypt
from oms_project.access.models import User
from oms_project.rest import door
from oms_project.tests.asgi import ask
from oms_project.tests.eventually import eventually

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough one"
MD5 = "django.contrib.auth.hashers.MD5PasswordHasher"
SCRYPT = "oms_project.access.hashing.BoundedScrypt"
FEW = (parse("3/minute"),)


@pytest.fixture(autouse=True)
def _fast(request: pytest.FixtureRequest, settings: Any) -> None:
    if "slow" not in request.fixturenames:
        settings.PASSWORD_HASHERS = [MD5, SCRYPT]
    principal.forget_all()


def api(username: str, password: str = "wrong", address: str = "192.0.2.1") -> Any:
    body = {"username": username, "password": password}
    return Client(REMOTE_ADDR=address).post(
        "/api/auth/login", body, content_type="application/json"
    )


def page(username: str, password: str = "wrong", address: str = "192.0.2.1", at: str = "") -> Any:
    form = {"username": username, "password": password}
    return Client(REMOTE_ADDR=address).post(at or "/login/", form)


def test_many_names_from_one_address(monkeypatch: Any) -> None:
    """Spraying is not free: the fourth try is refused before it costs a hash, whoever it is for."""
    monkeypatch.setattr(throttle, "PER_ADDRESS", FEW)
    assert [api(f"user-{number}").status_code for number in range(5)] == [401] * 3 + [429] * 2
    assert int(api("user-9").headers["Retry-After"]) > 0
    assert api("user-9", address="192.0.2.2").status_code == 401


async def test_who_was_told_to_wait_costs_nothing(monkeypatch: Any) -> None:
    """The door turns the address away by itself: no thread, no session, no query."""
    monkeypatch.setattr(throttle, "PER_ADDRESS", FEW)

    async def unreachable(*_: Any) -> None:
        raise AssertionError("behind the door")

    request = RequestFactory(REMOTE_ADDR="127.0.0.1").post("/")
    for _ in range(3):
        throttle.check(request, "ann")
    with pytest.raises(AccessError):
        throttle.check(request, "ann")
    for path in door.LOG_INS:
        answer = await ask(door.limits(unreachable), "POST", path)
        assert (answer.status, int(answer.headers["retry-after"]) > 0) == (429, True)
    monkeypatch.setattr(throttle, "_now_s", lambda: 1e12)
    with pytest.raises(AssertionError):
        await ask(door.limits(unreachable), "POST", "/login/")


def test_one_name_from_many_addresses(monkeypatch: Any) -> None:
    """A net of machines gets no further than one."""
    monkeypatch.setattr(throttle, "PER_NAME", FEW)
    found = [api("ann", address=f"192.0.2.{number}").status_code for number in range(5)]
    assert found == [401] * 3 + [429] * 2
    assert api("bob", address="192.0.2.9").status_code == 401


@pytest.mark.parametrize("at", ["/login/", "/admin/login/"])
def test_pages_count_as_well(monkeypatch: Any, at: str) -> None:
    """One limit over all doors, and a page that says so."""
    monkeypatch.setattr(throttle, "PER_ADDRESS", FEW)
    for _ in range(2):
        assert page("ann", at=at).status_code == 200
    assert api("ann").status_code == 401
    answer = page("ann", at=at)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert b"Too many requests" in answer.content


def test_the_old_password_is_guessed_no_faster(monkeypatch: Any) -> None:
    """Whoever sits at an open session finds the same limit on the page for another password."""
    monkeypatch.setattr(throttle, "PER_NAME", FEW)
    client = Client()
    client.force_login(User.objects.create_user("ann", password=PASSWORD))
    form = {"old_password": "x", "new_password1": PASSWORD, "new_password2": PASSWORD}
    found = [client.post("/password/", form).status_code for _ in range(4)]
    assert found == [200] * 3 + [429]


def test_the_right_password_within_the_limits(monkeypatch: Any) -> None:
    """Nobody who logs in now and then notices any of it."""
    monkeypatch.setattr(throttle, "PER_NAME", FEW)
    User.objects.create_user("ann", password=PASSWORD)
    assert api("ann", PASSWORD).status_code == 200
    assert page("ann", PASSWORD).status_code == 302


@pytest.mark.services
def test_processes_count_together(valkey_url: str, monkeypatch: Any) -> None:
    """Ten pods are not ten times the guesses."""
    monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, redis_url=valkey_url))
    monkeypatch.setattr(throttle, "PER_NAME", FEW)
    request = RequestFactory().post("/")
    for _ in range(3):
        throttle.forget_all()  # as another process, which has not counted anything yet
        throttle.check(request, "ann-of-all")
    throttle.forget_all()
    with pytest.raises(AccessError):
        throttle.check(request, "ann-of-all")


def test_a_redis_that_is_away_costs_nobody_the_log_in(monkeypatch: Any) -> None:
    """Each process counts for itself meanwhile: not without limits, not without log-ins."""
    env = dataclasses.replace(settings.ENV, redis_url="redis://127.0.0.1:1/0")
    monkeypatch.setattr(settings, "ENV", env)
    monkeypatch.setattr(throttle, "PER_NAME", FEW)
    throttle.forget_all()
    request = RequestFactory().post("/")
    for _ in range(3):
        throttle.check(request, "ann")
    with pytest.raises(AccessError):
        throttle.check(request, "ann")


# ------------------------------------------------------------------ what a hash costs
class Slow:
    """Stands in for the work of a hash: counts who is in it, and lets them out when told."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.inside = self.most = self.done = 0
        self._lock = threading.Lock()

    def encode(self, *_: Any) -> str:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.go.wait(10)
        with self._lock:
            self.inside -= 1
            self.done += 1
        return "scrypt$1$salt$1$1$hash"


@pytest.fixture
async def slow(monkeypatch: Any) -> AsyncIterator[Slow]:
    """A slow hash in a process that serves."""
    made = Slow()
    monkeypatch.setattr(ScryptPasswordHasher, "encode", made.encode)
    async with hashing.in_line():
        yield made


def test_few_hashes_at_once(slow: Slow) -> None:
    """Thirty log-ins at once take their turns; those for whom the line is too long are told so."""
    refused: list[str] = []

    def log_in() -> None:
        try:
            BoundedScrypt().encode("x", "salt")
        except AccessError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=log_in) for _ in range(30)]
    for thread in threads:
        thread.start()
    room = AT_ONCE + WAITING_MAX
    eventually(lambda: len(refused) == 30 - room and slow.inside == AT_ONCE)
    slow.go.set()
    for thread in threads:
        thread.join()
    assert (slow.most, slow.done) == (AT_ONCE, room)
    assert refused == ["rate_limited"] * (30 - room)
    assert BoundedScrypt().encode("x", "salt")  # there is room again


def test_nobody_waits_for_ever(slow: Slow, monkeypatch: Any) -> None:
    """A line that does not move is no line."""
    monkeypatch.setattr(hashing, "WAIT_S_MAX", 0.01)
    with pytest.raises(AccessError):
        BoundedScrypt().encode("x", "salt")
    monkeypatch.setattr(hashing, "WAIT_S_MAX", 10.0)
    slow.go.set()
    assert BoundedScrypt().encode("x", "salt")  # who gave up is out of the line


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_a_person_is_told_to_try_again(slow: Slow, monkeypatch: Any, path: str) -> None:
    """A line that does not move is nobody's wrong password: the page says so and leads back."""
    monkeypatch.setattr(hashing, "WAIT_S_MAX", 0.01)
    answer = page("somebody", at=path)
    slow.go.set()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(hashing.RETRY_S))
    assert "try again" in answer.text
    assert f'href="{path}"' in answer.text


def test_a_command_is_not_hurried(monkeypatch: Any) -> None:
    """The demo is seeded on a machine however slow: there nobody waits behind it, and nobody retries."""
    monkeypatch.setattr(hashing, "WAIT_S_MAX", 0.0)
    assert BoundedScrypt().encode("x", "salt")


def test_it_is_djangos_scrypt(settings: Any) -> None:
    """The same bytes: a hash of before is good, and one of now is good elsewhere."""
    settings.PASSWORD_HASHERS = [SCRYPT]
    found = make_password(PASSWORD)
    assert found.startswith("scrypt$")
    assert check_password(PASSWORD, found)
    assert not check_password("another", found)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    assert check_password(PASSWORD, found)


# ------------------------------------------------------------------ evidence
def test_who_and_from_where_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """In our lines and in axes'; no password in any."""
    User.objects.create_user("ann", password=PASSWORD)
    with structlog.testing.capture_logs() as lines:
        api("ann", "a wrong password", address="198.51.100.7")
        api("ann", PASSWORD, address="198.51.100.7")
    told = {line["event"]: line for line in lines}
    for event in ("login_failed", "logged_in"):
        assert (told[event]["username"], told[event]["address"]) == ("ann", "198.51.100.7")
    assert "198.51.100.7" in caplog.text
    assert "ann" in caplog.text
    assert "a wrong password" not in caplog.text + str(lines)


def test_a_proxys_word_counts_only_from_the_server() -> None:
    """The header alone makes nobody somebody else: what the server resolved is the address."""
    request = RequestFactory(REMOTE_ADDR="192.0.2.1").get("/", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert throttle.address_of(request) == "192.0.2.1"


def test_a_refusal_in_the_admin_is_evidence() -> None:
    """Django's own 403, with who asked for what."""
    client = Client()
    client.force_login(User.objects.create_user("ann", password=PASSWORD, is_staff=True))
    with structlog.testing.capture_logs() as lines:
        assert client.get("/admin/access/user/").status_code == 403
    (line,) = [one for one in lines if one["event"] == "access_refused"]
    assert (line["username"], line["path"]) == ("ann", "/admin/access/user/")
