"""Every page, in every state of a workspace: no exception, and the next step is told."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import ui
from core.database import Database
from core.jobs import kinds, worker
from core.jobs.queue import Queue
from core.library.candidates import Found, Sound
from core.library.catalogue import Catalogue
from core.library.collection import Collection
from core.library.edits import latest_edit
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.genres import Genres
from core.library.label_reviews import LabelReviews
from core.library.playlists import Playlists
from core.library.reviews import Reviews
from core.library.starters import starters
from core.library.store import Library
from core.music import Candidate, ListedTrack, Playlist
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests import models
from tests.library.found import spectrogram
from tests.lists import listed, playlist

RECIPE = SpectrogramRecipe()
PROJECT = Path(__file__).resolve().parents[2]
PAGES = [
    "home",
    "playlists",
    "genres",
    "collect",
    "library",
    "explore",
    "label",
    "train",
    "evaluate",
    "predict",
    "map",
    "system",
]
VIEWS = ["Vocabulary", "Charts", "Several genres", "Balance", "Same song twice?", "MusicBrainz"]
NAME = "<script>alert(1)</script> *x* $x$ =cmd() `x` [x](http://x)"
"""A name that does harm, or looks like something else, where it is read as Markdown."""
GENRE = "<b>*x* $x$ `x` [x](y)"


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


def show(page: str, **session: Any) -> AppTest:
    """A page as it is opened; `session` is what was chosen on it."""
    shown = AppTest.from_file(str(PROJECT / "pages" / f"{page}.py"), default_timeout=60)
    for key, value in session.items():
        shown.session_state[key] = value
    return run(shown)


def run(shown: AppTest) -> AppTest:
    shown.run()
    assert not shown.exception
    return shown


def click(shown: AppTest, label: str) -> AppTest:
    """Press the button whose label begins so."""
    next(button for button in shown.button if button.label.startswith(label)).click()
    return run(shown)


def labels(shown: AppTest) -> set[str]:
    return {button.label for button in shown.button}


@pytest.mark.parametrize(
    ("page", "next_step"),
    [
        ("home", "Import my music"),
        ("home", "Start from playlists"),
        ("home", "Make a sample library"),
        ("explore", "Import songs"),
        ("label", "Import songs"),
        ("playlists", "Read"),
        ("genres", "Add playlists"),
        ("collect", "Add playlists"),
        ("train", "Go to the library"),
        ("evaluate", "Import songs"),
        ("map", "Import songs"),
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


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, songs_folder: Path) -> Path:
    """The `data` of a workspace with songs and their spectrograms. Not to be written to."""
    settings = Settings(home=tmp_path_factory.mktemp("ready"), processes=2, lease_s=2.0)
    database = Database(settings.database)
    queue = worker.open_queue(settings, database)
    worker.run_here(settings, database, kinds.submit_import(queue, songs_folder, "folder"))
    worker.run_here(settings, database, kinds.submit_preprocess(queue))
    return settings.data


@pytest.mark.parametrize("page", PAGES)
def test_with_songs_and_spectrograms(home: Settings, ready: Path, page: str) -> None:
    shutil.copytree(ready, home.data)
    queue = worker.open_queue(home, Database(home.database))
    shown = show(page)
    if page == "playlists":
        assert shown.subheader[0].value == "What each playlist stands for"
    if page == "genres":
        assert {option for group in shown.button_group for option in group.options} == set(VIEWS)
    if page == "home":
        assert "Next: Train a network" in labels(shown)
    if page == "train":
        assert "Start training" in labels(shown)
        shown.multiselect[0].set_value(["drone"])
        next(button for button in shown.button if button.label == "Start training").click().run()
        assert "at least two are needed" in shown.error[0].value.replace("\\", "")
        assert [job.kind for job in queue.unfinished()] == ["speed"]  # asked for so as to say how long it would take


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


# -- playlists and genres ----------------------------------------------------------------------------------------------


@pytest.fixture
def database(home: Settings) -> Database:
    return Database(home.database)


def taken_in(database: Database) -> None:
    """Two playlists that share songs, of genres that have nothing to do with each other; one song of a hand's genre."""
    mine = [listed(n, title=f"{NAME} {n}", artists=(f"{NAME} {n % 4}",), album=NAME) for n in range(8)]
    Playlists(database).take_in(playlist("a", *mine[:6], title=NAME, owner=NAME, skipped={NAME: 2}), {GENRE: 1.0})
    Playlists(database).take_in(playlist("b", *mine[4:], title="Other", url="http://x"), {"polka": 1.0, "dnb": 0.25})
    Playlists(database).map_unread("deezer", "deezer:playlist:9", {})
    Library(database).label_by_hand([1], {GENRE: 1.0, "polka": 1.0}, who=NAME)


def waiting(database: Database) -> None:
    """A new playlist, and one that lists other songs than it did."""
    taken_in(database)
    Playlists(database).keep_reading(playlist("new", listed(20), title=NAME, owner=NAME, skipped={NAME: 1}))
    changed = [listed(30, title=NAME), listed(1, title=f"{NAME} 1", artists=(f"{NAME} 1",))]
    Playlists(database).keep_reading(playlist("a", *changed, title=NAME, owner=NAME))


def found(database: Database) -> None:
    """What a search found: a good one, one that cannot be read, one that was rejected."""
    taken_in(database)
    playlists = Playlists(database)
    reasons = {"title": 1.0, "purity": 0.5, "artists": 0.25, "size": 0.125}
    good = playlist("good", listed(40), title=NAME, owner=NAME, n_listed=4000)
    playlists.keep_reading(good, genre=GENRE, score=0.75, reasons=reasons)
    playlists.keep_reading(playlist("shut", title=NAME, owner=NAME), genre=GENRE, score=0.5, error=NAME)
    playlists.keep_reading(playlist("bad", listed(41), title=NAME), genre="polka", score=0.25, reasons=reasons)
    rejected = next(one for one in playlists.readings() if one.playlist.reference == "bad")
    playlists.judge([rejected.id], rejected=True)


def in_doubt(database: Database) -> None:
    """Two listed songs that may be one."""
    taken_in(database)
    twins = [ListedTrack(NAME, (NAME,), duration_s=duration_s) for duration_s in (200.0, 206.0)]
    Playlists(database).take_in(playlist("twins", *twins), {})
    assert Catalogue(database).pairs()[1] == 1


def jobs_ended(database: Database) -> None:
    """Jobs of every new kind have ended, each with something that failed."""
    taken_in(database)
    failed = [{"path": NAME, "reason": NAME}]
    answer = {
        "ref": NAME,
        "source": "x",
        "title": NAME,
        "tracks": 3,
        "new": 1,
        "removed": 0,
        "skipped": {},
        "error": None,
    }
    queue = Queue(database, lease_s=60)
    for job, result in (
        (kinds.submit_read(queue, [NAME], take_in=False), {"playlists": [answer], "failed": failed}),
        (kinds.submit_search(queue, [GENRE]), {"found": 0, "failed": failed}),
        (kinds.submit_genre_votes(queue), {"asked": 3, "found": 1}),
    ):
        claimed = queue.claim("me", job_id=job.id)
        assert claimed
        queue.finish(claimed, "me", "done", result=result)


def at_work(database: Database) -> None:
    """A job is on its way, one waits, one has failed."""
    taken_in(database)
    queue = Queue(database, lease_s=60)
    kinds.submit_read(queue, [NAME], take_in=False)
    claimed = queue.claim("me")
    assert claimed
    queue.report(claimed, "me", done=1, total=3, message=NAME, seconds_left=9.0)
    kinds.submit_search(queue, [GENRE])
    failed = queue.claim("me", job_id=kinds.submit_genre_votes(queue).id)
    assert failed
    queue.finish(failed, "me", "failed", message=NAME, traceback=NAME)


def collecting(database: Database) -> None:
    """Of tracks without sound some are doubtful, failed, fetched, wanted, and one is to be searched for; a run is paused."""
    taken_in(database)
    collection = Collection(database)
    sound = Sound("/no/such/file.wav", "0" * 64, 1, 1, "wav", "pcm_s16le", 8000, 1, 5.0)
    for number in range(1, 6):
        many = [
            Candidate(f"https://a.b/{number}{place}", "x", f"{NAME} {place}", NAME, (NAME,), NAME, 9.0, views=1)
            for place in range(3)
        ]
        reasons = {"title": 0.45, "length": 0.2, "live": -0.5, NAME: 0.05}
        collection.searched(number, [Found(one, 0.65, reasons, 1) for one in many], job_id=1)
    collection.doubtful(1, "https://a.b/10", sound, message=NAME, job_id=1)
    collection.doubtful(2, "https://a.b/20", None, message=NAME, job_id=1)
    collection.candidate_failed(2, "https://a.b/21", reason="gone", message=NAME)
    collection.failed(3, reason="gone", message=NAME, job_id=1)
    collection.fetched(4, "https://a.b/40", sound, None, job_id=1)
    Reviews(database).hear(5, "https://a.b/50")
    queue = Queue(database, lease_s=60)
    claimed = queue.claim("me", job_id=kinds.submit_collect(queue, limit=50).id)
    assert claimed
    queue.finish(claimed, "me", "stopped", message=NAME)


def doubted(database: Database) -> None:
    """Songs with sound, of which a machine doubts the second; the last is new; one was decided on, one set aside."""
    taken_in(database)
    collection = Collection(database)
    for number in range(1, 9):
        sound = Sound(f"/no/such/{NAME}.wav", f"{number:064d}", 1, 1, "wav", "pcm_s16le", 8000, 1, 5.0)
        collection.fetched(number, f"https://a.b/{number}", sound, spectrogram(), job_id=1)
    answered(database)
    LabelReviews(database).not_music(6, who=NAME)
    LabelReviews(database).change(3, {GENRE: 1.0, "polka": 0.5}, who=NAME)


def answered(database: Database, genres: tuple[str, ...] = (GENRE, "polka")) -> None:
    """A cross-validation: sure of every label, but of the other genre at the first song of one; the last song is new."""
    evaluations = Evaluations(database)
    evaluation = evaluations.begin(NAME, "crossvalidation", {"protocol": "artist-folds"}, genres)
    songs: list[EvaluatedSong] = []
    doubted_one = None
    for song in sorted(Library(database).songs(RECIPE.fingerprint), key=lambda one: one.track_id)[:-1]:
        truth = np.eye(2, dtype=np.float32)[genres.index(song.label.top) if song.label.top in genres else 0]
        right = 0.9 * truth + 0.05
        doubted_one = doubted_one or (song if len(song.label.weights) == 1 else None)
        spectrum = 1 - right if song is doubted_one else right
        songs.append(EvaluatedSong(song.sha256, "", song.title, song.artist, 0, truth, spectrum.astype(np.float32)))
    evaluations.add_songs(evaluation, songs)
    evaluations.finish(evaluation, {"accuracy": 0.5})


STATES: list[Callable[[Database], None]] = [
    taken_in,
    waiting,
    found,
    in_doubt,
    jobs_ended,
    at_work,
    collecting,
    doubted,
]
BY_NAME = [pytest.param(state, id=state.__name__) for state in STATES]
SHOWS_MOST: dict[str, Callable[[Database], None]] = {
    "playlists": found,
    "genres": in_doubt,
    "collect": collecting,
    "library": waiting,
    "label": doubted,
    "evaluate": doubted,
    "system": jobs_ended,
    "home": at_work,
}
"""The state in which a page shows most; the others are for the slow tests."""


def in_every_state(pages: list[str]) -> list[Any]:
    """(page, state), slow but for the state in which a page shows most."""
    fast = {(page, SHOWS_MOST.get(page, taken_in)) for page in pages}
    return [
        pytest.param(
            page, state, id=f"{page}-{state.__name__}", marks=() if (page, state) in fast else pytest.mark.slow
        )
        for page in pages
        for state in STATES
    ]


NOT_MARKDOWN = {"Selectbox", "MultiSelect"}
"""Their options are shown as they are."""
DANGEROUS = re.compile(r"(?<!\\)(?:<script|<b>|\*x|\$x|`x|\[x)")


def markdown(shown: AppTest) -> list[str]:
    """Every text of a page that is read as Markdown: labels, bodies, options, help."""

    def of(message: Any) -> Iterator[str]:
        for descriptor, value in message.ListFields():
            if descriptor.name == "options" and type(message).__name__ in NOT_MARKDOWN:
                continue
            for one in value if descriptor.is_repeated else [value]:
                if hasattr(one, "ListFields"):
                    yield from of(one)
                elif descriptor.name in {"label", "body", "text", "help", "content", "caption", "captions", "options"}:
                    yield str(one)

    def below(node: Any) -> Iterator[str]:
        if (message := getattr(node, "proto", None)) is not None and hasattr(message, "ListFields"):
            yield from of(message)
        for child in getattr(node, "children", {}).values():
            yield from below(child)

    return [*below(shown.main), *below(shown.sidebar)]


def dangers(shown: AppTest) -> list[str]:
    return [text for text in markdown(shown) if DANGEROUS.search(text)]


def test_dangers_are_seen() -> None:
    def page() -> None:
        import streamlit as st

        st.markdown("<script>alert(1)</script>")
        with st.expander("*x* in an expander"):
            st.button("$x$ on a button")
        st.radio("r", ["`x` to choose"])
        st.segmented_control("s", ["[x](y)"])
        st.caption("\\<script\\> \\*x\\* is well")
        st.selectbox("*y*", ["*x* is shown as it is"])
        st.multiselect("*y*", ["*x* is shown as it is"])
        st.progress(0.5, "**\\*x* half")
        st.text_input("text", "*x* is shown as it is")
        st.popover("<b>").caption("fine", help="<script")
        st.error("`x`")

    found = dangers(run(AppTest.from_function(page)))
    assert sorted(found) == sorted(
        [
            *("<script>alert(1)</script>", "*x* in an expander", "$x$ on a button", "`x` to choose", "[x](y)"),
            *("<b>", "<script", "`x`"),
        ]
    )


@pytest.mark.parametrize(("page", "fill"), in_every_state(PAGES))
def test_names_are_never_read_as_markdown(database: Database, page: str, fill: Callable[[Database], None]) -> None:
    fill(database)
    shown = show(page)
    assert dangers(shown) == []
    if page == "playlists":
        assert any("\\<" in text for text in markdown(shown)), "and yet they are shown"


@pytest.mark.slow
@pytest.mark.parametrize("view", ["progress", "review", "problems", "collected"])
@pytest.mark.parametrize("fill", BY_NAME)
def test_every_view_of_collecting(database: Database, view: str, fill: Callable[[Database], None]) -> None:
    fill(database)
    assert dangers(show("collect", **{"collect-view": view})) == []


@pytest.mark.parametrize("view", ["problems", "collected"])
def test_a_row_of_collecting_that_is_ticked(database: Database, view: str) -> None:
    collecting(database)
    shown = show("collect", **{"collect-view": view, f"{view}-0": ticked(0)})
    assert dangers(shown) == []
    assert ("Hear" if view == "problems" else "This is another song") in labels(shown)


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("fill", BY_NAME)
def test_every_view_of_genres(database: Database, view: str, fill: Callable[[Database], None]) -> None:
    fill(database)
    assert dangers(show("genres", view=view)) == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_genres_that_nothing_votes_for(database: Database, view: str) -> None:
    Genres(database).add("techno")
    shown = show("genres", view=view)
    if view in ("Charts", "Several genres", "Balance"):
        assert "No song has a genre yet" in shown.info[0].value


@pytest.mark.parametrize("view", ["Charts", "Several genres"])
def test_views_where_one_song_has_one_genre(database: Database, view: str) -> None:
    Playlists(database).take_in(playlist("a", listed(1)), {GENRE: 1.0})
    assert dangers(show("genres", view=view)) == []


def test_both_views_of_explore(database: Database) -> None:
    taken_in(database)
    for view in ("One song", "Compare", "The whole library"):
        assert dangers(show("explore", **{"show": view})) == []
    shown = show("explore")
    assert any("vote" in expander.label for expander in shown.expander)
    assert "no sound yet" in shown.info[0].value


@pytest.mark.parametrize("rows", [[0], [1], [0, 1, 2]], ids=str)
def test_what_is_said_of_ticked_genres(database: Database, rows: list[int]) -> None:
    taken_in(database)
    shown = show("genres", vocabulary=ticked(*rows))
    assert ("Save" if len(rows) == 1 else "Merge") in labels(shown)
    assert dangers(shown) == []


def ticked(*rows: int) -> dict[str, Any]:
    return {"selection": {"rows": list(rows), "columns": [], "cells": []}}


def test_ticked_songs_are_settled(database: Database) -> None:
    taken_in(database)
    shown = show("genres", view="Several genres", **{"songs-conflicts": ticked(0)})
    assert any("conflicts" in option for group in shown.button_group for option in group.options)
    assert "2 conflicts" in shown.button_group[1].options, "two songs are in both, and no hand has settled them"
    assert "Give this genre" in labels(shown) and "Where its votes come from" in labels(shown)
    shown.multiselect[0].set_value(["polka"])
    click(shown, "Give this genre")
    conflict = [track for track in Library(database).tracks("") if any(vote.source == "hand" for vote in track.votes)]
    assert len(conflict) == 2 and conflict[1].label and conflict[1].label.weights == (("polka", 1.0),)


def test_playlists_that_wait_are_taken_in(database: Database) -> None:
    waiting(database)
    shown = show("playlists")
    assert any("2 playlists to look over" in title.value for title in shown.subheader)
    assert any("was read before: 1 added, 5 removed" in expander.label for expander in shown.expander)
    assert Playlists(database).all()[0].tracks == 6, "nothing is taken over unseen"
    click(shown, "Take in 2")
    assert [row.reference for row in Playlists(database).all()] == ["a", "b", "deezer:playlist:9", "new"]
    assert Playlists(database).all()[0].tracks == 2 and Playlists(database).readings() == []
    assert "2 playlists taken in" in shown.success[0].value
    assert dangers(shown) == []


def test_what_a_search_found_is_accepted_or_rejected(database: Database, queue: Queue) -> None:
    found(database)
    shown = show("playlists")
    accept, reject = ([one for one in shown.button if one.label == label] for label in ("Accept", "Reject"))
    assert [one.disabled for one in accept] == [False, True], "what cannot be read cannot be accepted"
    reject[1].click()
    run(shown)
    assert len(Playlists(database).readings(state="rejected")) == 2
    assert any("2 rejected" in expander.label for expander in shown.expander)
    click(shown, "Show again")
    assert len(Playlists(database).readings(state="rejected")) == 1
    click(shown, "Accept")
    job = queue.latest("read")
    assert job and job.unfinished
    assert job.parameters == {"refs": [["spotify", "good"]], "take_in": True, "genres": {GENRE: 1.0}}
    assert "Being read …" in [one.value for one in shown.markdown]
    assert sum(one.label == "Accept" for one in shown.button) == len(accept) - 1, "it cannot be accepted twice"
    queue.request_stop(job.id)
    run(shown)
    assert "Being read …" not in [one.value for one in shown.markdown], "nothing is lost where reading it failed"
    Playlists(database).take_in(Playlist("spotify", "good", "Good", ()), {GENRE: 1.0})
    run(shown)
    assert [one.disabled for one in shown.button if one.label == "Accept"] == [True], (
        "what stands for it is not offered"
    )


def test_links_are_read_by_a_job_each_once(home: Settings, queue: Queue) -> None:
    shown = show("playlists")
    click(shown, "Read")
    assert "Paste at least one link" in shown.warning[0].value and queue.unfinished() == []
    shown.text_area[0].set_value("  deezer:playlist:1 \n\nhttps://x.example/*x*\ndeezer:playlist:1\n")
    click(shown, "Read")
    [job] = queue.unfinished()
    refs = ["deezer:playlist:1", "https://x.example/*x*"]
    assert (job.kind, job.parameters) == ("read", {"refs": refs, "take_in": False, "genres": None})


def test_a_list_of_songs_waits_under_its_name(home: Settings, database: Database) -> None:
    shown = show("playlists")
    shown.button_group[0].set_value("Song list")
    run(shown)
    shown.text_input[0].set_value(NAME)
    shown.text_area[0].set_value("no song")
    click(shown, "Read")
    assert "There is no line such as" in shown.error[0].value
    assert (shown.text_input[0].value, shown.text_area[0].value) == (NAME, "no song"), "what was refused is kept"
    shown.text_area[0].set_value("Eins - Erstes\nZwei - Zweites")
    click(shown, "Read")
    [one] = Playlists(database).readings()
    assert (one.playlist.title, len(one.playlist.tracks)) == (NAME, 2)
    assert dangers(shown) == []


def test_starters_are_listed_with_when_they_were_read(home: Settings, database: Database) -> None:
    first, second, *_ = starters()
    for starter in (first, second):
        listing = playlist(starter.reference, listed(1), source=starter.source)
        if starter is first:
            Playlists(database).take_in(listing)
        else:
            Playlists(database).keep_reading(listing)
    shown = show("playlists")
    shown.button_group[0].set_value("Starters")
    run(shown)
    table = next(frame.value for frame in shown.dataframe if "at Spotify" in frame.value)
    assert len(table) == 17 and list(table["genre"]) == [starter.genre for starter in starters()]
    read = Playlists(database).read_times()[(first.source, first.reference)][:10]
    assert list(table["read"]) == [read, read] + ["never"] * 15
    assert all(address.startswith("https://open.spotify.com/playlist/") for address in table["at Spotify"])


def test_ticked_starters_are_read_by_a_job(home: Settings, queue: Queue) -> None:
    shown = AppTest.from_file(str(PROJECT / "pages" / "playlists.py"), default_timeout=60)
    shown.session_state["starters"] = ticked(0, 16)
    run(shown)
    shown.button_group[0].set_value("Starters")
    shown.session_state["starters"] = ticked(0, 16)
    click(run(shown), "Read 2 ticked")
    [job] = queue.unfinished()
    assert job.parameters["refs"] == [["spotify", starters()[0].reference], ["spotify", starters()[16].reference]]


def test_without_an_app_at_spotify_the_way_to_one_is_told(home: Settings) -> None:
    shown = show("playlists")
    shown.button_group[0].set_value("My Spotify")
    run(shown)
    assert "III.14" in shown.caption[0].value and shown.error[0].value


def test_genres_are_balanced_after_the_effect_is_seen(database: Database) -> None:
    Playlists(database).take_in(playlist("a", *(listed(n) for n in range(6))), {"techno": 1.0})
    Playlists(database).take_in(playlist("b", *(listed(n) for n in range(6, 8))), {"polka": 1.0})
    library = Library(database)
    shown = show("genres", view="Balance")
    shown.slider[0].set_value(2)
    run(shown)
    assert any("4 of 8 songs stay" in one.value for one in shown.markdown)
    assert not any(track.set_aside for track in library.tracks("")), "it is only shown"
    click(shown, "Set 4 aside")
    assert "4 songs set aside" in shown.success[0].value.replace("\\", "")
    aside = [track.label.top for track in library.tracks("") if track.set_aside and track.label]
    assert aside == ["techno"] * 4
    assert any("Now 4 are set aside" in one.value for one in shown.markdown)
    click(shown, "Use all songs")
    assert not any(track.set_aside for track in library.tracks(""))
    click(shown, "Undo")
    assert sum(track.set_aside for track in library.tracks("")) == 4


def test_pairs_in_doubt_are_decided(database: Database) -> None:
    in_doubt(database)
    shown = show("genres", view="Same song twice?", twins=ticked(0))
    n = len(Library(database).tracks(""))
    click(shown, "Keep 1 apart")
    assert Catalogue(database).pairs() == ([], 0) and len(Library(database).tracks("")) == n
    click(show("genres"), "Undo: kept 1 pair")
    click(show("genres", view="Same song twice?", twins=ticked(0)), "Make 1 one")
    assert Catalogue(database).pairs() == ([], 0) and len(Library(database).tracks("")) == n - 1


@pytest.mark.parametrize(
    ("page", "session"),
    [("playlists", {}), ("library", {}), ("genres", {}), ("genres", {"view": "Balance"})],
    ids=["playlists", "library", "genres", "balance"],
)
def test_the_latest_edit_can_be_taken_back_wherever_it_is_shown(
    database: Database, page: str, session: dict[str, str]
) -> None:
    taken_in(database)
    Genres(database).change("polka", rename=f"{NAME}"[:40])
    edit = latest_edit(database)
    assert edit
    shown = show(page, **session)
    undo = next(button for button in shown.button if button.label.startswith("Undo:"))
    assert undo.label == f"Undo: {ui.plain(edit.description)}"
    undo.click()
    run(shown)
    assert shown.success[0].value == ui.plain(f"Taken back: {edit.description}.")
    assert "polka" in [genre.name for genre in Genres(database).all()]
    assert dangers(shown) == []


def test_what_can_be_undone_is_nothing_at_first(home: Settings) -> None:
    for page in ("playlists", "library", "genres"):
        assert not any(button.label.startswith("Undo") for button in show(page).button)


def test_without_a_contact_musicbrainz_is_not_asked(
    database: Database, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in(database)
    shown = show("genres", view="MusicBrainz")
    assert "Set GENRESCOPE_CONTACT" in shown.warning[0].value
    ask = next(button for button in shown.button if button.label.startswith("Ask about"))
    assert ask.disabled and "8 tracks" in ask.label
    monkeypatch.setenv("GENRESCOPE_CONTACT", "someone@example.org")
    st.cache_resource.clear()
    shown = show("genres", view="MusicBrainz")
    assert not [one for one in shown.warning if "GENRESCOPE_CONTACT" in one.value]
    click(shown, "Ask about")
    [job] = queue.unfinished()
    assert job.kind == "musicbrainz"


def test_genres_are_added_changed_and_removed(database: Database) -> None:
    taken_in(database)
    shown = show("genres")
    shown.text_input[-1].set_value("techno")
    click(shown, "Add")
    assert "techno added" in shown.success[0].value.replace("\\", "")
    names = [genre.name for genre in Genres(database).all()]
    assert "techno" in names and "electronic" in names
    shown.text_input[-1].set_value("Techno Music")
    click(shown, "Add")
    assert "is there already" in shown.error[0].value
    click(show("genres", vocabulary=ticked(names.index("polka"))), "Remove")
    assert "polka" not in [genre.name for genre in Genres(database).all()]


@pytest.mark.parametrize("page", ["library"])
def test_names_of_folders_are_shown_as_they_are(home: Settings, tmp_path: Path, page: str) -> None:
    (tmp_path / "songs" / "*x* <b> $x$").mkdir(parents=True)
    shown = show(page, folder=str(tmp_path / "songs"))
    assert any("x" in label for label in labels(shown)) and dangers(shown) == []


@pytest.mark.parametrize(
    ("fill", "next_step"),
    [(taken_in, "Next: Collect the songs"), (waiting, "Next: Collect the songs")],
    ids=["taken in", "waiting"],
)
def test_with_playlists_and_no_sound_songs_are_the_next_step(
    database: Database, fill: Callable[[Database], None], next_step: str
) -> None:
    fill(database)
    assert next_step in labels(show("home"))


# -- collecting --------------------------------------------------------------------------------------------------------


def test_collecting_is_begun_with_what_was_chosen(database: Database, queue: Queue) -> None:
    taken_in(database)
    shown = show("collect")
    assert "Collect 8 songs" in labels(shown)
    shown.number_input[0].set_value(3)
    shown.radio[0].set_value(False)
    click(run(shown), "Collect 3 songs")
    (job,) = queue.unfinished()
    assert job.kind == "collect"
    assert (job.parameters["limit"], job.parameters["keep_sound"], job.parameters["genres"]) == (3, False, None)


def test_a_paused_run_goes_on_with_the_same_choices_or_is_cancelled(database: Database, queue: Queue) -> None:
    collecting(database)
    assert "Collecting is paused" in show("collect").markdown[1].value
    cancelled = click(show("collect"), "Cancel")
    assert "Collect 4 songs" in labels(cancelled) and queue.unfinished() == []
    click(show("collect"), "Go on")
    assert [job.parameters for job in queue.unfinished()] == [{"limit": 50}]


def test_how_songs_are_kept_stays_as_it_was_chosen(database: Database, queue: Queue) -> None:
    collecting(database)
    claimed = queue.claim("me", job_id=kinds.submit_collect(queue, keep_sound=False, at_once=4).id)
    assert claimed
    queue.finish(
        claimed, "me", "done", result={"fetched": 0, "failed": {}, "doubtful": 0, "waiting": 4, "seconds": 1.0}
    )
    shown = show("collect")
    assert (shown.radio[0].value, shown.slider[0].value) == (False, 4)
    click(show("collect", **{"collect-view": "problems"}), "Try again")
    assert [job.parameters for job in queue.unfinished()] == [{"keep_sound": False, "at_once": 4}]


def test_what_failed_is_tried_again_by_its_reason(database: Database, queue: Queue) -> None:
    collecting(database)
    shown = show("collect", **{"collect-view": "problems"})
    assert "It was deleted" in " ".join(markdown(shown))
    click(shown, "Try again")
    assert Collection(database).failures() == {} and [job.kind for job in queue.unfinished()] == ["collect"]
    assert "Nothing has failed" in show("collect", **{"collect-view": "problems"}).info[0].value


def test_what_was_fetched_can_be_rejected_and_that_undone(database: Database, queue: Queue) -> None:
    collecting(database)
    chosen = {"collect-view": "collected", "collected-0": ticked(0)}
    click(show("collect", **chosen), "This is another song")
    collection = Collection(database)
    assert collection.standings()[4].state == "waiting" and collection.collected()[1] == 0
    click(show("collect", **{"collect-view": "collected"}), "Undo")
    assert collection.standings()[4].state == "fetched" and collection.collected()[1] == 1


@pytest.mark.parametrize(("n_failed", "is_told"), [(1, True), (0, False)])
def test_a_run_that_came_to_nothing_is_not_told(database: Database, queue: Queue, n_failed: int, is_told: bool) -> None:
    collecting(database)
    claimed = queue.claim("me", job_id=kinds.submit_collect(queue).id)
    assert claimed
    failed = {"gone": 1} if n_failed else {}
    queue.finish(
        claimed, "me", "done", result={"fetched": 0, "failed": failed, "doubtful": 0, "waiting": 0, "seconds": 1.0}
    )
    assert any("Collecting done" in one.value for one in show("collect").success) == is_told


def test_when_nothing_waits_the_next_step_is_told(database: Database) -> None:
    collecting(database)
    collection = Collection(database)
    for number in range(5, 9):
        collection.failed(number, reason="gone", message="Gone.", job_id=1)
    shown = click(show("collect"), "Review 2 songs")
    assert "It is the one" in labels(shown) or "Hear it" in labels(shown)
    for number in (1, 2):
        collection.failed(number, reason="gone", message="Gone.", job_id=1)
    assert "Make spectrograms" in labels(show("collect"))
    for todo in Library(database).without_spectrogram(RECIPE.fingerprint):
        Library(database).spectrogram_failed(todo, RECIPE.fingerprint, missing=False, reason="x", job_id=None)
    assert "Train a network" in labels(show("collect"))


@pytest.mark.parametrize("is_paused", [True, False])
def test_what_is_accepted_gets_its_spectrogram_without_being_asked_for(
    database: Database, queue: Queue, tmp_path: Path, is_paused: bool
) -> None:
    collecting(database)
    file = tmp_path / "heard.wav"
    file.write_bytes(b"sound")
    heard = Sound(str(file), "2" * 64, 5, 1, "wav", "pcm_s16le", 8000, 1, 5.0)
    Collection(database).doubtful(1, "https://a.b/10", heard, message="", job_id=1)
    if is_paused:
        click(show("collect", **{"collect-view": "review"}), "It is the one")
        assert queue.unfinished() == [], "it does when the run goes on"
        return
    paused = queue.latest("collect")
    assert paused
    click(show("collect", **{"collect-view": "review", "dismissed": {paused.id}}), "It is the one")
    assert Collection(database).standings()[1].state == "fetched"
    assert [(job.kind, job.parameters["track_ids"]) for job in queue.unfinished()] == [("collect", [5])]


def test_undoing_brings_the_track_back_before_the_person(database: Database, queue: Queue) -> None:
    collecting(database)
    shown = click(show("collect", **{"collect-view": "review"}), "None of these")
    assert shown.session_state["reviewed"] == 2
    shown = click(shown, "Undo")
    assert shown.session_state["reviewed"] == 1 and Collection(database).to_review() == [1, 2]


def test_what_is_rejected_is_ticked_no_more(database: Database, queue: Queue) -> None:
    collecting(database)
    other = Sound("/no/such/other.wav", "1" * 64, 1, 1, "wav", "pcm_s16le", 8000, 1, 5.0)
    Collection(database).fetched(6, "https://a.b/60", other, None, job_id=1)
    shown = click(show("collect", **{"collect-view": "collected", "collected-0": ticked(0)}), "This is another song")
    assert Collection(database).collected()[1] == 1 and "This is another song" not in labels(shown)


def test_a_wish_that_nobody_fetches_can_be_fetched_at_once(database: Database, queue: Queue, reviews: Reviews) -> None:
    collecting(database)
    for track_id in (1, 2):
        reviews.reject(track_id, [f"https://a.b/{track_id}{place}" for place in range(3)])
    click(show("collect", **{"collect-view": "review"}), "Fetch now")
    assert [job.parameters for job in queue.unfinished()] == [{"track_ids": [5]}]


def test_home_lets_a_newcomer_try_the_model_that_comes_along(
    home: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Playlists(database).take_in(playlist("one", listed(1)), {"techno": 1.0})
    assert "Just try it: drop in a song" not in labels(show("home"))
    models.publish(tmp_path / "project" / "models" / "genrescope-first")
    monkeypatch.setattr("core.settings.PROJECT", tmp_path / "project")
    shown = show("home")
    assert {"Just try it: drop in a song", "Next: Collect the songs"} <= set(labels(shown))
    assert any("no model of your own yet" in one.value for one in shown.markdown)
