"""What many tests need: a workspace of their own, and the shared real data where it is there."""

import os
import shutil
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from core.database import Database
from core.library.reviews import Reviews
from core.library.store import Library
from core.settings import Settings
from tests.sounds import write_library

FULL_JOURNEY = os.environ.get("GENRESCOPE_TEST_JOURNEY") == "full"
if not FULL_JOURNEY:  # tests run side by side: more threads than cores would only wait for each other
    os.environ["OMP_NUM_THREADS"] = "1"

# The fast tier tries the same few examples every time, the slow tier new ones, and many (`HYPOTHESIS_PROFILE=slow`).
# A fixture serves all examples of a test: such tests clear what they write, or write what does not collide.
FIXTURES_ARE_SHARED = [HealthCheck.function_scoped_fixture]
profile = partial(hypothesis_settings.register_profile, deadline=None, suppress_health_check=FIXTURES_ARE_SHARED)
profile("fast", max_examples=20, derandomize=True, database=None)
profile("slow", max_examples=100)
profile("soak", max_examples=1000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

IN_MEMORY = Path("/dev/shm")
ROOM_BYTES = 6e9

# Tests start hundreds of Python processes: without bytecode on disk each would compile all it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure() -> None:
    """Keep temporary folders in memory, where there is plenty: tests commit many small transactions."""
    if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("property")


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


@pytest.fixture(scope="session", autouse=True)
def _installed_components_are_looked_for_once() -> None:
    """Streamlit reads the metadata of every installed package for each page that a test shows: 85 % of a test's time."""
    if "streamlit" in sys.modules:
        from streamlit.components.v2 import manifest_scanner

        manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty workspace; two processes; a short lease, so that dead workers are noticed soon."""
    return Settings(home=tmp_path / "workspace", processes=2, lease_s=2.0)


@pytest.fixture(scope="session")
def empty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated library without rows, to be copied: migrating one takes ten times as long."""
    return Database(tmp_path_factory.mktemp("empty") / "library.db").path


@pytest.fixture
def database(settings: Settings, empty_library: Path) -> Database:
    settings.database.parent.mkdir(parents=True)
    shutil.copyfile(empty_library, settings.database)
    return Database(settings.database)


@pytest.fixture
def fresh_library(tmp_path_factory: pytest.TempPathFactory, empty_library: Path) -> Callable[[], Database]:
    """A new empty library at each call: one for each example of a property."""
    return lambda: Database(Path(shutil.copy(empty_library, tmp_path_factory.mktemp("fresh"))))


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
