"""`labels ...` on the command line."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from core.cli import app
from core.database import Database
from core.jobs import kinds, worker
from core.library.catalogue import Catalogue
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.label_reviews import LabelReviews
from core.library.store import Library, TrackRow
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.sounds import tone, write_sound

GENRES = ("drone", "hiss")
FINGERPRINT = SpectrogramRecipe().fingerprint


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, songs_folder: Path) -> Path:
    """The `data` of a workspace: 24 songs with spectrograms, and one of them again, encoded anew. Not to be written to."""
    folder = tmp_path_factory.mktemp("labelling")
    settings = Settings(home=folder / "home", processes=2, lease_s=2.0)
    database = Database(settings.database)
    queue = worker.open_queue(settings, database)
    worker.run_here(settings, database, kinds.submit_import(queue, songs_folder, "folder"))
    rng = np.random.default_rng(5)
    melody = np.concatenate([tone(float(pitch), 0.25) for pitch in rng.uniform(200, 2000, 80)])
    for name, ending in (("Ada - Tune", "flac"), ("Somebody - Other name", "mp3")):
        write_sound(folder / "more" / "drone" / f"{name}.{ending}", melody)
    worker.run_here(settings, database, kinds.submit_import(queue, folder / "more", "folder"))
    worker.run_here(settings, database, kinds.submit_preprocess(queue))
    return settings.data


@pytest.fixture
def database(settings: Settings, ready: Path) -> Database:
    shutil.copytree(ready, settings.data)
    return Database(settings.database)


def labels(settings: Settings, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["labels", *map(str, arguments), "--home", str(settings.home)])


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def track(database: Database, title: str) -> TrackRow:
    return next(row for row in Library(database).tracks(FINGERPRINT) if row.title == title)


def ask(database: Database, wrong: str, *, protocol: str = "artist-folds") -> None:
    """A cross-validation that has answered about the 24 songs, rightly but for the song titled `wrong`."""
    evaluations = Evaluations(database)
    evaluation = evaluations.begin(wrong, "crossvalidation", {"protocol": protocol}, GENRES)
    rows = [row for row in Library(database).tracks(FINGERPRINT) if " Song " in row.title]
    songs = []
    for row in rows:
        assert row.label
        truth = row.label.vector(GENRES)
        sure = 0.9 * truth + 0.05
        spectrum = (1 - sure if row.title == wrong else sure).astype(np.float32)
        songs.append(EvaluatedSong(row.sha256, row.path, row.title, row.artist, 0, truth, spectrum))
    evaluations.add_songs(evaluation, songs)
    evaluations.finish(evaluation, {})


def test_without_answers_it_is_told_how_to_get_them(settings: Settings, database: Database) -> None:
    ask(database, "Drone Song 1", protocol="random")
    result = labels(settings, "issues", "--json")
    assert result.exit_code == 1 and "crossvalidate" in document(result)["error"]


def test_doubted_labels_are_listed_until_they_are_settled(settings: Settings, database: Database) -> None:
    ask(database, "Drone Song 1")
    told = document(labels(settings, "issues", "--json"))
    assert (told["suspected"], told["looked_at"], told["added_since"], len(told["songs"])) == (1, 0, 2, 26)
    first = told["songs"][0]
    assert (first["title"], first["is_issue"], first["suggested"]) == ("Drone Song 1", True, ["hiss"])
    assert first["suspicion"] == pytest.approx(0.95) and told["songs"][-1]["suspicion"] is None
    assert told["agreement"] == {name: {"songs": 24, "agreed": 23} for name in ("before", "now")}
    hissing = document(labels(settings, "issues", "--genre", "hiss", "--order", "uncertainty", "--limit", 5, "--json"))
    assert len(hissing["songs"]) == 5 and all(
        "hiss" in [*song["label"], *song["suggested"]] for song in hissing["songs"]
    )

    number = track(database, "Drone Song 1").id
    said = document(labels(settings, "set", number, "hiss=3", "drone", "--who", "Ada", "--json"))
    assert said == {"id": number, "title": "Drone Song 1", "label": {"hiss": 0.75, "drone": 0.25}}
    assert LabelReviews(database).all()[number].who == "Ada"
    told = document(labels(settings, "issues", "--json"))
    assert (told["suspected"], told["looked_at"], told["agreement"]["now"]["agreed"]) == (1, 1, 24)
    assert number not in [song["id"] for song in told["songs"]]


def test_a_label_is_confirmed(settings: Settings, database: Database) -> None:
    ask(database, "Hiss Song 2")
    number = track(database, "Hiss Song 2").id
    assert document(labels(settings, "confirm", number, "--json"))["label"] == {"hiss": 1.0}
    assert document(labels(settings, "issues", "--json"))["looked_at"] == 1
    text = labels(settings, "issues").stdout
    assert text.startswith("1 of 1 suspected songs looked at; 2 songs are new") and "Hiss Song 2" not in text


def test_recordings_that_are_there_twice_are_listed(settings: Settings, database: Database) -> None:
    ours = {"Tune", "Other name"}  # the made-up drones are each other's likeness, too

    def pairs() -> list[Any]:
        listed = document(labels(settings, "duplicates", "--json"))
        return [pair for pair in listed if {one["title"] for one in pair["tracks"]} == ours]

    (pair,) = pairs()
    assert pair["likeness"] > 0.7
    one, other = (track["id"] for track in pair["tracks"])
    assert any("Other name" in line and "Tune" in line for line in labels(settings, "duplicates").stdout.splitlines())
    Catalogue(database).keep_apart([(one, other)])
    assert pairs() == []


def test_where_nothing_is_there_twice_that_is_told(settings: Settings) -> None:
    assert "No two songs" in labels(settings, "duplicates").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("set", 999, "hiss"), 1, "not in the library"),
        (("set", 1, "hiss=much"), 1, "is no number"),
        (("set", 1, "hiss=-1"), 1, "above 0"),
        (("confirm", 999), 1, "not in the library"),
    ],
)
def test_what_cannot_be_done_is_told(
    settings: Settings, database: Database, arguments: tuple[object, ...], code: int, told: str
) -> None:
    result = labels(settings, *arguments, "--json")
    assert result.exit_code == code and told in document(result)["error"]


@pytest.mark.parametrize("command", ["issues", "set", "confirm", "duplicates"])
def test_every_command_has_help_and_the_common_options(command: str) -> None:
    told = CliRunner().invoke(app, ["labels", command, "--help"])
    assert told.exit_code == 0 and all(option in told.stdout for option in ("--help", "--home", "--json"))


def test_wrong_usage_is_told(settings: Settings) -> None:
    assert labels(settings, "issues", "--order", "beauty").exit_code == 2
    assert labels(settings, "set", 1).exit_code == 2
