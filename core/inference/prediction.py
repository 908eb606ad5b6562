"""Prediction: a sound file in, its genre spectrum and its course over time out. In bounded memory at any length."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from core.audio import waveform
from core.audio.crops import Logits, predict_song
from core.library.labels import topmost
from core.library.preprocessing import codes_of
from core.music import FloatArray
from core.recipes import SpectrogramRecipe

UNSURE_BELOW = 0.5
"""With no genre at half or more, the model does not know."""
NO_GENRE = "No genre reaches half: the model does not know, or the song is a blend."


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
    def logits(self) -> Logits: ...  # noqa: D102


@dataclass(frozen=True)
class Prediction:
    """A song's genres.

    `spectrum` (n_genres,) sums to 1, in the order of `genres`; `taggram` (n_crops, n_genres) likewise by row;
    `crop_starts_s` (n_crops,) and `crop_s` say which seconds a row speaks of; `doubts` are sentences, none if sure.
    """

    genres: tuple[str, ...]
    duration_s: float
    spectrum: FloatArray
    taggram: FloatArray
    crop_starts_s: npt.NDArray[np.float64]
    crop_s: float
    doubts: tuple[str, ...]

    @property
    def top(self) -> str:
        """The genre with the largest share."""
        return self.genres[int(self.spectrum.argmax())]

    @property
    def unsure(self) -> bool:
        """Whether there is a reason to doubt the answer."""
        return bool(self.doubts)


def predict(
    source: waveform.Source,
    model: GenreModel,
    *,
    max_s: float = 4 * 3600,
    max_bytes: int = 2_000_000_000,
    on_progress: Callable[[float], object] | None = None,
) -> Prediction:
    """What `model` says of a sound file. Raises `AudioError` if the file cannot be used."""
    codes, report = codes_of(source, model.recipe, filters=model.filters, max_s=max_s, max_bytes=max_bytes)
    answer = predict_song(
        codes, model.logits, crop_frames=model.crop_frames, stride=model.crop_frames // 2, on_progress=on_progress
    )
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
    return Prediction(
        model.genres,
        report.duration_s,
        answer.spectrum,
        answer.taggram,
        np.asarray(answer.starts * model.recipe.frame_s, np.float64),
        crop_s,
        tuple(doubts),
    )


def coarse(answer: Prediction, parents: Mapping[str, str]) -> Prediction:
    """The same answer by the topmost genres, in the order in which they first come. Shares of genres below one are its own.

    `parents` names the genre above each genre that has one, without circles.
    """
    above = [topmost(genre, parents) for genre in answer.genres]
    genres = tuple(dict.fromkeys(above))
    gathered = np.array([[top == genre for genre in genres] for top in above], np.float32)  # (n_genres, n_topmost)
    spectrum = answer.spectrum @ gathered
    doubts = tuple(doubt for doubt in answer.doubts if doubt != NO_GENRE or spectrum.max() < UNSURE_BELOW)
    return replace(answer, genres=genres, spectrum=spectrum, taggram=answer.taggram @ gathered, doubts=doubts)
