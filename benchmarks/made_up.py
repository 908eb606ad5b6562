"""Made-up songs that are spectrograms from the start: of any number, in genres that a network can tell apart."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.audio.store import SpectrogramStore
from core.library.store import BandStatistics
from core.music import CodeArray, FloatArray, GenreDistribution, Song
from core.recipes import SpectrogramRecipe, TrainingRecipe

if TYPE_CHECKING:
    from core.learning.trainer import Trainer

RECIPE = SpectrogramRecipe()
ARTISTS = 40
"""Artists of a genre."""
NOISE = 24
"""Codes that a frame's noise reaches over, 12 dB."""


def genre_names(n_genres: int) -> tuple[str, ...]:
    """Names of genres, in the order of a vocabulary."""
    return tuple(f"genre {number:02d}" for number in range(n_genres))


def songs(n: int, *, seconds: float = 30.0, n_genres: int = 20) -> list[Song]:
    """`n` songs; the same each time."""
    genres, n_frames = genre_names(n_genres), RECIPE.n_frames(int(seconds * RECIPE.sample_rate))
    labels = [GenreDistribution(((genre, 1.0),)) for genre in genres]
    return [
        Song(
            number,
            f"Title {number}",
            f"Artist {number % n_genres}-{number // n_genres % ARTISTS}",
            seconds,
            hashlib.sha256(str(number).encode()).hexdigest(),
            n_frames,
            labels[number % n_genres],
        )
        for number in range(n)
    ]


def codes(genre: int, number: int, n_frames: int) -> CodeArray:
    """The spectrogram of a song, (n_frames, n_mels): the bands of its genre, its own colour, and noise."""
    genre_bands = np.random.default_rng([1, genre]).normal(0, 12, RECIPE.n_mels // 8).repeat(8)
    rng = np.random.default_rng([2, number])
    own_bands = rng.normal(0, 12, RECIPE.n_mels // 4).repeat(4)
    level = np.clip(90 + genre_bands + own_bands, 0, 255 - NOISE).astype(np.uint8)
    made: CodeArray = level + rng.integers(0, NOISE, (n_frames, RECIPE.n_mels), np.uint8)
    return made


def write(root: Path, songs: Sequence[Song], *, n_genres: int = 20) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Put the files of `songs` into the store below `root`; yields mean and deviation of each one's bands, dB.

    Straight there, and without waiting for the disk: they need not survive a power cut.
    """
    store = SpectrogramStore(root, RECIPE.fingerprint)
    for number, song in enumerate(songs):
        path = store.path(song.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = codes(number % n_genres, number, song.n_frames)
        np.save(path, made, allow_pickle=False)
        few = made[:64].astype(np.float32)  # noise around a level: a few frames tell it
        yield (few.mean(axis=0) - 160) / 2, few.std(axis=0) / 2


def trainer(root: Path, known: Sequence[Song], *, steps: int, n_genres: int = 20) -> "Trainer":
    """A trainer of the default recipe, all of whose songs are for training."""
    from core.learning.plan import Plan  # torch: only where there is training, for its memory is measured elsewhere
    from core.learning.splits import Split
    from core.learning.trainer import Trainer

    n = len(known)
    statistics = BandStatistics(
        np.full(n, known[0].n_frames, np.float32),
        np.full((n, RECIPE.n_mels), -30, np.float32),
        np.full((n, RECIPE.n_mels), 9, np.float32),
        tuple(song.sha256 for song in known),
    )
    plan = Plan(genre_names(n_genres), Split(tuple(known), tuple(known[:8]), ()), RECIPE, "", steps)
    store = SpectrogramStore(root, RECIPE.fingerprint)
    return Trainer(plan, TrainingRecipe(steps=steps), root / "run", store, statistics)


def batches(of: "Trainer") -> Iterator[tuple[CodeArray, FloatArray]]:
    """The trainer's batches, epoch after epoch, without end."""
    for epoch in count(1):
        yield from of.sampler.batches(epoch)
