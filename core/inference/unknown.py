"""What a prediction may claim: sure, a mixture, none of the genres, or no music at all. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.music import FloatArray

Kind = Literal["confident", "mixed", "none of these", "not music"]

CONFIDENT_FROM = 0.7
"""Share of one genre from which the answer is that genre: the shares are calibrated, so it is then right as often."""
NAMED_FROM = 0.15
"""Share from which a genre is named as a part of a mixture."""


@dataclass(frozen=True)
class Verdict:
    """What is claimed of a song, or of a stretch of it. `genres`: one if confident, the parts if mixed, else none."""

    kind: Kind
    genres: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether no genre is claimed."""
        return self.kind in ("none of these", "not music")

    @property
    def sentence(self) -> str:
        """In words."""
        if self.kind == "confident":
            return f"This is {self.genres[0]}."
        if self.kind == "mixed":
            *others, last = self.genres
            return f"This is a mixture of {', '.join(others)} and {last}." if others else f"This is nearest to {last}."
        if self.kind == "none of these":
            return "This sounds like none of the genres that the model knows."
        return "This does not sound like music."


@dataclass(frozen=True)
class Stretch:
    """A part of a song of which the same is claimed throughout."""

    start_s: float
    end_s: float
    verdict: Verdict


def refusal(measures: FloatArray, limits: FloatArray) -> Verdict | None:
    """No genre, where distance or foreignness, `measures` (2,), are above their `limits` (2,); else None."""
    if measures[1] > limits[1]:
        return Verdict("not music")
    return Verdict("none of these") if measures[0] > limits[0] else None


def claim(spectrum: FloatArray, genres: Sequence[str]) -> Verdict:
    """The genre, or the mixture, that a genre spectrum (n_genres,) speaks for."""
    order = np.argsort(-spectrum, kind="stable")
    if spectrum[order[0]] >= CONFIDENT_FROM:
        return Verdict("confident", (genres[order[0]],))
    named = [genres[i] for i in order if spectrum[i] >= NAMED_FROM] or [genres[order[0]]]
    return Verdict("mixed", tuple(named))


def stretches(
    verdicts: Sequence[Verdict], starts_s: npt.NDArray[np.float64], crop_s: float, end_s: float
) -> list[Stretch]:
    """Crops of which the same is claimed, joined: the song is divided in the middle between the middles of two crops."""
    middles = starts_s + crop_s / 2
    borders = [0.0, *((middles[:-1] + middles[1:]) / 2), end_s]
    joined = []
    for claimed, numbers in groupby(range(len(verdicts)), key=lambda number: verdicts[number]):
        first, *rest = list(numbers)
        last = rest[-1] if rest else first
        joined.append(Stretch(float(borders[first]), float(borders[last + 1]), claimed))
    return joined
