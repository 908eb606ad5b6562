"""Cross-validation: every song answered once by a network that never saw its artist, whatever is interrupted."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.audio.store import SpectrogramStore
from core.database import Database
from core.errors import JobStopped, LeakError, LibraryError, TrainingRefused
from core.learning import crossvalidation, metrics
from core.learning.comparison import compare_evaluations
from core.learning.crossvalidation import Request, crossvalidate, divide
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings
from tests.sounds import write_library

SPECTROGRAM = SpectrogramRecipe()
QUICK: dict[str, Any] = {"network": "small_resnet", "crop_frames": 32, "crops_per_song": 2, "batch_size": 16}
RECIPE = TrainingRecipe(steps=3, **QUICK)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def prepared(songs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose 24 songs have genres and spectrograms. To be copied, not written to."""
    settings = Settings(home=tmp_path_factory.mktemp("prepared"), processes=1)
    library = Library(Database(settings.database))
    import_folder(library, settings, songs_folder, genre_from="folder")
    preprocess(library, settings, SPECTROGRAM)
    return settings.home


class Workspace:
    """A copy of the prepared workspace."""

    def __init__(self, prepared: Path, home: Path) -> None:
        shutil.copytree(prepared, home)
        self.settings = Settings(home=home)
        database = Database(self.settings.database)
        self.library, self.evaluations = Library(database), Evaluations(database)

    def run(self, request: Request, recipe: TrainingRecipe = RECIPE, **rest: Any) -> dict[str, Any]:
        return crossvalidate(self.library, self.evaluations, self.settings, "a", recipe, request, **rest)

    def answers(self, report: dict[str, Any]) -> dict[str, EvaluatedSong]:
        evaluation = self.evaluations.get(report["evaluation"])
        return {song.sha256: song for song in self.evaluations.songs(evaluation)}


@pytest.fixture
def workspace(prepared: Path, tmp_path: Path) -> Workspace:
    return Workspace(prepared, tmp_path / "workspace")


@pytest.mark.slow
def test_every_song_is_answered_once_and_counted_together(workspace: Workspace) -> None:
    progress: list[tuple[int, int, str, float | None]] = []
    report = workspace.run(Request(folds=2), on_progress=lambda *told: progress.append(told))
    answers = workspace.answers(report)
    songs = {song.sha256: song for song in workspace.library.songs(SPECTROGRAM.fingerprint)}
    assert answers.keys() == songs.keys() and report["songs"] == 24
    truth, spectra = (np.stack([getattr(song, name) for song in answers.values()]) for name in ("truth", "spectrum"))
    assert report | metrics.report(truth, spectra, ("drone", "hiss")) == report
    assert [fold["songs"] for fold in report["folds"]] == [12, 12] and report["protocol"] == "artist-folds"
    assert all(fold["steps"] == 3 and fold["temperature"] > 0 and fold["ece"] >= 0 for fold in report["folds"])
    assert sum(fold["accuracy"] * 12 for fold in report["folds"]) == pytest.approx(24 * report["accuracy"])
    artists = [{song.artist for song in answers.values() if song.fold == fold} for fold in (0, 1)]
    assert not artists[0] & artists[1]
    assert all(Path(song.path).is_file() and song.title for song in answers.values())
    assert (report["warnings"], report["skipped"]) == ([], [])
    assert workspace.evaluations.finished(kind="crossvalidation")[0].report == json.loads(json.dumps(report))
    assert not (workspace.settings.runs / f"cv-{report['evaluation']}").exists()
    assert progress[-1][:2] == (6, 6) and "Fold 2 of 2" in progress[-1][2]
    assert [done for done, *_ in progress] == sorted(done for done, *_ in progress)


@pytest.mark.slow
def test_cut_off_it_goes_on_and_comes_to_the_same(workspace: Workspace, prepared: Path, tmp_path: Path) -> None:
    request = Request(folds=2, seed=3)
    whole = Workspace(prepared, tmp_path / "undisturbed").run(request)

    def stop_in_the_second(done: int, total: int, message: str, left: float | None) -> None:
        if message.startswith("Fold 2 of 2: Epoch") and done == 5:
            raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        workspace.run(request, on_progress=stop_in_the_second)
    assert workspace.evaluations.finished() == []
    told: list[str] = []
    report = workspace.run(request, on_progress=lambda done, total, message, left: told.append(message))
    assert not [message for message in told if "Fold 1 of 2" in message], "the first fold was kept"
    seconds = {"folds", "evaluation"}
    assert {k: v for k, v in report.items() if k not in seconds} == {k: v for k, v in whole.items() if k not in seconds}
    again = workspace.run(request)
    assert again["evaluation"] != report["evaluation"], "one that has finished is not overwritten"


@pytest.mark.slow
def test_minutes_are_for_every_fold(workspace: Workspace) -> None:
    """The second fold is measured while files of the first are still open."""
    report = workspace.run(Request(folds=2), TrainingRecipe(max_minutes=0.02, **QUICK))
    assert report["songs"] == 24 and all(fold["steps"] >= 1 for fold in report["folds"])


def test_random_folds_say_that_they_flatter(workspace: Workspace) -> None:
    report = workspace.run(Request(protocol="random", folds=2), TrainingRecipe(steps=1, **QUICK))
    assert report["songs"] == 24 and report["protocol"] == "random"
    assert "leaks on purpose" in report["warnings"][0] and "artists (on average)" in report["warnings"][0]


def test_a_given_list_is_followed_and_its_leaks_are_named(workspace: Workspace, tmp_path: Path) -> None:
    paths = sorted(workspace.library.known_files()[0])
    rows = [(path, "test" if "Song 11" in path else "train") for path in paths if "Song 10" not in path]
    listed = tmp_path / "list.csv"
    with listed.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("path", "split"), *rows, ("gone.mp3", "train")])
    report = workspace.run(Request(protocol="given", folds_file=str(listed)), TrainingRecipe(steps=1, **QUICK))
    assert report["songs"] == 2 and len(report["folds"]) == 1
    assert report["folds"][0]["train"] + report["folds"][0]["validation"] == 20
    assert [file["path"] for file in report["skipped"]] == ["gone.mp3"]
    assert any('the artist "drone artist 5" is in' in warning for warning in report["warnings"])


def test_a_leak_stops_it_before_its_first_step(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = divide(workspace.library, Request(folds=2), SPECTROGRAM, ())
    split = honest.splits[0]
    leaky = type(split)((*split.train, split.test[0]), split.validation, split.test)
    division = crossvalidation.Division(honest.genres, honest.songs, (leaky, honest.splits[1]))
    monkeypatch.setattr(crossvalidation, "divide", lambda *_: division)
    steps: list[int] = []
    with pytest.raises(LeakError, match="artist"):
        workspace.run(Request(folds=2), on_progress=lambda done, *_: steps.append(done))
    assert steps == []


def test_what_cannot_be_divided_is_refused(workspace: Workspace) -> None:
    with pytest.raises(TrainingRefused, match="7 folds need at least 7 artists"):
        workspace.run(Request(folds=7))
    with pytest.raises(TrainingRefused, match="folds-file"):
        workspace.run(Request(protocol="given"))
    assert workspace.evaluations.finished() == [] and not workspace.settings.runs.exists()


def test_two_evaluations_are_compared_song_by_song(workspace: Workspace) -> None:
    genres = ("drone", "hiss")
    ids = []
    for name, wrong in (("good", 2), ("bad", 14)):
        evaluation = workspace.evaluations.begin(name, "folder", {}, genres)
        songs = [
            EvaluatedSong(f"{n:02d}", f"/{n}", f"Song {n}", "A", 0, np.eye(2)[0], np.eye(2)[int(n < wrong)])
            for n in range(20)
        ]
        workspace.evaluations.add_songs(evaluation, songs)
        ids.append(evaluation.id)
    told = compare_evaluations(workspace.evaluations, *ids)
    assert (told["verdict"], told["songs"], told["only_first_right"], told["relabelled"]) == ("better", 20, 12, 0)
    assert [song["title"] for song in told["differ"]] == [f"Song {n}" for n in range(2, 14)]
    assert told["differ"][0]["answers"] == ["drone", "hiss"] and told["names"] == ["good", "bad"]
    other = workspace.evaluations.begin("other", "folder", {}, genres)
    workspace.evaluations.add_songs(other, [EvaluatedSong("00", "", "", "", 0, np.eye(2)[1], np.eye(2)[1])])
    with pytest.raises(LibraryError, match="no song in common"):
        compare_evaluations(workspace.evaluations, ids[0], other.id)


# -- nothing is learned from labels that mean nothing ------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of 80 short songs, an artist each."""
    settings = Settings(home=tmp_path_factory.mktemp("many"), processes=1)
    folder = write_library(settings.home / "songs", songs=40, artists=40, seconds=2.0, seed=1, suffixes=(".flac",))
    library = Library(Database(settings.database))
    import_folder(library, settings, folder, genre_from="folder")
    preprocess(library, settings, SPECTROGRAM)
    return settings.home


@pytest.mark.slow
def test_shuffled_labels_give_chance_and_true_ones_do_not(many: Path) -> None:
    settings = Settings(home=many)
    database = Database(settings.database)
    library, evaluations = Library(database), Evaluations(database)
    recipe = TrainingRecipe(steps=8, learning_rate=3e-3, **QUICK | {"batch_size": 32})

    def accuracy() -> tuple[float, tuple[float, float]]:
        report = crossvalidate(library, evaluations, settings, "a", recipe, Request(folds=2))
        return report["accuracy"], tuple(report["interval_95"])

    true, _ = accuracy()
    ids = [song.track_id for song in sorted(library.songs(SPECTROGRAM.fingerprint), key=lambda song: song.title)]
    shuffled = np.random.default_rng(0).permutation(ids)
    for genre, half in (("drone", shuffled[:40]), ("hiss", shuffled[40:])):
        library.label_by_hand([int(track) for track in half], {genre: 1.0}, who="chance")
    by_chance, (low, high) = accuracy()
    assert true > 0.9
    assert low <= 0.5 <= high, f"labels that mean nothing were answered right {by_chance:.0%} of the time"


def test_the_spectrograms_are_not_touched(workspace: Workspace) -> None:
    store = SpectrogramStore(workspace.settings.spectrograms, SPECTROGRAM.fingerprint)
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.npy")}
    workspace.run(Request(folds=2), TrainingRecipe(steps=1, **QUICK))
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.npy")} == before
