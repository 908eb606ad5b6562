"""Cross-validation: for each fold a network that never saw its songs; their answers, kept and counted together.

A fold that is done is kept; a cross-validation that was cut off goes on with the one it was at, from its checkpoint.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.audio.store import SpectrogramStore
from core.errors import TrainingRefused
from core.files import fingerprint, write_json
from core.learning import given as lists
from core.learning import leaks, metrics
from core.learning.augment import require_torchaudio
from core.learning.evaluation import song_spectra
from core.learning.folds import Protocol, artist_folds, given_folds, random_folds
from core.learning.networks import as_logits
from core.learning.plan import Plan
from core.learning.splits import Split, choose
from core.learning.trainer import Trainer
from core.learning.training import alike_songs, fit
from core.library.evaluations import EvaluatedSong, Evaluation, Evaluations
from core.library.store import Library
from core.music import Song
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

OnProgress = Callable[[int, int, str, float | None], None]
NAMED = 20
"""Leaks that a report names."""


@dataclass(frozen=True)
class Request:
    """What is asked for besides the recipe, which is that of every fold. `None` means all genres.

    `folds` is not looked at where a list gives them (`folds_file`).
    """

    protocol: Protocol = "artist-folds"
    folds: int = 4
    seed: int = 0
    genres: tuple[str, ...] | None = None
    folds_file: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For a job's row."""
        return {**vars(self), "genres": None if self.genres is None else list(self.genres)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Request":
        """What `as_json` gave."""
        return cls(**{**told, "genres": None if told["genres"] is None else tuple(told["genres"])})


@dataclass(frozen=True)
class Division:
    """A library divided: `warnings` are sentences; `skipped` files that a list names and the library lacks."""

    genres: tuple[str, ...]
    songs: tuple[Song, ...]
    splits: tuple[Split, ...]
    skipped: tuple[dict[str, str], ...] = ()


def divide(
    library: Library, request: Request, spectrogram: SpectrogramRecipe, pairs: Sequence[tuple[str, str]]
) -> Division:
    """The folds of a library. Raises `TrainingRefused`, in a plain sentence, where they cannot be made."""
    require_torchaudio()
    songs = library.songs(spectrogram.fingerprint)
    if not songs:
        raise TrainingRefused("No song has both a genre and a spectrogram yet. Import songs, then make spectrograms.")
    if request.protocol == "given":
        if request.folds_file is None:
            raise TrainingRefused("To take folds from a list, say which (--folds-file CSV).")
        files = {path: file.sha256 for path, file in library.known_files()[0].items()}
        told = lists.read(Path(request.folds_file), files)
        chosen, genres = choose([song for song in songs if song.sha256 in told.sides], request.genres)
        splits = given_folds(chosen, genres, told.sides, seed=request.seed, pairs=pairs)
        missing = tuple({"path": path, "reason": "No file of the library is at this path."} for path in told.unknown)
        return Division(genres, tuple(chosen), tuple(splits), missing)
    chosen, genres = choose(songs, request.genres)
    if request.protocol == "random":
        splits = random_folds(chosen, genres, folds=request.folds, seed=request.seed)
    else:
        splits = artist_folds(chosen, genres, folds=request.folds, seed=request.seed, pairs=pairs)
    return Division(genres, tuple(chosen), tuple(splits))


def crossvalidate(
    library: Library,
    evaluations: Evaluations,
    settings: Settings,
    name: str,
    recipe: TrainingRecipe,
    request: Request,
    *,
    spectrogram: SpectrogramRecipe | None = None,
    job_id: int | None = None,
    check: Callable[[], None] = lambda: None,
    on_progress: OnProgress = lambda done, total, message, left: None,
) -> dict[str, Any]:
    """Cross-validate `recipe` to the end and keep all answers; goes on where an earlier call was cut off.

    `check` may raise to stop, between steps; `on_progress(steps done, steps of all folds, message, seconds left)`.
    Returns the figures of `metrics.report` over all songs together, with `folds` (figures of each, its `seconds`,
    `temperature` and `steps`), `evaluation` (its number), `protocol`, `seed`, `warnings` and `skipped`.
    """
    spectrogram = spectrogram or SpectrogramRecipe()
    store = SpectrogramStore(settings.spectrograms, spectrogram.fingerprint)
    torch.use_deterministic_algorithms(True)
    pairs = alike_songs(library.songs(spectrogram.fingerprint), store, check, on_progress)
    division = divide(library, request, spectrogram, pairs)
    data = {
        "songs": sorted((song.sha256, list(song.label.weights)) for song in division.songs),
        "splits": [{side: [song.sha256 for song in songs] for side, songs in vars(s).items()} for s in division.splits],
    }
    about = {**request.as_json(), "recipe": recipe.model_dump(mode="json")}
    about |= {"spectrogram": spectrogram.fingerprint, "data": fingerprint(data)}
    evaluation = evaluations.begin(name, "crossvalidation", about, division.genres, job_id=job_id)
    folder = settings.runs / f"cv-{evaluation.id}"
    files = {file.sha256: path for path, file in library.known_files()[0].items()}
    run = _Run(library, evaluations, evaluation, recipe, spectrogram, store, folder, division, files)
    for number in range(len(division.splits)):
        check()
        if not run.is_done(number):
            run.fold(number, pairs, request.protocol, check, on_progress)
    report = _report(evaluations.songs(evaluation), evaluation, request, division, run.notes(), pairs)
    evaluations.finish(evaluation, report)
    shutil.rmtree(folder, ignore_errors=True)
    return report


@dataclass
class _Run:
    """A cross-validation at work. `folder` holds a note of each fold that is done, and the checkpoint of the one that is not."""

    library: Library
    evaluations: Evaluations
    evaluation: Evaluation
    recipe: TrainingRecipe
    spectrogram: SpectrogramRecipe
    store: SpectrogramStore
    folder: Path
    division: Division
    files: Mapping[str, str]

    def is_done(self, number: int) -> bool:
        """Whether all songs of a fold are answered."""
        answered = {song.sha256 for song in self.evaluations.songs(self.evaluation) if song.fold == number}
        return {song.sha256 for song in self.division.splits[number].test} == answered and self._note(number).exists()

    def notes(self) -> list[dict[str, Any]]:
        """What is noted of each fold that is done, in their order."""
        paths = [self._note(number) for number in range(len(self.division.splits))]
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]

    def fold(
        self,
        number: int,
        pairs: Sequence[tuple[str, str]],
        protocol: Protocol,
        check: Callable[[], None],
        on_progress: OnProgress,
    ) -> None:
        """Train a network for a fold, and keep what it answers to the songs of its test side."""
        begun = time.monotonic()
        split, genres, n_folds = self.division.splits[number], self.division.genres, len(self.division.splits)
        statistics = self.library.band_statistics([song.sha256 for song in split.train], self.spectrogram.fingerprint)
        leaks.refuse(split if protocol == "artist-folds" else Split(split.train, (), ()), statistics, pairs)
        folder = self.folder / str(number)
        plan = Plan(genres, split, self.spectrogram, self.evaluation.about["data"])
        trainer = Trainer(plan, self.recipe, folder, self.store, statistics)
        trainer.plan = self._limited(trainer, check)
        before = [note["seconds"] for note in self.notes()]

        def report(step: int, steps: int, message: str, left: float | None) -> None:
            if left is not None:
                one = float(np.mean(before)) if before else time.monotonic() - begun + left
                left += one * (n_folds - number - 1)
            on_progress(number * steps + step, n_folds * steps, f"Fold {number + 1} of {n_folds}: {message}", left)

        network = fit(trainer, check=check, on_progress=report)
        crop_frames = self.recipe.crop_frames
        spectra, _ = song_spectra(
            split.test, self.store, as_logits(network), crop_frames=crop_frames, stride=crop_frames // 2, check=check
        )
        progress = trainer.progress
        note = {
            "seconds": round(progress.seconds, 1),
            "steps": progress.step,
            "best_epoch": progress.best_epoch,
            "temperature": float(network.temperature),
            "train": len(split.train),
            "validation": len(split.validation),
        }
        write_json(self._note(number), note)
        answers = zip(split.test, spectra, strict=True)
        self.evaluations.add_songs(self.evaluation, [self._answered(song, number, one) for song, one in answers])
        shutil.rmtree(folder, ignore_errors=True)

    def _limited(self, trainer: Trainer, check: Callable[[], None]) -> Plan:
        """The plan of a fold with its steps: as they were settled when it was begun, if it was."""
        settled = trainer.folder / "plan.json"
        if settled.exists():
            return Plan(**{**vars(trainer.plan), "steps": json.loads(settled.read_text(encoding="utf-8"))["steps"]})
        plan = trainer.limit(check)
        write_json(settled, {"steps": plan.steps})
        return plan

    def _note(self, number: int) -> Path:
        return self.folder / f"fold-{number}.json"

    def _answered(self, song: Song, number: int, spectrum: Any) -> EvaluatedSong:
        truth = song.label.vector(self.division.genres)
        path = self.files.get(song.sha256, "")
        return EvaluatedSong(song.sha256, path, song.title, song.artist, number, truth, spectrum)


def _report(
    answered: Sequence[EvaluatedSong],
    evaluation: Evaluation,
    request: Request,
    division: Division,
    notes: Sequence[dict[str, Any]],
    pairs: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """The figures over all songs together, and of each fold."""

    def figures(songs: Sequence[EvaluatedSong]) -> dict[str, Any]:
        truth, spectra = np.stack([song.truth for song in songs]), np.stack([song.spectrum for song in songs])
        return metrics.report(truth, spectra, division.genres)

    kept = ("songs", "accuracy", "interval_95", "macro_f1", "top_2_accuracy", "ece", "nll")
    folds = []
    for number, note in enumerate(notes):
        of_fold = figures([song for song in answered if song.fold == number])
        folds.append({"fold": number, **{name: of_fold[name] for name in kept}, **note})
    return {
        **figures(answered),
        "folds": folds,
        "protocol": request.protocol,
        "seed": request.seed,
        "evaluation": evaluation.id,
        "name": evaluation.name,
        "warnings": _warnings(request.protocol, division, pairs),
        "skipped": list(division.skipped),
    }


def _warnings(protocol: Protocol, division: Division, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """What a reader must know before believing the figures."""
    if protocol == "artist-folds":
        return []
    if protocol == "random":
        shared = [len(leaks.artists_on_both_sides(split)) for split in division.splits]
        return [
            "This protocol leaks on purpose: songs were dealt without regard to artists, and in a fold "
            f"{round(float(np.mean(shared)))} artists (on average) are both trained on and tested. The figure flatters; "
            "it is there to show by how much."
        ]
    found = [leak for split in division.splits for leak in leaks.find(split, pairs)]
    named = [f"Leak: {leak}." for leak in found[:NAMED]]
    if len(found) > NAMED:
        named.append(f"{len(found) - NAMED} more leaks like these. The figure flatters where a list leaks.")
    return named
