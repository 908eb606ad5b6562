"""Guest mode: Predict alone, within limits, from a folder that nothing is written to, without what trains or collects."""

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import answers, guests
from app.answers import Upload
from core.inference.turns import BusyError, Turns
from core.settings import Settings
from tests import models
from tests.app.test_pages import NAME, click, dangers, labels, run
from tests.sounds import drone, hiss, write_sound

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def guest(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The surroundings of a demo: a model that came with the project, and a home where nothing is."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(settings.home))
    monkeypatch.setenv("GENRESCOPE_MODE", "demo")
    monkeypatch.setattr("core.settings.PROJECT", tmp_path / "project")
    models.publish(tmp_path / "project" / "models" / "genrescope-1", genres=("drone", "hiss", "jazz"))
    st.cache_resource.clear()
    st.cache_data.clear()
    return settings


def show(**session: object) -> AppTest:
    shown = AppTest.from_file(str(PROJECT / "pages" / "guest.py"), default_timeout=60)
    for key, value in session.items():
        shown.session_state[key] = value
    return run(shown)


def songs(tmp_path: Path, n: int, seconds: float = 3.0) -> list[Upload]:
    made = [(drone, hiss)[i % 2](np.random.default_rng(i), seconds) for i in range(n)]
    paths = [write_sound(tmp_path / f"{i}.wav", y) for i, y in enumerate(made)]
    return [Upload.of(path.name, path.read_bytes()) for path in paths]


def told(shown: AppTest) -> str:
    said: Sequence[object] = (*shown.markdown, *shown.caption, *shown.warning, *shown.error, *shown.info)
    return " ".join(str(one.value) for one in said).replace("\\", "")  # type: ignore[attr-defined]


def test_a_guest_is_told_what_is_taken_and_offered_nothing_of_a_library(guest: Settings) -> None:
    shown = show()
    assert "Knows drone, hiss, jazz." in told(shown)
    assert "never stored" in told(shown)
    assert [tab.label for tab in shown.tabs] == ["Drop songs", "Record", "Examples"]
    assert not {"Rename", "Fetch", "Add", "Train a network"} & labels(shown)
    assert not guest.home.exists(), "nothing was written"


def test_a_song_is_answered_and_nothing_is_written(guest: Settings, tmp_path: Path) -> None:
    (song,) = songs(tmp_path, 1)
    shown = show(**{answers.UPLOADS: [Upload.of(NAME, song.data or b"")]})
    assert not shown.error and any(one.value.startswith("### ") for one in shown.markdown)
    assert {"Remove this song"} <= labels(shown) and not {"Sounds like", "Why?"} & labels(shown)
    assert dangers(shown) == []
    assert not guest.home.exists()


def test_several_songs_are_compared_and_removed(guest: Settings, tmp_path: Path) -> None:
    shown = show(**{answers.UPLOADS: songs(tmp_path, 3)})
    (table,) = shown.dataframe
    assert list(table.value["song"]) == ["0.wav", "1.wav", "2.wav"]
    assert [column for column in table.value.columns if column.startswith("%")] == ["% drone", "% hiss", "% jazz"]
    shown = click(shown, "Remove this song")
    assert "2 songs side by side" in [one.value for one in shown.subheader]
    shown = click(shown, "Remove all")
    assert shown.session_state[answers.UPLOADS] == [] and not shown.session_state[answers.PREDICTIONS]
    assert len(shown.subheader) == 0


def test_what_could_not_be_read_is_removed_at_a_press(guest: Settings, tmp_path: Path) -> None:
    broken = [Upload.of("a.mp3", b"no sound"), Upload.of("b.mp3", b"none either")]
    shown = click(show(**{answers.UPLOADS: [broken[0], *songs(tmp_path, 1), broken[1]]}), "Remove these 2")
    assert [one.name for one in shown.session_state[answers.UPLOADS]] == ["0.wav"] and not shown.error
    assert any(one.value.startswith("### ") for one in shown.markdown)


def test_an_example_is_made_up_and_answered(guest: Settings) -> None:
    shown = click(show(), "Pixel then carousel")
    assert "Pixel then carousel, made up.wav" in told(shown)
    assert any(one.value.startswith("### ") for one in shown.markdown)


def test_the_song_given_last_is_the_one_that_is_looked_at(guest: Settings, tmp_path: Path) -> None:
    shown = click(show(**{answers.UPLOADS: songs(tmp_path, 2)}), "Carousel")
    closer = next(one for one in shown.selectbox if one.label == "Look closer at")
    assert closer.options[closer.index or 0] == "3  Carousel, made up.wav"
    assert "##### Carousel, made up.wav" in [one.value.replace("\\", "") for one in shown.markdown]


def test_genres_are_seen_fine_or_coarse(guest: Settings, tmp_path: Path) -> None:
    above = guests.parents()
    fine = [name for name in above if above[name] == above["techno"]][:2]
    models.publish(tmp_path / "project" / "models" / "genrescope-2", genres=(*fine, "rock"))
    st.cache_resource.clear()
    shown = show(**{answers.UPLOADS: songs(tmp_path, 2)})
    assert list(shown.dataframe[0].value.columns)[3:] == [f"% {genre}" for genre in (*fine, "rock")]
    shown.button_group[0].set_value("coarse")
    shown = run(shown)
    assert len(list(shown.dataframe[0].value.columns)[3:]) == 2


def give(*files: tuple[str, bytes], **session: object) -> AppTest:
    """A page that takes these files, as it does when they are dropped."""

    def page(files):  # type: ignore[no-untyped-def]  # its source is run elsewhere
        from app import answers

        answers.give(files)

    shown = AppTest.from_function(page, kwargs={"files": files}, default_timeout=60)
    for key, value in session.items():
        shown.session_state[key] = value
    return run(shown)


def test_what_is_too_large_or_too_many_is_refused_in_words(guest: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_GUEST_UPLOAD_BYTES", "10")
    monkeypatch.setenv("GENRESCOPE_GUEST_UPLOADS", "2")
    shown = give(("a", b"12345678901"), ("b", b"1"), ("b", b"1"), ("c", b"2"), ("d", b"3"))
    assert [one.name for one in shown.session_state[answers.UPLOADS]] == ["b", "c"]
    refused = shown.session_state[answers.REFUSED]
    assert len(refused) == 2 and "larger than 10 B" in refused[0] and "2 songs a visit" in refused[1]
    seen = show(**{answers.REFUSED: [f"{NAME} is too large."]})
    assert "is too large" in told(seen) and dangers(seen) == []


def test_whoever_has_the_app_has_no_limits(guest: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", "app")
    monkeypatch.setenv("GENRESCOPE_GUEST_UPLOADS", "1")
    shown = give(("a", b"1"), ("b", b"2"))
    assert len(shown.session_state[answers.UPLOADS]) == 2


def test_a_song_that_is_too_long_is_refused_without_jargon(
    guest: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENRESCOPE_GUEST_SOUND_S", "2")
    shown = show(**{answers.UPLOADS: songs(tmp_path, 1)})
    assert "longer than 2 s" in told(shown) and "GENRESCOPE" not in told(shown)


def test_no_more_sound_is_kept_than_is_allowed(guest: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_GUEST_KEEP_BYTES", "10")
    shown = give(("a", b"1234567"), ("b", b"123"), ("c", b"1"))
    assert [one.name for one in shown.session_state[answers.UPLOADS]] == ["a", "b"]
    assert "c was not taken: 10 B at a time" in shown.session_state[answers.REFUSED][0]
    older = shown.session_state[answers.UPLOADS]
    shown = give(("d", b"12345"), **{answers.UPLOADS: older})
    kept = {one.name: one.data for one in shown.session_state[answers.UPLOADS]}
    assert kept == {"a": None, "b": b"123", "d": b"12345"}


def test_an_answer_stays_when_its_sound_was_let_go(guest: Settings, tmp_path: Path) -> None:
    shown = show(**{answers.UPLOADS: songs(tmp_path, 1)})
    shown.session_state[answers.UPLOADS] = [replace(shown.session_state[answers.UPLOADS][0], data=None)]
    shown = run(shown)
    assert not shown.error and "not kept here any more" in told(shown)
    assert any(one.value.startswith("### ") for one in shown.markdown)
    shown.session_state[answers.PREDICTIONS] = {}
    assert "Drop it again" in run(shown).error[0].value


def test_who_gets_no_turn_is_told_and_can_ask_again(
    guest: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENRESCOPE_GUEST_PATIENCE_S", "0.2")
    turns = Turns(1, waiting=3)
    monkeypatch.setattr(answers, "turns", lambda: turns)
    given = songs(tmp_path, 1)
    with turns.turn(patience_s=1):
        shown = show(**{answers.UPLOADS: given})
        assert "did not get its turn" in told(shown) and "Ask again" in labels(shown)
    shown = click(shown, "Ask again")
    assert any(one.value.startswith("### ") for one in shown.markdown) and not shown.error
    assert not any(isinstance(one, BusyError) for one in shown.session_state[answers.PREDICTIONS].values())


def test_without_a_model_that_is_said(guest: Settings, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "project" / "models")
    assert "no model here yet" in told(show())


BLOCKED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from streamlit.testing.v1 import AppTest
from app.answers import Upload
song = open({song!r}, "rb").read()
shown = AppTest.from_file({page!r}, default_timeout=100)
shown.session_state["uploads"] = [Upload.of("song.mp3", song), Upload.of("again.mp3", song)]
shown.run()
assert not shown.exception and not shown.error, (shown.exception, shown.error)
print([one.value for one in shown.markdown if one.value.startswith("### ")])
print(sorted(one for one in sys.modules if one in {absent}))
"""
ABSENT = (
    "torch",
    "librosa",
    "scipy",
    "plotly",
    "sklearn",
    "yt_dlp",
    "spotipy",
    "pebble",
    "rapidfuzz",
    "typer",
    "filelock",
)


def test_a_real_song_is_answered_without_what_trains_or_collects(shared_data: Path, tmp_path: Path) -> None:
    song = sorted((shared_data / "songs" / "classical").glob("*.mp3"))[0]
    code = BLOCKED.format(absent=ABSENT, song=str(song), page=str(PROJECT / "pages" / "guest.py"))
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={"GENRESCOPE_MODE": "demo", "GENRESCOPE_HOME": str(tmp_path / "none"), "PATH": "/usr/bin:/bin"},
        cwd=PROJECT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer, absent = ran.stdout.strip().splitlines()[-2:]
    assert "classical" in answer and absent == "[]"
    assert not (tmp_path / "none").exists()
