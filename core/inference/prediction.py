"""Prediction: a sound file in, its genre spectrum and its course over time out. In bounded memory at any length."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from core.audio import waveform
from core.audio.codes import codes_of
from core.audio.crops import Answer, predict_song, smoothed
from core.errors import GenrescopeError
from core.inference.unknown import Stretch, Verdict, claim, refusal, stretches
from core.jobs.compute import fan_out_far
from core.library.labels import topmost
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe

UNSURE_BELOW = 0.5
"""With no genre at half or more, the model does not know."""
AT_ONCE = 2
"""Songs that are listened to side by side: while the network thinks about one, another is decoded."""
TOLD_EVERY_S = 0.1
COURSE_POINTS = 400
"""Points of a curve over time: as many as a screen shows."""
NO_GENRE = "No genre reaches half: the model does not know, or the song is a blend."


class Decode(Protocol):
    """How a sound becomes its spectrogram: `audio.codes.codes_of`, or the same in a process of its own (`apart`)."""

    def __call__(  # noqa: D102
        self, source: waveform.Source, recipe: SpectrogramRecipe, *, filters: FloatArray, max_s: float, max_bytes: int
    ) -> tuple[CodeArray, waveform.DecodeReport]: ...


class Space(Protocol):
    """What a prediction needs of a model's feature space: arguments are features (n_crops, n_features)."""

    @property
    def song_limits(self) -> FloatArray: ...  # noqa: D102
    @property
    def crop_limits(self) -> FloatArray: ...  # noqa: D102
    def embed(self, features: FloatArray) -> FloatArray: ...  # noqa: D102
    def measures(self, features: FloatArray) -> FloatArray: ...  # noqa: D102


class GenreModel(Protocol):
    """What a prediction needs of a model."""

    @property
    def genres(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def recipe(self) -> SpectrogramRecipe: ...  # noqa: D102
    @property
    def crop_frames(self) -> int: ...  # noqa: D102
    @property
    def filters(self) -> FloatArray: ...  # noqa: D102
    @property
    def usual(self) -> FloatArray: ...  # noqa: D102
    @property
    def answer(self) -> Answer: ...  # noqa: D102
    @property
    def space(self) -> Space | None: ...  # noqa: D102


@dataclass(frozen=True)
class Far:
    """A Dask cluster to ask instead of this machine: its scheduler, and how a worker comes by the model (it is sent there)."""

    scheduler: str
    model: Callable[[], GenreModel]


@dataclass(frozen=True)
class Prediction:
    """A song's genres.

    `spectrum` (n_genres,) sums to 1, in the order of `genres`; `taggram` (n_crops, n_genres) likewise by row;
    `crop_starts_s` (n_crops,) and `crop_s` say which seconds a row speaks of; `doubts` are sentences, none if sure.
    `verdict` is what is claimed of the song, `crop_verdicts` what of each crop; `embeddings` (n_crops, n_dimensions) is where it
    lies in the model's `space`, if that has one. `packets_sha256` is that of `waveform.Probe`.
    """

    genres: tuple[str, ...]
    duration_s: float
    spectrum: FloatArray
    taggram: FloatArray
    crop_starts_s: npt.NDArray[np.float64]
    crop_s: float
    doubts: tuple[str, ...]
    verdict: Verdict
    crop_verdicts: tuple[Verdict, ...]
    embeddings: FloatArray | None
    packets_sha256: str = ""

    @property
    def top(self) -> str:
        """The genre with the largest share."""
        return self.genres[int(self.spectrum.argmax())]

    @property
    def unsure(self) -> bool:
        """Whether there is a reason to doubt the answer."""
        return bool(self.doubts) or self.verdict.refused

    @property
    def stretches(self) -> list[Stretch]:
        """What is claimed of which part of the song, from its beginning to its end."""
        return stretches(self.crop_verdicts, self.crop_starts_s, self.crop_s, self.duration_s)

    @property
    def course(self) -> tuple[npt.NDArray[np.float64], FloatArray]:
        """The genres over time, to be drawn: times (n,) s from beginning to end, shares (n, n_genres), at most COURSE_POINTS.

        A crop speaks of its middle; the first and the last speak of the song up to its ends.
        """
        middles = self.crop_starts_s + self.crop_s / 2
        groups = np.array_split(np.arange(len(middles)), min(COURSE_POINTS - 2, len(middles)))
        shares = np.array([self.taggram[group].mean(axis=0) for group in groups], np.float32)
        times = np.array([middles[group].mean() for group in groups])
        ends = self.crop_starts_s[0], self.crop_starts_s[-1] + self.crop_s
        return np.concatenate([ends[:1], times, ends[1:]]), np.concatenate([shares[:1], shares, shares[-1:]])

    def embedding(self, start_s: float = 0.0, end_s: float = float("inf")) -> FloatArray | None:
        """Where the song, or the stretch of it between two seconds, lies: (n_dimensions,); None if the model has no space."""
        if self.embeddings is None:
            return None
        middles = self.crop_starts_s + self.crop_s / 2
        inside = (middles >= start_s) & (middles <= end_s)
        if not inside.any():
            inside = np.abs(middles - (start_s + min(end_s, self.duration_s)) / 2).argmin() == np.arange(len(middles))
        return np.asarray(self.embeddings[inside].mean(axis=0), np.float32)


def predict(
    source: waveform.Source,
    model: GenreModel,
    *,
    max_s: float = 4 * 3600,
    max_bytes: int = 2_000_000_000,
    on_progress: Callable[[float], object] | None = None,
    decode: Decode = codes_of,
) -> Prediction:
    """What `model` says of a sound file. Raises `AudioError` if the file cannot be used."""
    codes, report = decode(source, model.recipe, filters=model.filters, max_s=max_s, max_bytes=max_bytes)
    heard: list[FloatArray] = []

    def logits(crops: CodeArray) -> FloatArray:
        told, features = model.answer(crops)
        heard.append(features)
        return told

    answer = predict_song(
        codes, logits, crop_frames=model.crop_frames, stride=model.crop_frames // 2, on_progress=on_progress
    )
    features = np.concatenate(heard)
    crop_s = model.crop_frames * model.recipe.frame_s
    doubts = []
    if report.duration_s < crop_s:
        doubts.append(
            f"It is only {report.duration_s:.1f} s long, less than the {crop_s:.1f} s the model listens to at once."
        )
    if answer.spectrum.max() < UNSURE_BELOW:
        doubts.append(NO_GENRE)
    if report.reason:
        doubts.append(report.reason)
    space = model.space
    verdict: Verdict | None = None
    crop_verdicts: list[Verdict | None] = [None] * len(features)
    if space is not None:
        measures = space.measures(features)
        verdict = refusal(measures.mean(axis=0), space.song_limits)
        crop_verdicts = [refusal(row, space.crop_limits) for row in smoothed(measures)]
    return Prediction(
        model.genres,
        report.duration_s,
        answer.spectrum,
        answer.taggram,
        np.asarray(answer.starts * model.recipe.frame_s, np.float64),
        crop_s,
        tuple(doubts),
        verdict or claim(answer.spectrum, model.genres),
        _claims(crop_verdicts, answer.taggram, model.genres),
        None if space is None else space.embed(features),
        report.packets_sha256,
    )


class _Left(Exception):
    """Who asked has gone."""


def predict_each(
    sources: Iterable[waveform.Source],
    model: GenreModel,
    *,
    max_s: float = 4 * 3600,
    max_bytes: int = 2_000_000_000,
    on_progress: Callable[[float], object] | None = None,
    far: Far | None = None,
    decode: Decode = codes_of,
) -> Iterator[Prediction | GenrescopeError]:
    """`predict` of several sound files, in their order; where one cannot be used, its error comes instead.

    `AT_ONCE` are listened to side by side, and one more at most waits to be fetched from here, so memory does not grow with
    their number; what nobody waits for any more is given up soon. `on_progress` is told, in the caller's thread, how many
    songs are done, and what share of the next.
    With `far`, `sources` are paths that its workers see, and answers that come before their turn are held.
    """
    if far:
        orders = (_Order(number, source, far.model, max_s, max_bytes) for number, source in enumerate(sources))
        yield from _predict_far(orders, far.scheduler, on_progress)
        return
    shares: dict[int, float] = {}
    left = threading.Event()

    def answered(number: int, source: waveform.Source) -> Prediction | GenrescopeError:
        def told(share: float) -> None:
            if left.is_set():
                raise _Left
            shares[number] = share

        try:
            return predict(source, model, max_s=max_s, max_bytes=max_bytes, on_progress=told, decode=decode)
        except GenrescopeError as error:
            return error
        except _Left:
            return GenrescopeError("Nobody waits for the answer any more.")

    todo, done = enumerate(sources), 0
    running: deque[Future[Prediction | GenrescopeError]] = deque()
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        while True:
            running.extend(pool.submit(answered, *one) for one in islice(todo, AT_ONCE + 1 - len(running)))
            if not running:
                return
            while wait([running[0]], timeout=TOLD_EVERY_S).not_done:
                if on_progress:
                    on_progress(done + shares.get(done, 0.0))
            yield running.popleft().result()
            done += 1
    finally:
        left.set()
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class _Order:
    """A song for a worker of a cluster."""

    number: int
    source: waveform.Source
    model: Callable[[], GenreModel]
    max_s: float
    max_bytes: int


def _answered(order: _Order) -> Prediction:
    return predict(order.source, order.model(), max_s=order.max_s, max_bytes=order.max_bytes)


def _predict_far(
    orders: Iterable[_Order], scheduler: str, on_progress: Callable[[float], object] | None
) -> Iterator[Prediction | GenrescopeError]:
    """As `predict_each`."""
    early: dict[int, Prediction | GenrescopeError] = {}
    answered = 0
    for order, answer in fan_out_far(_answered, orders, check=lambda: None, scheduler=scheduler):
        if isinstance(answer, Exception) and not isinstance(answer, GenrescopeError):
            raise answer
        if on_progress:
            on_progress(answered + len(early))
        early[order.number] = answer
        while answered in early:
            yield early.pop(answered)
            answered += 1


def _claims(refusals: Sequence[Verdict | None], taggram: FloatArray, genres: tuple[str, ...]) -> tuple[Verdict, ...]:
    """What is claimed of each crop; its neighbours have a say, as one crop says little."""
    rows = smoothed(taggram)
    return tuple(refused or claim(row, genres) for refused, row in zip(refusals, rows, strict=True))


def coarse(answer: Prediction, parents: Mapping[str, str]) -> Prediction:
    """The same answer by the topmost genres, in the order in which they first come. Shares of genres below one are its own.

    `parents` names the genre above each genre that has one, without circles.
    """
    above = [topmost(genre, parents) for genre in answer.genres]
    genres = tuple(dict.fromkeys(above))
    gathered = np.array([[top == genre for genre in genres] for top in above], np.float32)  # (n_genres, n_topmost)
    spectrum = answer.spectrum @ gathered
    doubts = tuple(doubt for doubt in answer.doubts if doubt != NO_GENRE or spectrum.max() < UNSURE_BELOW)
    taggram = answer.taggram @ gathered
    refusals = [one if one.refused else None for one in answer.crop_verdicts]
    return replace(
        answer,
        genres=genres,
        spectrum=spectrum,
        taggram=taggram,
        doubts=doubts,
        verdict=answer.verdict if answer.verdict.refused else claim(spectrum, genres),
        crop_verdicts=_claims(refusals, taggram, genres),
    )
