"""Static files as browsers get them: named by content, compressed; plain where nobody collected."""

import gzip
import re
from pathlib import Path

import brotli
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from oms_project import delivery

MODULE = re.compile(r'from "\./([^"]+)"')


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Path:
    settings.STATIC_ROOT = tmp_path
    delivery.collect()
    return tmp_path


def test_modules_import_each_other_by_content(root: Path) -> None:
    """A module kept for ever must not ask for one that may change."""
    main = next(root.glob("js/main.*.js")).read_text()
    names = MODULE.findall(main)
    assert len(names) > 5
    for name in names:
        assert re.fullmatch(r"[a-z]+\.[0-9a-f]{12}\.js", name), name
        assert (root / "js" / name).exists()


def test_text_is_compressed_twice_and_says_the_same(root: Path) -> None:
    plain = next(root.glob("css/base.*.css"))
    raw = plain.read_bytes()
    assert gzip.decompress(Path(f"{plain}.gz").read_bytes()) == raw
    assert brotli.decompress(Path(f"{plain}.br").read_bytes()) == raw


def test_collecting_again_changes_nothing(root: Path) -> None:
    manifest = root / "staticfiles.json"
    before = manifest.stat().st_mtime_ns
    delivery.collect()
    assert manifest.stat().st_mtime_ns == before


def test_a_file_that_was_not_collected_keeps_its_name(root: Path) -> None:
    files = delivery.HashedFiles(location=str(root))
    assert re.search(r"/css/base\.[0-9a-f]{12}\.css$", files.url("css/base.css"))
    assert files.url("css/later.css").endswith("/css/later.css")


def test_icon_is_where_browsers_look(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert "/img/mark" in answer.headers["Location"]
