"""What many tests need: a workspace of their own, and the shared real data where it is there."""

import os
import sys
from pathlib import Path

import pytest

from core.database import Database
from core.library.reviews import Reviews
from core.library.store import Library
from core.settings import Settings
from tests.sounds import write_library

FULL_JOURNEY = os.environ.get("GENRESCOPE_TEST_JOURNEY") == "full"
if not FULL_JOURNEY:  # tests run side by side: more threads than cores would only wait for each other
    os.environ["OMP_NUM_THREADS"] = "1"

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own environment changes no test."""
    for name in list(os.environ):
        if name.startswith("GENRESCOPE_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that was shown stays no `__main__`, which new processes of a pool would run first."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty workspace; two processes; a short lease, so that dead workers are noticed soon."""
    return Settings(home=tmp_path / "workspace", processes=2, lease_s=2.0)


@pytest.fixture
def database(settings: Settings) -> Database:
    return Database(settings.database)


@pytest.fixture
def library(database: Database) -> Library:
    return Library(database)


@pytest.fixture
def reviews(database: Database) -> Reviews:
    return Reviews(database)


@pytest.fixture(scope="session")
def songs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 made-up songs of two genres by 12 artists, in four formats. Not to be written to."""
    return write_library(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real songs, uploads and playlists, where this project is developed; elsewhere the test is skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared test data (../shared/data) is not on this machine")
    return SHARED_DATA
