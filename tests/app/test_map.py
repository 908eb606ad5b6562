"""The Map page, and what is told below an answer: what sounds alike, why, which part is what."""
# ruff: noqa: F811 - fixtures are imported, and then named by tests

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import answers, charts, song_map
from app.answers import Upload
from core.database import Database
from core.inference.embedding import principal_map
from core.jobs import worker
from core.jobs.queue import Queue
from core.learning import model
from core.learning.space import FeatureSpace
from core.library.embeddings import Embeddings
from core.library.label_reviews import LabelReviews
from core.library.store import Library
from core.recipes import TrainingRecipe
from core.settings import Settings
from tests.app.test_pages import (  # noqa: F401 - fixtures
    NAME,
    RECIPE,
    click,
    dangers,
    home,
    labels,
    markdown,
    queue,
    ready,
    run,
    show,
)
from tests.inference.test_result import reasons
from tests.models import publish
from tests.sounds import drone, write_sound

GENRES = ("drone", "hiss")


def text(shown: Any) -> str:
    return " ".join(markdown(shown)).replace("\\", "")


def space(*, limit: float = 1e9) -> FeatureSpace:
    """Directions at random; what is farther from all genres than `limit` is none of them."""
    rng, eye = np.random.default_rng(0), np.eye(4, dtype=np.float32)
    basis = rng.normal(size=(512, 4)).astype(np.float32)
    zeros, limits = np.zeros(512, np.float32), np.array([limit, 1e9], np.float32)
    return FeatureSpace(zeros, basis, np.zeros((2, 4), np.float32), eye, zeros, np.zeros(1, np.float32), limits, limits)


@pytest.fixture
def answering(home: Settings, ready: Path) -> model.Model:
    """24 songs with spectrograms, and a model of random weights that can place them."""
    shutil.copytree(ready, home.data)
    training = TrainingRecipe(network="small_resnet", steps=3, crop_frames=64)
    folder = publish(home.models / "mine", genres=GENRES, spectrogram=RECIPE, training=training, space=space())
    return model.load(folder)


@pytest.fixture
def embedded(answering: model.Model, home: Settings) -> model.Model:
    """Every song is placed: drones to the left, the rest to the right; the first drone among the latter."""
    database = Database(home.database)
    embeddings = Embeddings(database, answering.card.onnx_sha256)
    of_drones = {song.sha256 for song in Library(database).songs(RECIPE.fingerprint) if song.label.top == "drone"}
    rng, moved, made = np.random.default_rng(0), False, []
    for audio_id, sha256 in embeddings.missing(RECIPE.fingerprint):
        side = -1.0 if sha256 in of_drones and moved else 1.0
        moved = moved or sha256 in of_drones
        made.append((audio_id, np.array([side, 0, 0, 0], np.float32) + rng.normal(0, 0.1, 4).astype(np.float32)))
    embeddings.add(made)
    return answering


def upload(tmp_path: Path) -> bytes:
    sound = write_sound(tmp_path / "a.mp3", drone(np.random.default_rng(5), 24.0), tags={"artist": "Drone Artist 0"})
    return sound.read_bytes()


def test_the_library_is_listened_to_first(answering: model.Model, queue: Queue) -> None:
    shown = show("map")
    assert "has not listened to 24 songs" in text(shown)
    click(shown, "Listen to 24")
    (job,) = queue.unfinished()
    assert (job.kind, job.parameters) == ("embed", {"model": "mine", "on_map": False})


def test_without_a_model_the_way_to_one_is_told(home: Settings, ready: Path) -> None:
    shutil.copytree(ready, home.data)
    assert "Train a network" in labels(show("map"))


def test_songs_are_laid_out_and_those_far_from_their_genre_are_named(embedded: model.Model) -> None:
    shown = show("map")
    assert not shown.error and "Far from their genre" in [one.value for one in shown.subheader]
    assert "Listen to" not in " ".join(labels(shown)), "all have been listened to"
    assert dangers(shown) == []


def test_many_songs_get_a_genre_at_once_and_it_can_be_undone(embedded: model.Model, home: Settings) -> None:
    library = Library(Database(home.database))
    some = library.tracks(RECIPE.fingerprint)[:5]

    def page() -> None:
        from app import song_map, state, ui

        wanted = set(state.get("numbers"))
        song_map.many([track for track in state.tracks() if track.id in wanted])
        ui.undo_button()

    from streamlit.testing.v1 import AppTest

    shown = AppTest.from_function(page, default_timeout=60)
    shown.session_state["numbers"] = [track.id for track in some]
    run(shown)
    assert "5 songs selected" in text(shown)
    shown.multiselect[0].set_value(["hiss"])
    shown = click(shown, "Give this genre")
    tops = {track.id: track.label.top for track in library.tracks(RECIPE.fingerprint) if track.label}
    assert {tops[track.id] for track in some} == {"hiss"}
    click(shown, "Undo: hiss for 5 tracks")
    assert library.tracks(RECIPE.fingerprint)[:5] == some


def test_a_fine_map_is_drawn_by_a_job_and_then_chosen(embedded: model.Model, home: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr(song_map, "LEAST_FOR_TSNE", 10)
    shown = show("map")
    queue = worker.open_queue(home, Database(home.database))
    shown = click(shown, "Draw the map by likeness")
    (job,) = queue.unfinished()
    assert job.parameters["on_map"] is True
    worker.run_here(home, Database(home.database), job)
    shown = show("map")
    assert "By likeness" in {option for group in shown.button_group for option in group.options}
    assert not any(label.startswith("Draw the map") for label in labels(shown)), "it is up to date"


def test_what_sounds_alike_is_heard_and_an_artist_can_be_left_out(embedded: model.Model, tmp_path: Path) -> None:
    data = upload(tmp_path)
    key = answers.upload_key(data)[:16]
    shown = show("predict", **{answers.UPLOADS: [Upload.of(NAME, data)], f"closer-0-{key}": "Sounds like"})
    assert not shown.error and len(shown.get("bidi_component")) == 1 and len(shown.get("audio")) == 5
    assert text(shown).count("% alike") == 5 and dangers(shown) == []
    toggle = next(one for one in shown.toggle if "Drone Artist 0" in one.label.replace("\\", ""))
    toggle.set_value(True)
    shown = run(shown)
    assert text(shown).count("% alike") == 5 and "Drone Artist 0 – " not in text(shown)
    part = next(one for one in shown.slider if one.label.startswith("Like which part"))
    assert part.value == (0.0, pytest.approx(24, abs=0.2))
    part.set_value((2.0, 6.0))
    assert not run(shown).error


@pytest.mark.slow
def test_why_is_seen_and_heard(embedded: model.Model, tmp_path: Path) -> None:
    data = upload(tmp_path)
    key = answers.upload_key(data)[:16]
    shown = show("predict", **{answers.UPLOADS: [Upload.of("a.mp3", data)], f"closer-0-{key}": "Why?"})
    assert not shown.error and "Bright is what the model took" in text(shown)
    assert len(shown.get("bidi_component")) == 1 and len(shown.get("audio")) <= 3
    assert "Save as a page to share" in {one.proto.label for one in shown.get("download_button")}
    genre = next(one for one in shown.selectbox if one.label == "What spoke for")
    other = next(one for one in GENRES if one != genre.value)
    genre.set_value(other)
    assert f"took {other} from" in text(run(shown))


def test_the_same_song_dropped_twice_is_answered_twice(embedded: model.Model, tmp_path: Path) -> None:
    data = upload(tmp_path)
    shown = show("predict", **{answers.UPLOADS: [Upload.of("a.mp3", data), Upload.of("a.mp3", data)]})
    assert not shown.error
    closer = next(one for one in shown.selectbox if one.label == "Look closer at")
    assert closer.options == ["1  a.mp3", "2  a.mp3"]
    closer.set_value(1)
    assert not run(shown).error


def test_a_refused_song_is_told_in_words(answering: model.Model, home: Settings, tmp_path: Path) -> None:
    training = TrainingRecipe(network="small_resnet", steps=3, crop_frames=64)
    publish(home.models / "strict", genres=GENRES, spectrogram=RECIPE, training=training, space=space(limit=0.0))
    shown = show("predict", **{answers.UPLOADS: [Upload.of("a.mp3", upload(tmp_path))]})
    shown.selectbox[0].set_value("strict")
    shown = run(shown)
    assert "### None of these genres" in [one.value for one in shown.markdown]
    assert "unlike the music that the model learned from" in text(shown)


def test_a_song_of_the_library_has_neighbours_too(embedded: model.Model) -> None:
    shown = show("explore", alike=True)
    assert not shown.error and text(shown).count("% alike") == 5
    assert len(shown.get("bidi_component")) == 1 and len(shown.get("audio")) == 5


def test_what_is_set_aside_is_not_on_the_map(embedded: model.Model, home: Settings) -> None:
    database = Database(home.database)
    first = Library(database).tracks(RECIPE.fingerprint)[0]
    LabelReviews(database).not_music(first.id, who="you")
    assert not show("map").error


def test_a_map_holds_every_song_once_in_its_genres_colour() -> None:
    rng = np.random.default_rng(0)
    places, genres = rng.normal(size=(50, 2)).astype(np.float32), [("a", "<b>")[i % 2] for i in range(50)]
    figure = charts.song_map(
        places, genres, [NAME] * 50, range(100, 150), {"a": "#123456"}, uploads=[(NAME, 0.5, 0.5)], drawing=True
    )
    a, b, star = figure.data
    assert a.marker.color == "#123456" and a.name == "a" and b.name == "&lt;b&gt;" and star.name == "your uploads"
    assert sorted([*a.customdata, *b.customdata]) == list(range(100, 150))
    assert np.allclose(np.column_stack([a.x, a.y]), places[::2])
    assert "<script" not in figure.to_json() and figure.layout.dragmode == "lasso"
    assert charts.song_map(places, genres, [NAME] * 50, range(50)).layout.dragmode == "pan"


def test_twenty_thousand_points_are_a_small_file() -> None:
    places = principal_map(np.random.default_rng(0).normal(size=(20_000, 8)).astype(np.float32))
    figure = charts.song_map(
        places, [f"g{i % 20}" for i in range(20_000)], ["An artist – A title"] * 20_000, range(20_000)
    )
    assert len(figure.to_json()) < 2_000_000


def test_what_did_not_speak_is_veiled() -> None:
    told = reasons()
    codes = np.random.default_rng(0).integers(0, 255, (94, 128), np.uint8)
    figure = charts.influence(charts.spectrogram(codes, RECIPE, begin_s=60.0), told, 128)
    under, veil = figure.data
    assert under.x0 == 60.0 and veil.source.startswith("data:image/png")
    (frame,) = figure.layout.shapes
    assert (frame.x0, frame.x1) == told.strongest[:2] and (frame.y0, frame.y1) == (31.5, 47.5)
