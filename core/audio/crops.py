"""Crops: the pieces of a spectrogram a network sees, and what a song's crops come to together.

One song-level function serves validation, evaluation and prediction; the network is an argument (`crops -> logits`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.music import CodeArray, FloatArray

Logits = Callable[[CodeArray], FloatArray]
"""A network: codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres) float32."""

Answer = Callable[[CodeArray], tuple[FloatArray, FloatArray]]
"""A published network: codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres), features (batch, n_features)."""

BATCH = 64
"""Crops given to a network at once."""


@dataclass(frozen=True)
class SongPrediction:
    """A network's answer to a song.

    `spectrum` (n_genres,) sums to 1; `taggram` (n_crops, n_genres) has one row a crop, each summing to 1;
    `starts` (n_crops,) are the crops' first frames.
    """

    spectrum: FloatArray
    taggram: FloatArray
    starts: npt.NDArray[np.int64]


def crop_starts(n_frames: int, crop_frames: int, *, stride: int) -> npt.NDArray[np.int64]:
    """First frames of crops that cover a song: every `stride` frames, and one that ends with the last frame.

    A song shorter than a crop has one crop, at 0 (see `padded`). Every frame is in a crop if stride <= crop_frames.
    """
    last = max(0, n_frames - crop_frames)
    return np.append(np.arange(0, last, stride), last)


def padded(codes: CodeArray, crop_frames: int) -> CodeArray:
    """`codes` (n_frames, n_mels), played again from its beginning until it is at least `crop_frames` long.

    Of no frames it makes silence (code 0).
    """
    return codes if codes.shape[0] >= crop_frames else np.resize(codes, (crop_frames, codes.shape[1]))


def cut(codes: CodeArray, *, crop_frames: int, stride: int) -> CodeArray:
    """All crops of a song that `crop_starts` names, (n_crops, crop_frames, n_mels)."""
    codes = padded(codes, crop_frames)
    windows = np.lib.stride_tricks.sliding_window_view(codes, crop_frames, axis=0).transpose(0, 2, 1)
    return np.ascontiguousarray(windows[crop_starts(codes.shape[0], crop_frames, stride=stride)])


def predict_song(
    codes: CodeArray,
    logits: Logits,
    *,
    crop_frames: int,
    stride: int,
    on_progress: Callable[[float], object] | None = None,
) -> SongPrediction:
    """Mean of the crops' probabilities over a whole song, `codes` (n_frames, n_mels) uint8.

    The crops lie `stride` frames apart; only one batch of them is in memory at a time.
    """
    codes = padded(codes, crop_frames)
    starts = crop_starts(codes.shape[0], crop_frames, stride=stride)
    windows = np.lib.stride_tricks.sliding_window_view(codes, crop_frames, axis=0).transpose(0, 2, 1)
    rows: list[FloatArray] = []
    for first in range(0, starts.size, BATCH):
        rows.append(softmax(logits(np.ascontiguousarray(windows[starts[first : first + BATCH]]))))
        if on_progress:
            on_progress(min(1.0, (first + BATCH) / starts.size))
    taggram = np.concatenate(rows)
    return SongPrediction(taggram.mean(axis=0, dtype=np.float64).astype(np.float32), taggram, starts)


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities over the last axis."""
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True), np.float32)


def smoothed(rows: FloatArray) -> FloatArray:
    """What is told of crops one after another, (n_crops, n), each the mean of it and its neighbours: one crop says little."""
    padded = np.pad(rows, ((1, 1), (0, 0)), mode="edge")
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3, np.float32)
