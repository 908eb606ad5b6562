"""Every page in front of a library that is damaged or whose restore was cut off."""

import os
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.util import patch_config_options

import core
from app.navigation import TABLE
from core.database import Database
from core.jobs import worker
from core.keeping import restoring
from core.keeping.backup import back_up, new_path
from core.library.playlists import Playlists
from core.settings import Settings
from tests.faults.test_damage import cut_off, every_third_page
from tests.lists import listed, playlist

PROJECT = Path(core.__file__).resolve().parents[1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A library with a backup."""
    settings = Settings(home=tmp_path / "home", keep_free_bytes=0)
    monkeypatch.setenv("GENRESCOPE_HOME", str(settings.home))
    monkeypatch.setenv("GENRESCOPE_KEEP_FREE_BYTES", "0")
    monkeypatch.setenv("GENRESCOPE_ALLOW_OUTSIDE", "yes")  # no server, so no address
    monkeypatch.setattr(worker, "ensure_worker", lambda settings, queue: False)
    st.cache_resource.clear()
    st.cache_data.clear()
    database = Database(settings.database)
    Playlists(database).take_in(playlist("a", *map(listed, range(200))), {"house": 1.0})
    back_up(database, settings, new_path(settings, "labels"), "labels")
    return settings


def shown(script: str) -> AppTest:
    with patch_config_options(
        {"client.showErrorDetails": "full"}
    ):  # the app hides the text of errors that no page caught
        return AppTest.from_file(str(PROJECT / script), default_timeout=60).run()


@pytest.mark.parametrize("page", [name for name, _, _ in TABLE])
def test_a_page_says_so_and_names_the_newest_backup(home: Settings, page: str) -> None:
    cut_off(home.database)
    opened = shown(f"pages/{page}.py")
    told = [one.message for one in opened.exception]
    told += [one.value for one in (*opened.error, *opened.caption)]  # System: the remedy of its finding
    assert any("The newest backup is" in one.replace("\\", "") for one in told), told


def test_the_frame_says_so_before_any_page_and_restores_it(home: Settings) -> None:
    before = Database(home.database).row_counts()
    every_third_page(home.database)
    opened = shown("app/frame.py")
    assert not opened.exception and "The newest backup is" in opened.error[0].value.replace("\\", "")
    opened.button[0].click().run()
    assert not opened.exception and not opened.error
    after = Database(home.database).row_counts()
    assert {**after, "jobs": 0} == {**before, "jobs": 0}
    assert any("Restored: 200 tracks" in one.value.replace("\\", "") for one in opened.success)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a copy of this process, made by fork")
def test_a_restore_that_was_cut_off_is_completed_with_a_message(home: Settings) -> None:
    (archive,) = (home.data / "backups").glob("*.zip")
    Playlists(Database(home.database)).take_in(playlist("b", listed(500)))
    if (child := os.fork()) == 0:
        restoring._carry_out = lambda *_, **__: os._exit(9)  # type: ignore[assignment] - in the copy of this process only
        restoring.restore(archive, home, replace=True)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9 and home.restoring.exists()
    opened = shown("app/frame.py")
    assert not opened.exception and not home.restoring.exists()
    assert any("is complete now" in one.value for one in opened.success)
    assert [row.title for row in Playlists(Database(home.database)).all()] == ["List a"]
