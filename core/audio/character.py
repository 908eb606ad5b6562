"""What a song is like in a few figures: tempo, level, dynamics, and its mean course. From its spectrogram alone.

S is (n_frames, n_mels) dB, as `spectrogram.log_mel` gives it. Levels are dB below full scale, by the root mean square: a
sine that just fits is at -3.01 dB. They are not weighted by how an ear hears, and of frequencies under about 20 Hz, or
above half the sample rate, they know nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.audio.spectrogram import dequantise
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe

LOUD, SOFT = 95, 10
"""Percentiles of the level over time whose distance is called the dynamics."""
SHORTEST_S = 4.0
"""Of less sound no tempo is told."""
NEAR, BEATS = 0.06, 8
"""How far around librosa's tempo it is refined, as a share; and over how many beats."""
COLUMNS = 100
"""Of a mean course: hundredths of a song."""


@dataclass(frozen=True)
class Character:
    """A song in figures: beats a minute (None where there is no beat to count), level and dynamics in dB."""

    tempo_bpm: float | None
    level_db: float
    dynamics_db: float


@dataclass(frozen=True)
class Spread:
    """A figure over songs: its median, and between what values the middle half of the songs lie."""

    middle: float
    low: float
    high: float


def character(codes: CodeArray, recipe: SpectrogramRecipe) -> tuple[Character, FloatArray]:
    """A song's figures, and its `course`. `codes` (n_frames, n_mels) uint8."""
    S = dequantise(codes)
    levels = frame_levels(S, recipe)
    return Character(tempo(S, recipe), level(levels), dynamics(levels)), course(S)


def spread(values: Sequence[float | None]) -> Spread | None:
    """Of the values that are told; None if none is."""
    told = [value for value in values if value is not None]
    if not told:
        return None
    low, middle, high = np.percentile(told, [25, 50, 75])
    return Spread(float(middle), float(low), float(high))


def frame_levels(S: FloatArray, recipe: SpectrogramRecipe) -> FloatArray:
    """The level of each frame, (n_frames,) dB below full scale.

    Mel bands are triangles of unit area that overlap to one everywhere, so bands times half their width add up to the power
    of all bins; by Parseval's theorem that is the mean square of the windowed frame.
    """
    from librosa import mel_frequencies  # slow to import, and here anyway where the filter bank is made

    edges = mel_frequencies(recipe.n_mels + 2, fmin=0.0, fmax=recipe.sample_rate / 2)
    widths = (edges[2:] - edges[:-2]) / 2
    window_power = 3 / 8 * recipe.n_fft  # of a periodic Hann window
    power = 10 ** (S.astype(np.float64) / 10) @ widths * 2 / (recipe.n_fft * window_power)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)), np.float32)


def level(levels: FloatArray) -> float:
    """The level of a whole song: of the mean power, not the mean of the dB."""
    return float(10 * np.log10(np.mean(10 ** (levels.astype(np.float64) / 10))))


def dynamics(levels: FloatArray) -> float:
    """How much louder the loud moments are than the soft ones: the 95th less the 10th percentile of the level, dB."""
    low, high = np.percentile(levels, [SOFT, LOUD])
    return float(high - low)


def tempo(S: FloatArray, recipe: SpectrogramRecipe) -> float | None:
    """Beats a minute; None for what is too short, or has no onsets. Half or double of it is often as right.

    It is `librosa.feature.tempo` (the autocorrelation of the onset strength, weighted towards 120; Ellis 2007, "Beat
    tracking by dynamic programming"). As frames are 32 ms apart, that is up to 4 % off, so the period is then measured
    over several beats: the one nearby whose first multiples have the highest autocorrelation.
    """
    if len(S) * recipe.frame_s < SHORTEST_S:
        return None
    from librosa.feature import tempo as librosa_tempo  # pulls numba: seconds, once
    from librosa.onset import onset_strength

    onsets = onset_strength(S=S.T, sr=recipe.sample_rate, hop_length=recipe.hop_length)
    if onsets.std() < 1e-3:
        return None
    about = float(librosa_tempo(onset_envelope=onsets, sr=recipe.sample_rate, hop_length=recipe.hop_length)[0])
    lags = _autocorrelation(onsets)
    period = 60 / about / recipe.frame_s
    beats = np.arange(1, 1 + max(1, min(BEATS, int(len(lags) / 2 / period))))
    periods = period * np.linspace(1 - NEAR, 1 + NEAR, 241)
    heights = np.interp(periods[:, None] * beats, np.arange(len(lags)), lags).sum(axis=1)
    return float(60 / (periods[heights.argmax()] * recipe.frame_s))


def course(S: FloatArray, *, n_columns: int = COLUMNS) -> FloatArray:
    """A song brought to `n_columns` equal parts, (n_columns, n_mels) dB: of each the mean. So songs can be averaged."""
    edges = np.linspace(0, len(S), n_columns + 1)
    first = np.minimum(edges[:-1].astype(int), len(S) - 1)
    last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
    return np.stack([S[a:b].mean(axis=0) for a, b in zip(first, last, strict=True)])


def _autocorrelation(x: FloatArray) -> npt.NDArray[np.float64]:
    """Of each lag, (n,): the mean product, so that long lags are not quieter for having fewer."""
    x = x - x.mean()
    n = len(x)
    products = np.fft.irfft(np.abs(np.fft.rfft(x.astype(np.float64), 2 * n)) ** 2)[:n]
    return np.asarray(products / (n - np.arange(n)), np.float64)
