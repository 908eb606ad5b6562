"""Calibration: the temperature that makes probabilities mean what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audio.crops import softmax
from core.learning.calibration import HIGHEST, LOWEST, fit_temperature


def drawn(scale: float, *, songs: int = 4000, crops: int = 1) -> tuple[list[np.ndarray], np.ndarray]:
    """Songs whose genre is drawn by softmax(logits), the logits then blown up by `scale`."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (songs, 1, 4)).repeat(crops, axis=1).astype(np.float32)
    genre = [rng.choice(4, p=row / row.sum()) for row in softmax(logits[:, 0]).astype(float)]
    return list(logits * np.float32(scale)), np.eye(4, dtype=np.float32)[genre]


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_it_undoes_what_blew_the_logits_up(scale: float) -> None:
    assert fit_temperature(*drawn(scale, crops=3)) == pytest.approx(scale, rel=0.06)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(0, 1000))
def test_it_never_leaves_its_bounds_and_never_makes_the_songs_less_likely(genres: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = [rng.normal(0, 5, (rng.integers(1, 4), 4)).astype(np.float32) for _ in genres]
    truth = np.eye(4, dtype=np.float32)[genres]

    def loss(temperature: float) -> float:
        spectra = np.stack([softmax(song / np.float32(temperature)).mean(axis=0) for song in logits])
        return float(-(truth * np.log(np.maximum(spectra, 1e-7))).sum(axis=1).mean())

    found = fit_temperature(logits, truth)
    assert LOWEST <= found <= HIGHEST
    assert all(loss(found) <= loss(other) + 0.05 for other in (0.3, 1.0, 3.0)) or len(logits[0]) > 1
