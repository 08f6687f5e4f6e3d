"""Whoever lost a right is out: tokens, page sessions and what sockets look up, all by one number."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin import site
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.urls import reverse

from oms_project.access import principal, sessions, tokens
from oms_project.access.admin import UserAdmin
from oms_project.access.errors import AccessError
from oms_project.access.models import Account, Membership, User
from oms_project.access.sessions import NOTE_S, SESSION_IDLE_S, SESSION_LIFE_S
from oms_project.asgi import application
from oms_project.rest.sockets import SWEEP_AT_ONCE, Seat, Seats
from oms_project.tests.asgi import ask

pytestmark = pytest.mark.django_db(databases=["default", "store"], transaction=True)
OLD, NEW = "a long enough one", "another long one"
NOW_S = 1_800_000_000


@pytest.fixture(autouse=True)
def _fast(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    principal.forget_all()


@pytest.fixture
def ann() -> User:
    user = User.objects.create_user("ann", password=OLD)
    account = Account.objects.create(id="a-1", name="Alpha")
    Membership.objects.create(user=user, account=account, role="trader")
    return user


def cookies_of(client: Client) -> dict[str, str]:
    return {name: morsel.value for name, morsel in client.cookies.items()}


def password(user: User) -> None:
    user.set_password(NEW)
    user.save()


def disabled(user: User) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


def another_role(user: User) -> None:
    user.desk_role = "viewer"
    user.save()


def staff(user: User) -> None:
    user.is_staff = True
    user.save()


def everywhere(user: User) -> None:
    request = RequestFactory().post("/")
    request.user = User(username="root", is_superuser=True)
    admin = UserAdmin(User, site)
    admin.message_user = lambda *_, **__: None  # type: ignore[method-assign]
    admin.log_out_everywhere(request, User.objects.filter(pk=user.pk))


def by_an_admin(user: User) -> None:
    """The form at …/password/ in the admin."""
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=OLD))
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    answer = client.post(url, form)
    assert answer.status_code == 302, answer.content


ENDS: Mapping[str, Callable[[User], None]] = {
    "password": password,
    "password by an admin": by_an_admin,
    "disabled": disabled,
    "another desk role": another_role,
    "made staff": staff,
    "log out everywhere": everywhere,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_everything_ends(ann: User, end: Callable[[User], None]) -> None:
    """Access token, refresh token, page, and both kinds of socket, once the caches forget."""
    pair = tokens.issue(ann)
    page = Client()
    page.force_login(ann)
    cookies = cookies_of(page)
    seats = Seats()
    seated = [
        Seat(principal.from_bearer(pair.access), lambda: principal.from_bearer(pair.access), "t"),
        Seat(principal.from_session(cookies), lambda: principal.from_session(cookies), "s"),
    ]
    for seat in seated:
        seats.take(seat)
    assert page.get("/password/").status_code == 200

    end(User.objects.get(pk=ann.pk))
    principal.forget_all()

    with pytest.raises(AccessError):
        principal.from_bearer(pair.access)
    with pytest.raises(AccessError):
        tokens.refresh(pair.refresh)
    with pytest.raises(AccessError):
        principal.from_session(cookies)
    assert page.get("/password/").status_code == 302
    asyncio.run(seats.sweep())
    assert [seat.gone.is_set() for seat in seated] == [True, True]


def test_many_sockets_are_looked_up_some_at_once(ann: User) -> None:
    """One behind the other, the last of some hundreds would wait for longer than we say."""
    page = Client()
    page.force_login(ann)
    found = principal.from_session(cookies_of(page))
    together = threading.Barrier(SWEEP_AT_ONCE)

    def look_up() -> principal.Principal:
        together.wait(10)  # broken, unless that many come at once
        return dataclasses.replace(found, username="looked up")

    seats = Seats()
    seated = [Seat(found, look_up, str(number)) for number in range(2 * SWEEP_AT_ONCE)]
    for seat in seated:
        seats.take(seat)
    asyncio.run(seats.sweep())
    assert {seat.principal.username for seat in seated} == {"looked up"}


def test_a_change_that_is_not_saved_yet_is_not_forgotten(ann: User) -> None:
    """Reading another field in between, or a deferred one, does not make the change the old state."""
    for disturb in (
        lambda user: user.refresh_from_db(fields=["last_login"]),
        lambda user: user.email,
    ):
        user = User.objects.defer("email").get(pk=ann.pk)
        before = user.token_version
        user.is_active = not user.is_active
        disturb(user)
        user.save()
        assert User.objects.get(pk=ann.pk).token_version == before + 1


def test_what_is_no_right_ends_nothing(ann: User) -> None:
    """A name, a log-in, a membership: nobody is thrown out for those."""
    pair = tokens.issue(ann)
    page = Client()
    page.force_login(ann)  # writes last_login
    user = User.objects.get(pk=ann.pk)
    user.first_name = "Ann"
    user.save()
    user.refresh_from_db()
    user.save()
    Membership.objects.update(role="viewer")
    principal.forget_all()
    assert User.objects.get(pk=ann.pk).token_version == ann.token_version
    found = principal.from_bearer(pair.access)
    assert not found.can_trade("a-1")
    assert page.get("/password/").status_code == 200


# ------------------------------------------------------------------ one's own password
def test_my_own_password(ann: User) -> None:
    """Every trader changes it without an admin: this page stays, everything else ends."""
    pair = tokens.issue(ann)
    here, elsewhere = Client(), Client()
    here.force_login(ann)
    elsewhere.force_login(ann)
    form = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    wrong = here.post("/password/", {**form, "old_password": "not the old one"})
    assert (wrong.status_code, b"was entered incorrectly" in wrong.content) == (200, True)
    short = here.post("/password/", {**form, "new_password1": "short", "new_password2": "short"})
    assert (short.status_code, b"too short" in short.content) == (200, True)
    assert here.post("/password/", form).status_code == 302
    assert b"is changed" in here.get("/password/changed/").content
    assert elsewhere.get("/password/").status_code == 302
    with pytest.raises(AccessError):
        principal.from_bearer(pair.access)
    assert Client().login(request=RequestFactory().post("/"), username="ann", password=NEW)


def test_nobody_changes_a_password_without_a_session() -> None:
    """It asks for the log-in first."""
    answer = Client().get("/password/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/password/")


# ------------------------------------------------------------------ kinds of credentials
def test_a_session_is_no_token_and_a_token_no_session(ann: User) -> None:
    """Also while both are remembered: what was sent as one is never looked up as the other."""
    page = Client()
    page.force_login(ann)
    cookies = cookies_of(page)
    key = cookies[settings.SESSION_COOKIE_NAME]
    token = tokens.issue(ann).access
    assert principal.from_session(cookies)
    assert principal.from_bearer(token)
    assert principal.cached_bearer(key) is None
    assert principal.cached_session(token) is None
    with pytest.raises(AccessError):
        principal.from_bearer(key)
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {key}".encode())]
    answer = asyncio.run(ask(application, "POST", "/api/orders", headers=headers, pieces=[b"{}"]))
    assert answer.status == 401


# ------------------------------------------------------------------ refreshes
def test_parallel_refreshes_survive(ann: User) -> None:
    """Two tabs at once, or one whose answer was lost: the same successor, and nobody is out."""
    first = tokens.issue(ann)
    found: list[tokens.Pair] = []
    together = threading.Barrier(2)

    def turn() -> None:
        together.wait()
        found.append(tokens.refresh(first.refresh))

    threads = [threading.Thread(target=turn) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0].refresh == found[1].refresh
    for pair in found:
        assert principal.from_bearer(pair.access)
    assert tokens.refresh(found[0].refresh).refresh != found[0].refresh


def test_a_copy_used_later_ends_the_family(ann: User, monkeypatch: Any) -> None:
    """Grace is for a lost answer, not for a stolen token; nor for the one before the one before."""
    first = tokens.issue(ann)
    second = tokens.refresh(first.refresh)
    third = tokens.refresh(second.refresh)
    with pytest.raises(AccessError):
        tokens.refresh(first.refresh)
    with pytest.raises(AccessError):
        tokens.refresh(third.refresh)
    first = tokens.issue(ann)
    tokens.refresh(first.refresh)
    monkeypatch.setattr(tokens, "GRACE_S", -1)
    with pytest.raises(AccessError):
        tokens.refresh(first.refresh)


@pytest.mark.parametrize(("ahead_s", "good"), [(4, True), (20, False)])
def test_a_clock_that_is_ahead(ann: User, monkeypatch: Any, ahead_s: int, good: bool) -> None:
    """Two hosts are never at the same nanosecond; much more is no clock but a forger."""
    now_ns = tokens._now_ns
    monkeypatch.setattr(tokens, "_now_ns", lambda: now_ns() + ahead_s * 10**9)
    token = tokens.issue(ann).access
    if good:
        assert principal.from_bearer(token)
    else:
        with pytest.raises(AccessError):
            principal.from_bearer(token)


# ------------------------------------------------------------------ the two ends of a session
class Clock:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> int:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    made = Clock()
    monkeypatch.setattr(sessions, "_now_s", made)
    monkeypatch.setattr(sessions, "_noted", sessions._Noted())
    return made


def asks(page: Client) -> bool:
    """Ask for a page; tell whether the session was good for it."""
    principal.forget_all()
    return page.get("/password/").status_code == 200


def test_a_session_that_is_not_used_ends(ann: User, clock: Clock) -> None:
    """Half an hour; and nothing of it is left in the database."""
    page = Client()
    page.force_login(ann)
    clock.now_s += SESSION_IDLE_S
    assert asks(page)
    clock.now_s += SESSION_IDLE_S + 1
    assert not asks(page)
    assert not Session.objects.exists()


def test_a_session_that_is_used_ends_too(ann: User, clock: Clock) -> None:
    """Twelve hours after the log-in, however busy: it does not slide."""
    page = Client()
    page.force_login(ann)
    for _ in range(2 * SESSION_LIFE_S // SESSION_IDLE_S):
        clock.now_s += SESSION_IDLE_S // 2
        assert asks(page)
    clock.now_s = NOW_S + SESSION_LIFE_S + 1
    assert not asks(page)


def test_looking_on_is_no_use_and_trading_is(ann: User, clock: Clock) -> None:
    """A page that only follows its stream is left alone at a desk; one that sends orders is not."""
    page = Client()
    page.force_login(ann)
    cookies = cookies_of(page)
    key = cookies[settings.SESSION_COOKIE_NAME]
    clock.now_s += SESSION_IDLE_S - 1
    assert principal.from_session(cookies)
    sessions.keep(key)
    clock.now_s += SESSION_IDLE_S - 1
    principal.forget_all()
    assert principal.from_session(cookies)
    clock.now_s += 2
    principal.forget_all()
    with pytest.raises(AccessError):
        principal.from_session(cookies)


def test_use_is_noted_once_a_minute(
    ann: User, clock: Clock, django_assert_num_queries: Any
) -> None:
    """An order costs no write of a session."""
    page = Client()
    page.force_login(ann)
    key = cookies_of(page)[settings.SESSION_COOKIE_NAME]
    clock.now_s += NOTE_S
    sessions.keep(key)
    assert not sessions.keeping_is_due(key)
    with django_assert_num_queries(0):
        sessions.keep(key)
    clock.now_s += NOTE_S
    assert sessions.keeping_is_due(key)


def test_a_session_that_ended_meanwhile_is_not_kept(ann: User, clock: Clock) -> None:
    """Noting a use never brings it back."""
    page = Client()
    page.force_login(ann)
    key = cookies_of(page)[settings.SESSION_COOKIE_NAME]
    page.logout()
    clock.now_s += NOTE_S
    sessions.keep(key)
    assert not Session.objects.exists()


def test_a_session_of_nobody_has_no_ends(clock: Clock) -> None:
    """What a page keeps for a visitor is no log-in."""
    assert not sessions.over({SESSION_KEY: "1", "begun_s": NOW_S, "used_s": NOW_S}, NOW_S)
    assert sessions.over({SESSION_KEY: "1"}, NOW_S)
    store = sessions.SessionStore()
    store["problem"] = "shown once"
    store.save()
    assert sessions.SessionStore(store.session_key)["problem"] == "shown once"
