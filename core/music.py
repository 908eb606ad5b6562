"""The nouns of music that rooms pass to each other: frozen, and they call nothing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
CodeArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Vote:
    """One genre said of a track, by one source.

    `source` is `folder`, `tag`, `csv` or `hand`; `reference` says which folder, file or person.
    """

    genre: str
    source: str
    weight: float = 1.0
    reference: str = ""


@dataclass(frozen=True)
class GenreDistribution:
    """A resolved label: a weight for each genre, positive, summing to 1, strongest first."""

    weights: tuple[tuple[str, float], ...]

    @property
    def top(self) -> str:
        """The genre with the largest weight (of equals, the first by name)."""
        return self.weights[0][0]

    def vector(self, genres: tuple[str, ...]) -> FloatArray:
        """Weights in the order of `genres`, (n_genres,) float32; genres not in the label are 0."""
        given = dict(self.weights)
        return np.array([given.get(genre, 0.0) for genre in genres], np.float32)


@dataclass(frozen=True)
class Song:
    """A track that can be learned from: its label and its spectrogram file (named by the audio's SHA-256).

    `duration_s` is what decoding gave; `n_frames` the length of the spectrogram.
    """

    track_id: int
    title: str
    artist: str
    duration_s: float
    sha256: str
    n_frames: int
    label: GenreDistribution
