"""Calibration: one number, the temperature, that makes probabilities mean what they say. Pure.

A song's spectrum is the mean of its crops' probabilities; so the temperature is fitted to songs, not to crops.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from core.audio.crops import softmax
from core.music import FloatArray

LOWEST, HIGHEST = 0.1, 10.0
"""A temperature outside of this says that the validation songs cannot tell, not that the network is that wrong."""


def fit_temperature(logits: Sequence[FloatArray], truth: FloatArray) -> float:
    """The temperature that makes the songs' spectra likeliest (Guo et al. 2017).

    `logits`: for each song (n_crops, n_genres); `truth` (n_songs, n_genres), rows summing to 1. What is minimised is the
    cross-entropy of the mean over crops of softmax(logits / temperature); below 1 it sharpens, above 1 it softens.
    """

    def loss(log_temperature: float) -> float:
        temperature = np.float32(np.exp(log_temperature))
        spectra = np.stack([softmax(song / temperature).mean(axis=0) for song in logits])
        return float(-(truth * np.log(np.maximum(spectra, 1e-7))).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))
