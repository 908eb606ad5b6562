"""Where songs lie in a network's own features: how far from what it knows, and whether it is music at all.

A network that tells four genres apart gives any sound one of the four. Its features know more: what it learned from lies
near its genres' centres (Mahalanobis distance; Lee et al. 2018, "A simple unified framework for detecting
out-of-distribution samples"), and what is no music lies elsewhere. Pure arithmetic; how it is fitted is in `space_fitting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from core.errors import ModelError
from core.music import FloatArray

PREFIX = "space."
"""Of the names of its arrays among a model's weights."""


@dataclass(frozen=True)
class FeatureSpace:
    """Directions, centres and limits in the features of a network, all float32.

    `mean` (n_features,) and `basis` (n_features, n_dimensions) take features to embeddings; `centres` (n_genres, n_dimensions) are
    those of the genres, `precision` (n_dimensions, n_dimensions) is the inverse covariance within a genre. `foreign`
    (n_features,) and `foreign_bias` (1,) give the log-odds that a sound is no music. `song_limits` and `crop_limits` (2,)
    are distance and log-odds above which a song, or a stretch of crops, is none of the genres, or no music.
    """

    mean: FloatArray
    basis: FloatArray
    centres: FloatArray
    precision: FloatArray
    foreign: FloatArray
    foreign_bias: FloatArray
    song_limits: FloatArray
    crop_limits: FloatArray

    def embed(self, features: FloatArray) -> FloatArray:
        """Features (n, n_features) -> embeddings (n, n_dimensions): those of songs that sound alike point the same way."""
        return np.asarray((features - self.mean) @ self.basis, np.float32)

    def distances(self, features: FloatArray) -> FloatArray:
        """Features (n, n_features) -> distance to the nearest genre's centre, (n,), in standard deviations."""
        away = self.embed(features)[:, None, :] - self.centres
        squares = np.einsum("ngi,ij,ngj->ng", away, self.precision, away)
        return np.asarray(np.sqrt(np.maximum(squares.min(axis=1), 0)), np.float32)

    def foreignness(self, features: FloatArray) -> FloatArray:
        """Features (n, n_features) -> log-odds that it is no music, (n,)."""
        return np.asarray((features - self.mean) @ self.foreign + self.foreign_bias[0], np.float32)

    def measures(self, features: FloatArray) -> FloatArray:
        """Features (n, n_features) -> distance and foreignness, (n, 2): what the limits are of."""
        return np.stack([self.distances(features), self.foreignness(features)], axis=1)

    def as_arrays(self) -> dict[str, FloatArray]:
        """Its arrays, named for a model's weights."""
        return {PREFIX + field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], *, n_genres: int) -> "FeatureSpace | None":
        """What `as_arrays` gave, from among other arrays; None if there is none of it. `ModelError` if it does not fit."""
        names = [field.name for field in fields(cls)]
        told = {name: arrays[PREFIX + name] for name in names if PREFIX + name in arrays}
        if not told:
            return None
        if len(told) < len(names):
            raise ModelError(f"It lacks {PREFIX}{next(name for name in names if name not in told)}.")
        n_features, n_dimensions = told["basis"].shape if told["basis"].ndim == 2 else (0, 0)
        wanted = {
            "mean": (n_features,), "basis": (n_features, n_dimensions), "centres": (n_genres, n_dimensions),
            "precision": (n_dimensions, n_dimensions), "foreign": (n_features,), "foreign_bias": (1,), "song_limits": (2,),
            "crop_limits": (2,),
        }  # fmt: skip
        for name, array in told.items():
            if array.shape != wanted[name] or array.dtype != np.float32 or not np.isfinite(array).all():
                raise ModelError(f"Its {PREFIX}{name} is not of {wanted[name]} finite numbers, float32.")
        return cls(**told)
