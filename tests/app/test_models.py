"""Models on the Predict page: told about, handed on, taken in; and a shipped one answers before anything else is there."""
# ruff: noqa: F811 - fixtures are imported, and then named by tests

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import answers, state
from app.answers import Upload
from core.audio import waveform
from core.jobs.queue import Queue
from core.learning import model
from core.learning.sharing import as_zip
from core.settings import Settings
from tests.app.test_pages import (  # noqa: F401 - fixtures
    GENRE,
    NAME,
    click,
    dangers,
    home,
    labels,
    markdown,
    queue,
    run,
    show,
)
from tests.loopback import Answer, serving
from tests.models import change_card, make_old, publish
from tests.sounds import drone, write_sound

TOLD = {
    name: f"{name}: {NAME}" for name in ("title", "description", "data_origin", "intended_use", "limits", "licence")
}


def text(shown: object) -> str:
    return " ".join(markdown(shown)).replace("\\", "")  # type: ignore[arg-type]


@pytest.fixture
def shipped(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that came with the project; the workspace is empty."""
    monkeypatch.setattr("core.settings.PROJECT", tmp_path / "project")
    split = {"train": [{}] * 60, "validation": [{}] * 10, "test": [{}] * 20}
    return publish(
        tmp_path / "project" / "models" / "genrescope-3", told=TOLD, split=split, genres=(GENRE, "hiss", "polka")
    )


def test_a_shipped_model_answers_in_an_empty_workspace(shipped: Path, tmp_path: Path) -> None:
    song = write_sound(tmp_path / "a.wav", drone(np.random.default_rng(0), 3.0)).read_bytes()
    shown = show("predict", **{answers.UPLOADS: [Upload.of(NAME, song)]})
    assert not shown.error
    assert any(one.value.startswith("### ") for one in shown.markdown), "an answer in words"
    assert "Knows" in shown.caption[0].value and "50% of 20 songs by unheard artists right" in shown.caption[0].value
    assert dangers(shown) == []


def test_a_file_that_is_no_song_stops_no_other(shipped: Path, tmp_path: Path) -> None:
    song = write_sound(tmp_path / "a.wav", drone(np.random.default_rng(0), 3.0)).read_bytes()
    shown = show("predict", **{answers.UPLOADS: [Upload.of("b.mp3", b"no sound"), Upload.of("a.wav", song)]})
    assert len(shown.error) == 1 and "not a sound file" in shown.error[0].value
    assert sum(one.value.startswith("### ") for one in shown.markdown) == 1


def test_no_sound_is_decoded_in_the_apps_own_process(
    shipped: Path, tmp_path: Path, songs_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise AssertionError("a decoder in the app's own process")

    path = write_sound(tmp_path / "a.aiff", drone(np.random.default_rng(0), 3.0))
    song = path.read_bytes()
    monkeypatch.setattr(waveform, "_opened", crash)
    with pytest.raises(AssertionError):
        waveform.probe(path)
    shown = show(
        "predict", **{answers.UPLOADS: [Upload.of("a.aiff", song)], f"closer-0-{answers.upload_key(song)[:16]}": "Why?"}
    )
    assert not shown.error and "is what the model took" in text(shown)
    rows, _ = state.import_preview(str(songs_folder), None)
    assert rows and all(row.artist for row in rows)
    assert state.wav(str(path), "") == answers.upload_wav(song) != b""
    assert answers.upload_artist(song) == "" and answers.upload_alone(song, (1.0, 2.0, 100.0, 1000.0))


def test_many_songs_are_listened_to_once(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "REMEMBERED", 1)  # fewer than lie in the box
    songs = [
        Upload.of(f"{i}.wav", write_sound(tmp_path / f"{i}.wav", drone(np.random.default_rng(i), 0.5)).read_bytes())
        for i in range(4)
    ]
    listened = 0
    real = answers.predict_each

    def counted(sources: Iterable[object], *about: Any, **limits: Any) -> object:
        nonlocal listened
        songs = list(sources)
        listened += len(songs)
        return real(songs, *about, **limits)

    monkeypatch.setattr(answers, "predict_each", counted)
    shown = show("predict", **{answers.UPLOADS: songs})
    shown = run(shown)
    assert not shown.error
    assert listened == len(songs)


def test_the_card_of_a_model_can_be_read(shipped: Path) -> None:
    shown = show("predict")
    told = text(shown)
    for what in (
        *TOLD.values(),
        "with other songs probably 30% to 70%",
        "60 songs learned from, 10 checked with meanwhile, 20 kept aside",
    ):
        assert what in told
    assert "it came with Genrescope" in told and "This model came with Genrescope and stays." in told
    assert dangers(shown) == []


def test_what_a_card_does_not_tell_is_left_out(home: Settings) -> None:
    publish(home.models / "mine", metrics=None)
    told = text(show("predict"))
    assert "Limits" not in told and "Licence" not in told and "kept aside" not in told
    assert "Accuracy.** not tested" in told and "this workspace" in told


def test_odd_figures_on_a_card_break_no_page(home: Settings) -> None:
    folder = publish(home.models / "mine")
    change_card(folder, lambda card: card.update(metrics={"songs": NAME, "accuracy": []}, split={"train": 3}))
    assert "not tested" in text(show("predict"))


def test_an_older_model_is_told_of_with_the_way_out(home: Settings) -> None:
    make_old(publish(home.models / "old"))
    shown = show("predict")
    assert "python -m core models upgrade old" in shown.warning[0].value.replace("\\", "")
    assert "Train a network" in labels(shown)


def test_a_model_is_downloaded_with_its_sha256(home: Settings) -> None:
    folder = publish(home.models / "mine")
    shown = show("predict")
    assert not shown.code, "it is packed only when it is asked for"
    shown.toggle[0].set_value(True)
    run(shown)
    assert shown.code[0].value == hashlib.sha256(as_zip(folder)).hexdigest()
    assert any(label.startswith("Download as one zip (") for label in download_labels(shown))


def download_labels(shown: object) -> list[str]:
    return [one.proto.label for one in shown.get("download_button")]  # type: ignore[attr-defined]


def test_a_damaged_model_is_not_handed_on(home: Settings) -> None:
    folder = publish(home.models / "mine")
    (folder / model.WEIGHTS).write_bytes(b"x")
    shown = show("predict")
    shown.toggle[0].set_value(True)
    run(shown)
    assert "is damaged" in shown.error[0].value and download_labels(shown) == []


def test_a_model_is_added_from_a_file_and_chosen(home: Settings, tmp_path: Path) -> None:
    data = as_zip(publish(tmp_path / "theirs"))
    shown = show("predict")  # with no model yet
    shown.file_uploader[0].set_value(("their genres.zip", data, "application/zip"))
    run(shown)
    assert next(one for one in shown.text_input if one.label == "Name of the new model").value == "their genres"
    click(shown, "Add")
    assert [path.name for path in home.models.iterdir()] == ["their genres"]
    assert "their genres can be chosen now" in shown.success[0].value
    assert shown.selectbox[0].value == "their genres"


def test_a_file_that_is_no_model_is_told(home: Settings) -> None:
    shown = show("predict")
    shown.file_uploader[0].set_value(("x.zip", b"no zip", "application/zip"))
    run(shown)
    click(shown, "Add")
    assert "is no zip file of a model" in shown.error[0].value
    assert not home.models.exists() or list(home.models.iterdir()) == []


def test_a_model_is_fetched_by_a_job(home: Settings, queue: Queue) -> None:
    shown = show("predict")

    def fill(label: str, said: str) -> None:
        next(one for one in shown.text_input if one.label.startswith(label)).set_value(said)

    click(shown, "Fetch")
    assert "Give the address" in shown.error[0].value
    fill("From the web", " https://models.example/a.zip ")
    fill("Its SHA-256", "12")
    click(shown, "Fetch")
    assert "64 digits" in shown.error[0].value and queue.unfinished() == []
    fill("Its SHA-256", "A" * 64)
    fill("Name (as", "../x")
    click(shown, "Fetch")
    assert "cannot be a model" in shown.error[0].value and queue.unfinished() == []
    fill("Name (as", "theirs")
    click(shown, "Fetch")
    [job] = queue.unfinished()
    asked = {"url": "https://models.example/a.zip", "sha256": "a" * 64, "name": "theirs"}
    assert (job.kind, job.parameters) == ("fetch_model", asked)
    assert any(label.startswith("Stop") for label in labels(shown)), "its progress is shown"
    claimed = queue.claim("me", job_id=job.id)
    assert claimed
    queue.finish(claimed, "me", "done", result={"name": NAME, "genres": [GENRE, "polka"]})
    run(shown)
    assert "can be chosen now; it knows" in shown.success[0].value
    assert dangers(shown) == []


def test_a_model_that_is_made_or_removed_is_noticed_at_once(home: Settings) -> None:
    names = lambda: [entry.name for entry in answers.model_entries() if entry.own]  # noqa: E731
    assert names() == []
    publish(home.models / "mine")
    assert names() == ["mine"]
    (home.models / "mine").rename(home.models / "yours")
    assert names() == ["yours"]
    change_card(home.models / "yours", lambda card: card.update(created_at="2020-01-01T00:00:00.000+00:00"))
    assert next(entry.card.created_at for entry in answers.model_entries() if entry.own and entry.card)[:4] == "2020"


def test_what_is_kept_is_made_anew_when_the_library_was_written_to(home: Settings) -> None:
    made = []
    count = lambda: state.kept(lambda: made.append(1) or len(made), "test")  # noqa: E731
    assert (count(), count()) == (1, 1)
    with state.database().write() as db:
        db.execute("CREATE TABLE anything (a)")
    assert (count(), count()) == (2, 2)


@pytest.mark.slow
def test_a_pasted_link_is_listened_to(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = write_sound(tmp_path / "a.wav", drone(np.random.default_rng(0), 3.0)).read_bytes()
    with serving(lambda asked: Answer(sound, 200, {"Content-Type": "audio/wav"})) as server:
        monkeypatch.setenv("GENRESCOPE_ALLOWED_HOSTS", server.url.removeprefix("http://"))
        shown = show("predict")
        next(one for one in shown.text_input if one.label == "Address of one song").set_value(f"{server.url}/a.wav")
        shown = click(shown, "Listen to it")
        assert not shown.error and any(one.value.startswith("### ") for one in shown.markdown)
        next(one for one in shown.text_input if one.label == "Address of one song").set_value("https://example.com/x")
        shown = click(shown, "Listen to it")
        assert "no single song of a site" in shown.error[0].value.replace("\\", "")
