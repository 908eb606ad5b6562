"""The speed of this machine, measured: the parts of a training done on a little made-up sound. Takes some seconds."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from core.audio.store import SpectrogramStore
from core.learning import export
from core.learning.evaluation import evaluate_songs
from core.learning.graph import open_graph
from core.learning.plan import Plan
from core.learning.space_fitting import N_SOUNDS, foreign_crops
from core.learning.speed import Speed, crops_in, likeness, machine
from core.learning.splits import Split
from core.learning.trainer import Trainer
from core.library.store import BandStatistics
from core.music import GenreDistribution, Song
from core.recipes import SpectrogramRecipe, TrainingRecipe

GENRES = ("a", "b")
LEARNED, WATCHED, TESTED = 16, 4, 4
"""Made-up songs by side."""
WARMUP, STEPS = 1, 3
"""Steps before those that count, and those."""
SOUNDS = 36
"""So many of the made-up sounds that every model is shown at its end are made here, and the others reckoned."""
LENGTH = 1024
"""Frames of each, about half a minute."""
PARTS = 4


def measure(
    recipe: TrainingRecipe,
    *,
    spectrogram: SpectrogramRecipe | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Speed:
    """How fast trainings by `recipe` are here. `on_progress(parts done, parts)` follows.

    What they begin with, the search for equal recordings, takes little and is not measured.
    """
    spectrogram = spectrogram or SpectrogramRecipe()
    torch.use_deterministic_algorithms(True)
    with tempfile.TemporaryDirectory(prefix="genrescope-speed-") as place:
        store = SpectrogramStore(Path(place, "spectrograms"), spectrogram.fingerprint)
        plan = _plan(store, spectrogram)
        ones = np.ones((LEARNED, spectrogram.n_mels), np.float32)
        statistics = BandStatistics(np.full(LEARNED, LENGTH, np.float32), -20 * ones, 9 * ones)
        made = Trainer(plan, recipe, Path(place, "run"), store, statistics)
        watched = crops_in(plan.split.validation, recipe.crop_frames)
        step_s, song_s = made.measure(lambda: None, warmup=WARMUP, steps=STEPS)
        on_progress(1, PARTS)
        with_weights = Trainer(plan, recipe, Path(place, "run"), store, statistics)
        with_weights.keep_best()
        begun = time.perf_counter()
        network = with_weights.finished_network(lambda: None)
        once_s = time.perf_counter() - begun
        on_progress(2, PARTS)
        begun = time.perf_counter()
        graph = export.as_onnx(network, crop_frames=recipe.crop_frames)
        once_s += time.perf_counter() - begun
        answer = open_graph(graph, crop_frames=recipe.crop_frames, n_mels=spectrogram.n_mels, n_genres=len(GENRES))
        begun = time.perf_counter()
        evaluate_songs(plan.split.test, GENRES, store, lambda codes: answer(codes)[0], crop_frames=recipe.crop_frames)
        heard_s = time.perf_counter() - begun
        on_progress(3, PARTS)
        begun = time.perf_counter()
        answer(foreign_crops(spectrogram, recipe.crop_frames, SOUNDS))
        once_s += (time.perf_counter() - begun) * N_SOUNDS / SOUNDS
        store.close()
    on_progress(PARTS, PARTS)
    songs = (*plan.split.train, *plan.split.validation, *plan.split.test)
    return Speed(
        machine=machine(),
        like=likeness(recipe),
        learned_crop_s=step_s / recipe.batch_size,
        watched_crop_s=song_s * len(plan.split.validation) / watched,
        begun_song_s=0.0,
        ended_crop_s=heard_s / crops_in(songs, recipe.crop_frames),
        ended_s=once_s,
    )


def _plan(store: SpectrogramStore, spectrogram: SpectrogramRecipe) -> Plan:
    """A plan of made-up songs, their spectrograms in `store`."""
    chance = np.random.default_rng(0)
    songs = []
    for number in range(LEARNED + WATCHED + TESTED):
        sha256 = f"{number:064x}"
        store.write(sha256, chance.integers(60, 200, (LENGTH, spectrogram.n_mels), np.uint8))
        label = GenreDistribution(((GENRES[number % len(GENRES)], 1.0),))
        name, length_s = f"{number}", LENGTH * spectrogram.frame_s
        songs.append(Song(number, name, name, length_s, sha256, LENGTH, label))
    split = Split(tuple(songs[:LEARNED]), tuple(songs[LEARNED : LEARNED + WATCHED]), tuple(songs[LEARNED + WATCHED :]))
    return Plan(GENRES, split, spectrogram, "made up", steps=1)
