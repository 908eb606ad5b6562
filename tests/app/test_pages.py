"""Every page, in every state of a workspace: no exception, and the next step is told."""

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import ui
from core.database import Database
from core.jobs import kinds, worker
from core.jobs.queue import Queue
from core.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ["home", "library", "explore", "train", "predict"]


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GENRESCOPE_HOME", str(settings.home))
    monkeypatch.setattr("core.settings.PROJECT", settings.home)  # no models but this workspace's
    monkeypatch.setattr(worker, "ensure_worker", lambda settings, queue: False)
    st.cache_resource.clear()
    st.cache_data.clear()
    return settings


@pytest.fixture
def queue(home: Settings) -> Queue:
    return worker.open_queue(home, Database(home.database))


def show(page: str) -> AppTest:
    shown = AppTest.from_file(str(PROJECT / "pages" / f"{page}.py"), default_timeout=60).run()
    assert not shown.exception
    return shown


def labels(shown: AppTest) -> set[str]:
    return {button.label for button in shown.button}


@pytest.mark.parametrize(
    ("page", "next_step"),
    [
        ("home", "Next: Import songs"),
        ("explore", "Import songs"),
        ("train", "Go to the library"),
        ("predict", "Train a network"),
    ],
)
def test_an_empty_workspace_tells_the_next_step(home: Settings, page: str, next_step: str) -> None:
    assert next_step in labels(show(page))


def test_a_folder_is_previewed_before_it_is_imported(home: Settings, songs_folder: Path) -> None:
    shown = show("library")
    shown.text_input[0].set_value(str(songs_folder)).run()
    assert not shown.exception
    assert "Import 24 files" in labels(shown)
    assert any("drone 12, hiss 12" in caption for radio in shown.radio for caption in [str(radio.proto.captions)])


def test_a_folder_that_is_none_is_told(home: Settings) -> None:
    shown = show("library")
    shown.text_input[0].set_value("/no/such/folder").run()
    assert not shown.exception
    assert "is not a folder" in shown.error[0].value.replace("\\", "")


@pytest.mark.parametrize("page", PAGES)
def test_with_songs_and_spectrograms(home: Settings, queue: Queue, songs_folder: Path, page: str) -> None:
    database = Database(home.database)
    worker.run_here(home, database, kinds.submit_import(queue, songs_folder, "folder"))
    worker.run_here(home, database, kinds.submit_preprocess(queue))
    shown = show(page)
    if page == "home":
        assert "Next: Train a network" in labels(shown)
    if page == "train":
        assert "Start training" in labels(shown)
        shown.multiselect[0].set_value(["drone"])
        next(button for button in shown.button if button.label == "Start training").click().run()
        assert "at least two are needed" in shown.error[0].value.replace("\\", "")
        assert queue.unfinished() == []


def test_a_failed_job_is_told_with_its_traceback(home: Settings, queue: Queue) -> None:
    job = kinds.submit_import(queue, Path("/no/such/folder"), "folder")
    claimed = queue.claim("me", job_id=job.id)
    assert claimed
    queue.finish(claimed, "me", "failed", message="It is *gone*.", traceback="Traceback: here")
    shown = show("library")
    assert "It is \\*gone\\*" in shown.error[0].value
    assert shown.code[0].value == "Traceback: here"


def test_names_are_shown_as_they_are() -> None:
    assert ui.plain("*a* [b](c) <d> $e$ :f: `g`").replace("\\", "") == "*a* [b](c) <d> $e$ :f: `g`"
    assert ui.plain("<b>") == "\\<b\\>"
