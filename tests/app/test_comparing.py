"""Explore, Compare: two to four songs or genres, from the address, in figures, as CSV."""

import csv
import shutil
from io import StringIO
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import comparing, state
from core.audio import character
from core.database import Database
from core.library.store import Library
from core.settings import Settings
from tests.app.test_pages import PROJECT, RECIPE, home, labels, ready, run  # noqa: F401 - fixtures


@pytest.fixture
def songs(home: Settings, ready: Path) -> Library:  # noqa: F811
    """24 songs of two genres, with spectrograms."""
    shutil.copytree(ready, home.data)
    return Library(Database(home.database))


def at(**address: str | list[str]) -> AppTest:
    """The page as this address opens it."""
    shown = AppTest.from_file(str(PROJECT / "pages" / "explore.py"), default_timeout=120)
    for name, value in {"show": "Compare", **address}.items():
        shown.query_params[name] = value
    return run(shown)


def metrics(shown: AppTest) -> list[tuple[str, str]]:
    return [(one.label, one.value) for one in shown.metric]


@pytest.mark.slow
def test_two_genres_are_compared_without_asking(songs: Library) -> None:
    shown = at()
    assert shown.multiselect[0].value == ["drone", "hiss"]
    assert [what for what, _ in metrics(shown)] == ["Tempo", "Level", "Dynamics"] * 2
    assert {"**drone**", "**hiss**"} <= {one.value for one in shown.markdown}
    assert [one.value for one in shown.caption].count("12 songs, all there are") == 2
    of_drone = [song for song in songs.songs(RECIPE.fingerprint) if song.label.top == "drone"]
    levels = [state.character(song.sha256)[0].level_db for song in of_drone]
    assert metrics(shown)[1] == ("Level", f"{character.spread(levels).middle:.1f} dB")  # type: ignore[union-attr]


def test_an_address_says_which_songs(songs: Library) -> None:
    first, second, *_ = songs.tracks(RECIPE.fingerprint)
    shown = at(compare="Songs", song=[str(second.id), str(first.id), "99999", "x"])
    assert shown.multiselect[0].value == [second.id, first.id]
    assert shown.query_params["song"] == [str(second.id), str(first.id)]
    told = state.character(second.sha256)[0]
    assert metrics(shown)[2] == ("Dynamics", f"{told.dynamics_db:.1f} dB")


def test_the_figures_are_a_table_of_every_song(songs: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(comparing.st, "download_button", lambda label, data, *_, **__: given.extend([label, data]))
    tracks = songs.tracks(RECIPE.fingerprint)
    run(AppTest.from_function(_table, kwargs={"tracks": tracks[:3]}, default_timeout=60))
    label, text = given
    head, *rows = csv.reader(StringIO(text))
    assert label == "The figures of 3 songs as CSV"
    assert head == ["compared", "artist", "title", "tempo, bpm", "level, dB below full scale", "dynamics, dB"]
    assert [row[2] for row in rows] == [track.title for track in tracks[:3]]
    assert float(rows[0][4]) == pytest.approx(state.character(tracks[0].sha256)[0].level_db, abs=0.051)


def _table(tracks: list[object]) -> None:
    from app import comparing

    subject = comparing.Subject("drone", tracks, 3)  # type: ignore[arg-type]
    comparing._table([subject], comparing._heard([subject]))


@pytest.mark.usefixtures("songs")
def test_of_one_nothing_is_compared() -> None:
    shown = at(genres=["hiss"])
    assert "Choose two to 4 genres" in shown.info[0].value
    assert metrics(shown) == []


@pytest.mark.usefixtures("songs")
def test_the_address_filters_the_songs_that_are_offered() -> None:
    shown = at(show="One song", words="song 9", genre="hiss")
    assert shown.selectbox[0].value == "hiss"
    assert [option.split(" – ")[1] for option in shown.selectbox[1].options] == ["Hiss Song 9"]
    shown = at(show="One song", words="nothing like it")
    assert "No song is found" in shown.info[0].value


def test_without_spectrograms_the_way_is_shown(home: Settings, ready: Path) -> None:  # noqa: F811
    shutil.copytree(ready, home.data)
    with Database(home.database).write() as db:
        db.execute("DELETE FROM spectrograms")
    assert "Make spectrograms" in labels(at())
