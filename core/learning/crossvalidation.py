"""Cross-validation: for each fold a network that never saw its songs; their answers, kept and counted together.

A fold that is done is kept; a cross-validation that was cut off goes on with the one it was at, from its checkpoint.
Folds are trained one after another here, or side by side by the workers of a cluster (`settings.dask_scheduler`).
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch

from core.audio.store import SpectrogramStore
from core.errors import TrainingRefused
from core.files import fingerprint, whole, write_json
from core.jobs.compute import fan_out_far
from core.learning import given as lists
from core.learning import leaks, metrics
from core.learning.augment import require_torchaudio
from core.learning.fold import TURN, FoldAnswer, FoldOrder, Watch, has_turn, train_fold, train_fold_far
from core.learning.folds import Protocol, artist_folds, given_folds, random_folds
from core.learning.plan import Plan
from core.learning.splits import Split, choose
from core.learning.training import alike_songs
from core.library.evaluations import EvaluatedSong, Evaluation, Evaluations
from core.library.store import Library
from core.music import Song
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

OnProgress = Callable[[int, int, str, float | None], None]
NAMED = 20
"""Leaks that a report names."""
DIED = (
    "The workers of the cluster that trained a fold died, again and again: perhaps they lack memory (dask worker "
    "--memory-limit), or one of them is broken. What was done is kept: mend that, and go on."
)


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
        by_path, by_key = library.known_files()
        files = {path: file.sha256 for path, file in by_path.items()}
        hashes = {file.file_sha256: file.sha256 for file in by_key.values() if file.file_sha256}
        told = lists.read(Path(request.folds_file), files, hashes)
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
    if settings.dask_scheduler:
        run.on_cluster(settings.dask_scheduler, pairs, request.protocol, check, on_progress)
    else:
        (folder / TURN).unlink(missing_ok=True)  # workers that an earlier attempt has left behind stop
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
        """Train a network for a fold in this process, and keep what it answers to the songs of its test side."""
        begun, n_folds = time.monotonic(), len(self.division.splits)
        before = [note["seconds"] for note in self.notes()]

        def report(step: int, steps: int, message: str, left: float | None) -> None:
            if left is not None:
                one = float(np.mean(before)) if before else time.monotonic() - begun + left
                left += one * (n_folds - number - 1)
            on_progress(number * steps + step, n_folds * steps, f"Fold {number + 1} of {n_folds}: {message}", left)

        order = self._order(number, pairs, protocol)
        self._keep(order, train_fold(order, self.store, check, report))

    def on_cluster(
        self,
        scheduler: str,
        pairs: Sequence[tuple[str, str]],
        protocol: Protocol,
        check: Callable[[], None],
        on_progress: OnProgress,
    ) -> None:
        """Have the folds that are not done trained side by side, a worker each, and keep what comes of them.

        They stop when this ends otherwise, or when another process takes the run over (the turn is another's then).
        """
        left = [number for number in range(len(self.division.splits)) if not self.is_done(number)]
        if not left:
            return
        turn = uuid4().hex
        with whole(self.folder / TURN) as partial:
            partial.write_text(turn, encoding="utf-8")
        watch = Watch(self.folder, len(self.division.splits), set(left), check, on_progress)
        orders = (replace(self._order(number, pairs, protocol), turn=turn) for number in left)
        try:
            with closing(
                fan_out_far(
                    train_fold_far, orders, check=watch.look, scheduler=scheduler, whole_workers=True, crashed=DIED
                )
            ) as answers:
                for order, answer in answers:
                    if isinstance(answer, Exception):
                        raise answer
                    self._keep(order, answer)
                    watch.is_done(order.number, answer.note["steps"])
        finally:
            if has_turn(self.folder, turn):
                (self.folder / TURN).unlink(missing_ok=True)

    def _order(self, number: int, pairs: Sequence[tuple[str, str]], protocol: Protocol) -> FoldOrder:
        """What a fold is trained by. Raises `LeakError` where its test songs would be known from training."""
        split = self.division.splits[number]
        statistics = self.library.band_statistics([song.sha256 for song in split.train], self.spectrogram.fingerprint)
        leaks.refuse(split if protocol == "artist-folds" else Split(split.train, (), ()), statistics, pairs)
        plan = Plan(self.division.genres, split, self.spectrogram, self.evaluation.about["data"])
        return FoldOrder(number, plan, self.recipe, statistics, self.store.folder.parent, self.folder / str(number))

    def _keep(self, order: FoldOrder, answer: FoldAnswer) -> None:
        write_json(self._note(order.number), answer.note)
        answers = zip(order.plan.split.test, answer.spectra, strict=True)
        self.evaluations.add_songs(self.evaluation, [self._answered(song, order.number, one) for song, one in answers])
        shutil.rmtree(order.folder, ignore_errors=True)

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
