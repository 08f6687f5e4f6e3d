"""Sessions of the pages: Django's, in the database, with two ends of their own.

A session ends SESSION_IDLE_S after it was last *used* and SESSION_LIFE_S after the log-in, whatever
came between. Looking on is no use: a page that follows its stream does not keep its own session alive.
Pages count as use; the lean path and REST say so themselves (`keep`), for requests that write.

Rule of this file: use is noted at most every NOTE_S, so following it costs one row a minute.
"""

import contextlib
import threading
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.dispatch import receiver
from django.http import HttpRequest

from oms_project.adapters.clock import NS_PER_S, SystemClock

SESSION_IDLE_S: Final = 30 * 60
SESSION_LIFE_S: Final[int] = settings.SESSION_COOKIE_AGE
NOTE_S: Final = 60
BEGUN: Final = "begun_s"
USED: Final = "used_s"
_NOTED_MAX: Final = 8_192


def _now_s() -> int:
    return SystemClock.now_ns() // NS_PER_S


class SessionStore(DatabaseStore):
    """SESSION_ENGINE. What is over is not loaded any more."""

    def load(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        if SESSION_KEY in data and over(data, _now_s()):
            self.delete()
            self._session_key = None
            return {}
        return data

    async def aload(self) -> dict[str, Any]:
        data: dict[str, Any] = await super().aload()
        if SESSION_KEY in data and over(data, _now_s()):
            await self.adelete()
            self._session_key = None
            return {}
        return data

    def note_use(self) -> bool:
        """Note that the session is used now; return whether that is news worth saving."""
        now_s = _now_s()
        if SESSION_KEY not in self or now_s - self.get(USED, 0) < NOTE_S:
            return False
        self[USED] = now_s
        return True


def over(data: dict[str, Any], now_s: int) -> bool:
    """Tell whether the session with *data* has come to either of its ends."""
    begun_s, used_s = data.get(BEGUN, 0), data.get(USED, 0)
    return now_s - begun_s > SESSION_LIFE_S or now_s - used_s > SESSION_IDLE_S


@receiver(user_logged_in)
def _begin(request: HttpRequest, **_: Any) -> None:
    """A log-in on the pages begins both times. (One for tokens has no session.)"""
    session = getattr(request, "session", None)
    if session is not None and SESSION_KEY in session:
        session[BEGUN] = session[USED] = _now_s()


# ------------------------------------------------------------------ use outside of the pages
class _Noted:
    """When each session was last noted by this process: most requests need no database."""

    def __init__(self) -> None:
        self._at_s: dict[str, int] = {}
        self._lock = threading.Lock()

    def due(self, key: str) -> bool:
        return _now_s() - self._at_s.get(key, 0) >= NOTE_S

    def note(self, key: str) -> None:
        with self._lock:
            self._at_s.pop(key, None)
            if len(self._at_s) >= _NOTED_MAX:
                del self._at_s[next(iter(self._at_s))]
            self._at_s[key] = _now_s()


_noted: Final = _Noted()


def keeping_is_due(key: str) -> bool:
    """Tell whether `keep` has anything to do; never waits."""
    return _noted.due(key)


def keep(key: str) -> None:
    """Note that the session *key* is used now. Asks the database, once in NOTE_S."""
    if not _noted.due(key):
        return
    _noted.note(key)
    session = SessionStore(session_key=key)
    if session.note_use():
        with contextlib.suppress(UpdateError):  # logged out meanwhile
            session.save()


class Middleware(SessionMiddleware):
    """Django's, where a page that is asked for is a use."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if not request.path.startswith("/api/"):
            request.session.note_use()  # type: ignore[attr-defined]
