"""A page that raises: a sentence there, nothing of its inside, and all other pages go on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.database import Database
from tests.browser.conftest import Server
from tests.visitor import UNFORESEEN, Visitor


@pytest.fixture(scope="module")
def raising(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("home"), script="tests/faults/raising.py")
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("page", "nobody foresaw (RuntimeError)"),
        ("fragment", "nobody foresaw (RuntimeError)"),
        ("callback", "nobody foresaw (RuntimeError)"),
        ("known", "The library was made by a newer Genrescope."),
        ("disk", "The disk is full."),
    ],
)
def test_a_page_that_raises_says_so_and_no_other_is_touched(raising: Server, where: str, told: str) -> None:
    with Visitor(raising.url) as other, Visitor(raising.url, query=f"raise={where}") as page:
        if where == "callback":
            page.press("Do it")
            page.rest()
        read = " ".join(page.texts).replace("\\", "")
        assert told in read
        assert "only the terminal" not in read and "Traceback" not in read
        assert not any(element.HasField("exception") for element in page.elements.values())
        assert bool(page.errors) == (UNFORESEEN in told) and other.errors == []
        other.press("Do it")
        other.rest()
        assert other.reads("the end") and not other.reads("went wrong")
        page.query = ""
        page.press("Do it") if where != "callback" else page.again()
        page.rest()
        assert page.reads("the end") and not page.reads("went wrong"), "the same page goes on"
    if UNFORESEEN in told:
        assert "only the terminal" in (raising.home / "server.log").read_text()


def test_a_library_that_cannot_be_opened_is_told_on_every_page(tmp_path: Path) -> None:
    server = Server(tmp_path)
    Database(tmp_path / "data" / "library.db")
    with closing(sqlite3.connect(tmp_path / "data" / "library.db")) as db:
        db.execute("PRAGMA user_version = 1000")
    server.start()
    try:
        with Visitor(server.url) as page:
            assert page.reads("newer Genrescope") and page.errors == []
    finally:
        server.kill()
