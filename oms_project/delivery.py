"""How static files reach browsers: named by their content, compressed once, kept for ever.

`manage.py up` collects them before the web role starts, so a fresh clone needs no step of its own; a
deployment runs `manage.py collectstatic`. Where neither was done (tests, a bare uvicorn) pages name
the files as they are in the tree, and the finders serve them.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import brotli
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import HashedFilesMixin
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

IGNORED: Final = ("rest_framework", "redoc", "*.map", "*.txt", "README*")
"""Of installed packages: never asked for by a page of ours."""
BROTLI_QUALITY: Final = 9
_MARK: Final = ".collected"


class _Compressor(Compressor):
    """Brotli at a level that takes a fifth of the time for a twentieth more bytes."""

    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        packed: bytes = brotli.compress(data, quality=BROTLI_QUALITY)
        return packed


class HashedFiles(CompressedManifestStaticFilesStorage):
    """As whitenoise's, with the imports of our own modules rewritten too."""

    manifest_strict = False
    patterns = (
        ("*.css", HashedFilesMixin.patterns[0][1][:2]),
        ("js/*.js", HashedFilesMixin._js_module_import_aggregation_patterns[1]),  # type: ignore[attr-defined]
    )

    def create_compressor(self, **kwargs: Any) -> Compressor:
        return _Compressor(**kwargs)

    def stored_name(self, name: str) -> str:
        """Return the name by content, or the plain one of a file that was not collected."""
        collected = self.hash_key(name) in self.hashed_files
        return super().stored_name(name) if collected else name


def collect() -> None:
    """Collect all static files unless that was done and nothing has changed since."""
    mark, now = Path(settings.STATIC_ROOT) / _MARK, _fingerprint()
    if mark.exists() and mark.read_text() == now:
        return
    call_command(
        "collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=list(IGNORED)
    )
    mark.write_text(now)


@require_safe
@cache_control(max_age=86_400, public=True)
def favicon(request: HttpRequest) -> HttpResponse:
    """Where browsers look for an icon of a page that names none (a problem, a CSV)."""
    return redirect(static("img/mark.svg"))


def _fingerprint() -> str:
    return hashlib.sha256(repr(sorted(_sources())).encode()).hexdigest()


def _sources() -> Iterator[tuple[str, int, int]]:
    for finder in get_finders():
        found: Any = finder.list(list(IGNORED))
        for path, storage in found:
            seen = Path(storage.path(path)).stat()
            yield path, seen.st_mtime_ns, seen.st_size
