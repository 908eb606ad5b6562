"""Evaluation on whole songs: those of the library, or any labelled folder of audio, which is not imported.

Answers can be kept song by song (`Keep`), to be looked at, heard and compared later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.audio.codes import codes_of
from core.audio.crops import Logits, predict_song
from core.audio.store import SpectrogramStore
from core.errors import GenrescopeError, ModelError
from core.jobs.compute import Limits, fan_out
from core.learning import metrics
from core.learning.model import Model
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.importing import audio_files_in
from core.library.names import artist_and_title
from core.music import CodeArray, FloatArray, GenreDistribution, Song
from core.names import MAX_GENRE, clean
from core.recipes import SpectrogramRecipe
from core.settings import Settings


@dataclass(frozen=True)
class Keep:
    """Where answers are kept, and the job that gives them."""

    evaluations: Evaluations
    job_id: int | None = None

    def keep(
        self,
        model: Model,
        kind: str,
        about: Mapping[str, Any],
        songs: Sequence[EvaluatedSong],
        report: dict[str, Any],
    ) -> dict[str, Any]:
        """Keep the answers of `model`, all or none; returns the report with `evaluation`, its number."""
        told = {**about, "model": model.name, "weights": model.card.weights_sha256, "run": model.card.run}
        evaluation = self.evaluations.begin(model.name, kind, told, model.genres, job_id=self.job_id)
        self.evaluations.add_songs(evaluation, songs)
        report = {**report, "evaluation": evaluation.id, "name": evaluation.name}
        self.evaluations.finish(evaluation, report)
        return report


def song_spectra(
    songs: Sequence[Song],
    store: SpectrogramStore,
    logits: Logits,
    *,
    crop_frames: int,
    stride: int,
    check: Callable[[], None] = lambda: None,
) -> tuple[FloatArray, list[FloatArray]]:
    """(spectra (n_songs, n_genres), each song's taggram (n_crops, n_genres)) of songs with spectrograms."""
    answers = []
    for song in songs:
        check()
        answers.append(predict_song(store.read(song.sha256), logits, crop_frames=crop_frames, stride=stride))
    return np.stack([answer.spectrum for answer in answers]), [answer.taggram for answer in answers]


def evaluate_songs(
    songs: Sequence[Song],
    genres: tuple[str, ...],
    store: SpectrogramStore,
    logits: Logits,
    *,
    crop_frames: int,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """All figures of `metrics.report` for songs of the library, and `skipped`, which is empty."""
    spectra, _ = song_spectra(songs, store, logits, crop_frames=crop_frames, stride=crop_frames // 2, check=check)
    return _figures(songs, spectra, genres)


def evaluate_test_songs(
    model: Model,
    songs: Sequence[Song],
    settings: Settings,
    *,
    keep: Keep | None = None,
    paths: Mapping[str, str] | None = None,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """The figures of a model on its own test songs, labelled as they were when it was trained.

    `paths` says where files are, by SHA-256, for the answers that are kept.
    """
    told = {song["sha256"]: song["label"] for song in model.card.split.get("test", [])}
    ours = [
        Song(**{**vars(song), "label": GenreDistribution(tuple(told[song.sha256].items()))})
        for song in songs
        if song.sha256 in told
    ]
    if not ours:
        raise ModelError(
            f"None of the test songs of {model.name!r} is in this library with a spectrogram under its recipe. "
            "Evaluate it on a folder instead (--folder DIR)."
        )
    store, crop_frames = SpectrogramStore(settings.spectrograms, model.recipe.fingerprint), model.crop_frames
    spectra, _ = song_spectra(ours, store, model.logits, crop_frames=crop_frames, stride=crop_frames // 2, check=check)
    report = _figures(ours, spectra, model.genres)
    gone = len(told) - len(ours)
    if gone:
        report["skipped"] = [{"path": "", "reason": f"{gone} of the {len(told)} test songs are not in this library."}]
    if keep is None:
        return report
    where = paths or {}
    answered = [
        EvaluatedSong(
            song.sha256,
            where.get(song.sha256, ""),
            song.title,
            song.artist,
            0,
            song.label.vector(model.genres),
            spectrum,
        )
        for song, spectrum in zip(ours, spectra, strict=True)
    ]
    return keep.keep(model, "test", {}, answered, report)


def _figures(songs: Sequence[Song], spectra: FloatArray, genres: tuple[str, ...]) -> dict[str, Any]:
    truth = np.stack([song.label.vector(genres) for song in songs])
    return {**metrics.report(truth, spectra, genres), "skipped": []}


@dataclass(frozen=True)
class _Order:
    path: Path
    recipe: SpectrogramRecipe
    filters: FloatArray
    max_s: float
    max_bytes: int


def _spectrogram(order: _Order) -> tuple[CodeArray, str]:
    """The codes of a file, and the SHA-256 of its audio packets."""
    codes, report = codes_of(
        order.path, order.recipe, filters=order.filters, max_s=order.max_s, max_bytes=order.max_bytes
    )
    return codes, report.packets_sha256


def evaluate_folder(
    model: Model,
    directory: Path,
    settings: Settings,
    *,
    keep: Keep | None = None,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The figures of a model on the audio below `directory`, each file's genre being its parent folder's name.

    Songs of genres the model lacks are counted and left out; unreadable files too. The model's other genres are never
    masked: an answer that no folder has is a wrong answer.
    """
    known = {genre.casefold(): number for number, genre in enumerate(model.genres)}
    skipped, orders, genre_of = [], [], {}
    for path in audio_files_in(directory):
        genre = clean(path.parent.name, limit=MAX_GENRE)
        if genre.casefold() not in known:
            skipped.append({"path": str(path), "reason": f"The model does not know the genre {genre!r}."})
            continue
        genre_of[path] = known[genre.casefold()]
        orders.append(_Order(path, model.recipe, model.filters, settings.max_audio_s, settings.max_audio_bytes))
    answered: list[tuple[str, str, int, FloatArray]] = []
    processes = max(1, min(settings.processes, len(orders)))
    results = fan_out(
        _spectrogram,
        orders,
        processes=processes,
        check=check,
        scheduler=settings.dask_scheduler,
        limits=Limits.of(settings),
    )
    for done, (order, result) in enumerate(results, start=1):
        if isinstance(result, Exception):
            if not isinstance(result, GenrescopeError | OSError):
                raise result
            skipped.append({"path": str(order.path), "reason": str(result)})
        else:
            codes, packets_sha256 = result
            answer = predict_song(codes, model.logits, crop_frames=model.crop_frames, stride=model.crop_frames // 2)
            answered.append((str(order.path), packets_sha256, genre_of[order.path], answer.spectrum))
        on_progress(done, len(orders))
    if not answered:
        raise ModelError(
            f"No song in {directory} can be used: folders must be named after genres of the model "
            f"({', '.join(model.genres)}), and hold readable audio."
        )
    answered.sort(key=lambda song: song[0])
    truth = np.eye(len(model.genres), dtype=np.float32)[[number for _, _, number, _ in answered]]
    spectra = np.stack([spectrum for _, _, _, spectrum in answered])
    report = metrics.report(truth, spectra, model.genres)
    report["skipped"] = sorted(skipped, key=lambda file: file["path"])
    if keep is None:
        return report
    songs = [
        _of_folder(path, sha256, true, spectrum)
        for (path, sha256, _, spectrum), true in zip(answered, truth, strict=True)
    ]
    return keep.keep(model, "folder", {"folder": str(directory)}, songs, report)


def _of_folder(path: str, sha256: str, truth: FloatArray, spectrum: FloatArray) -> EvaluatedSong:
    artist, title = artist_and_title(Path(path).stem)
    return EvaluatedSong(sha256, path, title, artist, 0, truth, spectrum)
