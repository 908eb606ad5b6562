"""Accuracy on real, labelled songs: `python -m benchmarks.accuracy {songs,clips,gap,predecessor,ablation} [--work DIR]`.

Each prints a table, and keeps every answer in the workspace below DIR (`data/library.db`), so that two commands with one
DIR go on where the first was cut off, and any two answers can be compared. Not part of `make bench`: these take from 20
minutes to hours.

The reference is what small libraries were long served best by: mean and deviation of mel cepstra and of their changes over
a song, standardised, and a support vector machine with a Gaussian kernel.
"""

import argparse
import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.fft import dct
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.__main__ import SONGS
from core.audio.spectrogram import dequantise
from core.audio.store import SpectrogramStore
from core.database import Database
from core.jobs import kinds, worker
from core.learning import metrics
from core.learning.comparison import compare_evaluations
from core.learning.crossvalidation import Request, crossvalidate, divide
from core.library.evaluations import EvaluatedSong, Evaluation, Evaluations
from core.library.store import Library
from core.music import FloatArray, Song
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

DATA = SONGS.parent
BLURRED = {"pop", "rock"}
"""Genres of `songs` whose labels blur: most of both are tagged alike."""
AUGMENTATIONS: dict[str, dict[str, float]] = {
    "gain and tilt": {"gain_db": 6.0, "tilt_db": 6.0},
    "masks": {"time_mask_frames": 24, "freq_mask_bands": 16},
    "mixup": {"mixup_alpha": 0.3},
    "stretch and shift": {"stretch": 0.15, "shift_semitones": 2.0},
}
NONE = {"gain_db": 0, "tilt_db": 0, "time_mask_frames": 0, "freq_mask_bands": 0, "mixup_alpha": 0}


class Workspace:
    """A workspace of one collection, imported and made into spectrograms."""

    def __init__(self, collection: str, work: Path) -> None:
        self.folder = DATA / collection
        self.csv = self.folder / f"{collection}.csv"
        self.settings = Settings(home=work / collection)
        self.database = Database(self.settings.database)
        self.library, self.evaluations = Library(self.database), Evaluations(self.database)
        queue = worker.open_queue(self.settings, self.database)
        worker.run_here(self.settings, self.database, kinds.submit_import(queue, self.folder, "csv", csv_file=self.csv))
        worker.run_here(self.settings, self.database, kinds.submit_preprocess(queue))

    def crossvalidate(self, name: str, recipe: TrainingRecipe, request: Request) -> dict[str, Any]:
        """A cross-validation, or its report if it was done before."""
        for done in self.evaluations.finished(kind="crossvalidation"):
            same = {**request.as_json(), "recipe": recipe.model_dump(mode="json")}
            if same.items() <= done.about.items():
                return {**(done.report or {}), "evaluation": done.id}
        return crossvalidate(self.library, self.evaluations, self.settings, name, recipe, request, on_progress=_told)

    def given(self) -> Request:
        """The artist folds that the collection's own list has."""
        return Request("given", folds_file=str(self.csv))


def cepstral_statistics(workspace: Workspace, songs: Sequence[Song]) -> FloatArray:
    """(n_songs, 80): mean and deviation of 20 mel cepstra, and of their changes."""
    store = SpectrogramStore(workspace.settings.spectrograms, SpectrogramRecipe().fingerprint)
    rows = []
    for song in songs:
        cepstra = dct(dequantise(store.read(song.sha256)), type=2, norm="ortho", axis=1)[:, :20]
        changes = np.diff(cepstra, axis=0)
        rows.append(np.concatenate([cepstra.mean(0), cepstra.std(0), changes.mean(0), changes.std(0)]))
    return np.asarray(rows, np.float32)


def reference(workspace: Workspace, request: Request) -> Evaluation:
    """The reference on the same folds, kept as an evaluation. It learns from the validation songs too."""
    division = divide(workspace.library, request, SpectrogramRecipe(), ())
    genres = division.genres
    name = "cepstra and SVM"
    evaluation = workspace.evaluations.begin(name, "crossvalidation", {"recipe": name, **request.as_json()}, genres)
    answers = []
    for fold, split in enumerate(division.splits):
        learned = [*split.train, *split.validation]
        machine = make_pipeline(StandardScaler(), SVC(C=10))
        machine.fit(cepstral_statistics(workspace, learned), [song.label.top for song in learned])
        found = machine.predict(cepstral_statistics(workspace, split.test))
        for song, genre in zip(split.test, found, strict=True):
            spectrum = np.eye(len(genres), dtype=np.float32)[genres.index(genre)]
            told = (song.sha256, "", song.title, song.artist, fold, song.label.vector(genres), spectrum)
            answers.append(EvaluatedSong(*told))
    workspace.evaluations.add_songs(evaluation, answers)
    truth, spectra = (np.stack([getattr(one, name) for one in answers]) for name in ("truth", "spectrum"))
    workspace.evaluations.finish(evaluation, metrics.report(truth, spectra, genres))
    return workspace.evaluations.get(evaluation.id)


def merged_accuracy(workspace: Workspace, number: int) -> float:
    """Accuracy with the blurred genres counted as one."""
    evaluation = workspace.evaluations.get(number)
    hits = []
    for song in workspace.evaluations.songs(evaluation):
        said = {evaluation.genres[int(row.argmax())] for row in (song.truth, song.spectrum)}
        hits.append(len(said) == 1 or said <= BLURRED)
    return float(np.mean(hits))


def line(workspace: Workspace, name: str, report: dict[str, Any], against: int | None) -> str:
    """A row of the table."""
    low, high = report["interval_95"]
    seconds = ", ".join(f"{fold['seconds']:.0f}" for fold in report.get("folds", ()))
    verdict = ""
    if against is not None and "evaluation" in report:
        told = compare_evaluations(workspace.evaluations, report["evaluation"], against)
        verdict = f"{told['verdict']} (p = {told['p_value']:.2g})"
    merged = ""
    if set(report["genres"]) > BLURRED and len(report["genres"]) == 4 and "evaluation" in report:
        merged = f"{merged_accuracy(workspace, report['evaluation']):.3f}"
    ece = f"{report['ece']:.3f}" if "folds" in report else ""
    return f"| {name} | {report['accuracy']:.3f} ({low:.3f} to {high:.3f}) | {merged} | {ece} | {verdict} | {seconds} |"


HEAD = (
    "| what | accuracy (95 %) | pop = rock | ECE | against the reference | seconds a fold |\n|---|---|---|---|---|---|"
)


def default_recipe(workspace: Workspace, request: Request, seeds: int) -> None:
    """The default recipe over some seeds, against the reference."""
    base = reference(workspace, request)
    print(HEAD)
    print(line(workspace, "cepstra and SVM", {**(base.report or {}), "evaluation": base.id}, None), flush=True)
    found = []
    for seed in range(seeds):
        recipe = TrainingRecipe(seed=seed)
        asked = Request(**{**vars(request), "seed": 0})
        report = workspace.crossvalidate(f"default, seed {seed}", recipe, asked)
        found.append(report["accuracy"])
        print(line(workspace, f"default, seed {seed}", report, base.id), flush=True)
    print(f"over {seeds} seeds: {np.mean(found):.3f}, from {min(found):.3f} to {max(found):.3f}")


def gap(workspace: Workspace) -> None:
    """The same recipe with songs dealt at random: how far that flatters."""
    print(HEAD)
    for protocol in ("artist-folds", "random"):
        request = Request(protocol)  # type: ignore[arg-type]
        report = workspace.crossvalidate(f"{protocol}, seed 0", TrainingRecipe(), request)
        print(line(workspace, protocol, report, None), flush=True)


def predecessor(workspace: Workspace, minutes: float, folds: Sequence[int]) -> None:
    """The predecessor's deeper network, with crops of 128 frames and no augmentation, on some folds."""
    listed = {}
    with workspace.csv.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            listed[row["path"]] = int(row["fold"])
    for fold in folds:
        recipe = TrainingRecipe(
            network="deep_musicrecnet", optimizer="adam", weight_decay=0, crop_frames=128, max_minutes=minutes,
            label_smoothing=0, ema_decay=0, patience=1000, **NONE,
        )  # fmt: skip
        target = workspace.settings.home / f"fold-{fold}.csv"
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "split"])
            for path, number in listed.items():
                writer.writerow([str((workspace.folder / path).resolve()), "test" if number == fold else "train"])
        name = f"predecessor's deeper network, fold {fold}, {minutes:g} min"
        report = workspace.crossvalidate(name, recipe, Request("given", folds_file=str(target)))
        print(HEAD)
        ours = workspace.crossvalidate("default, seed 0", TrainingRecipe(), workspace.given())
        print(line(workspace, name, report, ours["evaluation"]), flush=True)


def ablation(workspace: Workspace, steps: int) -> None:
    """Each augmentation alone against none, by the small residual network, on validation songs of two folds.

    Chosen on songs that are held out of training, and not on those that the other tables report on.
    """
    from core.learning.plan import Plan
    from core.learning.trainer import Trainer

    division = divide(workspace.library, workspace.given(), SpectrogramRecipe(), ())
    store = SpectrogramStore(workspace.settings.spectrograms, SpectrogramRecipe().fingerprint)
    print("| augmentation | validation loss of songs | validation accuracy |\n|---|---|---|")
    for name, changes in {"none": {}, **AUGMENTATIONS, "all four": _all()}.items():
        recipe = TrainingRecipe(network="genrescope", steps=steps, patience=1000, **{**NONE, **changes})
        losses, accuracies = [], []
        for split in division.splits[:2]:
            statistics = workspace.library.band_statistics(
                [song.sha256 for song in split.train], SpectrogramRecipe().fingerprint
            )
            plan = Plan(division.genres, split, SpectrogramRecipe(), "", steps)
            with tempfile.TemporaryDirectory() as folder:
                trainer = Trainer(plan, recipe, Path(folder), store, statistics)
                while trainer.unfinished:
                    epoch = trainer.run_epoch(lambda: None, _told)
            losses.append(epoch.validation_loss)
            accuracies.append(epoch.song_accuracy)
        print(f"| {name} | {np.mean(losses):.3f} | {np.mean(accuracies):.3f} |", flush=True)


def _all() -> dict[str, float]:
    return {name: value for changes in AUGMENTATIONS.values() for name, value in changes.items()}


def _told(done: int, total: int | None, message: str, left: float | None) -> None:
    """Progress is not shown: the table grows by itself."""


def main() -> None:
    """Do one of them."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=["songs", "clips", "gap", "predecessor", "ablation"])
    asked.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "genrescope-accuracy")
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--steps", type=int, default=200)
    asked.add_argument("--minutes", type=float, default=32)
    asked.add_argument("--folds", type=int, nargs="+", default=[0])
    given = asked.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"The labelled songs are not on this machine ({DATA} is absent), so nothing can be measured.")
    workspace = Workspace("clips" if given.what == "clips" else "songs", given.work)
    if given.what == "predecessor":
        predecessor(workspace, given.minutes, given.folds)
    elif given.what == "ablation":
        ablation(workspace, given.steps)
    elif given.what == "gap":
        gap(workspace)
    else:
        default_recipe(workspace, workspace.given() if given.what == "songs" else Request(), given.seeds)


if __name__ == "__main__":
    main()
