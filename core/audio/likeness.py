"""Likeness: whether two spectrograms are of the same recording, however it was encoded, at whatever level, trimmed or not.

Pure. Two steps, so that large libraries are feasible: `signature` makes a short vector of a song, `candidate_pairs`
finds songs whose vectors are near, and `outline` with `likeness` compares two of them in earnest, moment by moment.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from core.music import CodeArray, FloatArray
from core.recipes import DB_STEP

SAME = 0.6
"""Likeness from which on two songs are the same recording. Measured (`benchmarks/likeness.py`): re-encoded, quietened
or trimmed songs reach 0.86 or more, the same recording from two encoders 0.80 or more, different songs 0.41 at most."""
NEIGHBOURS = 5
"""Nearest songs that are compared in earnest with each song."""
NEAR = 1.0
"""Root mean square difference of two signatures, in deviations of the library, up to which songs are candidates."""
MAX_SHIFT_S = 12.0
"""By how much one of two songs may begin later than the other, seconds."""

CELL = 2  # frames averaged to one cell of an outline
CELL_S = 0.064  # as frames are 32 ms apart, at 16,000 Hz and a hop of 512
BANDS = 16
AROUND = 31  # cells, about 2 s, whose mean is taken off: what stays is the music's course, not its level or its colour
LARGEST = 20.0  # dB; a silence that a codec cuts to nothing is no event of 60 dB
BLOCK = 512  # songs whose distances to all others are in memory at once


def signature(codes: CodeArray) -> FloatArray:
    """What a song sounds like on the whole, (2 * BANDS,), dB: level and liveliness of each group of bands.

    `codes` (n_frames, n_mels). The mean level is taken off, so that gain changes nothing.
    """
    S = _grouped(codes)
    level = S.mean(axis=0)
    liveliness = np.abs(np.diff(S, axis=0, prepend=S[:1])).mean(axis=0)
    return np.concatenate([level - level.mean(), liveliness])


def candidate_pairs(
    signatures: FloatArray, *, neighbours: int = NEIGHBOURS, near: float = NEAR
) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, that may be the same recording: among each other's nearest, and `near`.

    `signatures` (n_songs, n_values). Compared in blocks: memory grows with the number of songs, not with its square.
    """
    n = len(signatures)
    if n < 2:
        return []
    spread = signatures.std(axis=0)
    points = ((signatures - signatures.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
    squares = (points**2).sum(axis=1)
    found: set[tuple[int, int]] = set()
    for first in range(0, n, BLOCK):
        block = points[first : first + BLOCK]
        distance = squares[first : first + BLOCK, None] + squares - 2 * block @ points.T
        distance[np.arange(len(block)), first + np.arange(len(block))] = np.inf
        count = min(neighbours, n - 1)
        nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
        for row, columns in enumerate(nearest):
            for column in columns[distance[row, columns] <= near**2 * points.shape[1]]:
                found.add((min(first + row, int(column)), max(first + row, int(column))))
    return sorted(found)


def outline(codes: CodeArray) -> FloatArray:
    """The course of a song, (n_cells, BANDS): how each group of bands moves, beside the others, about its level, dB.

    `codes` (n_frames, n_mels). A gain, an equaliser or a codec that dulls the treble hardly change it. What all bands do
    together is taken off, for a beat is what songs of one tempo share.
    """
    S = _grouped(codes)
    n_cells = max(1, len(S) // CELL)
    cells = S[: n_cells * CELL].reshape(n_cells, -1, BANDS).mean(axis=1)
    sums = np.concatenate([np.zeros((1, BANDS)), np.cumsum(cells, axis=0, dtype=np.float64)])
    low = np.maximum(np.arange(n_cells) - AROUND // 2, 0)
    high = np.minimum(np.arange(n_cells) + AROUND // 2 + 1, n_cells)
    moved = cells - (sums[high] - sums[low]) / (high - low)[:, None]
    moved = np.clip(moved, -LARGEST, LARGEST)
    return np.asarray(moved - moved.mean(axis=1, keepdims=True), np.float32)


def likeness(a: FloatArray, b: FloatArray) -> float:
    """How alike two outlines, (n_cells, BANDS), are at their best alignment, in [0, 1].

    It is their correlation there, less what overlaps of so few seconds reach by chance: times 1 - 1 s / overlap. So
    sounds of under three seconds are never certain. One may begin up to MAX_SHIFT_S later than the other; half of the
    shorter must overlap.
    """
    shift, needed = round(MAX_SHIFT_S / CELL_S), max(1, min(len(a), len(b)) // 2)
    size = 1 << (len(a) + len(b) - 1).bit_length()
    spectrum = (np.fft.rfft(a, size, axis=0) * np.conj(np.fft.rfft(b, size, axis=0))).sum(axis=1)
    products = np.fft.irfft(spectrum, size)
    offsets = np.arange(-min(shift, len(b) - 1), min(shift, len(a) - 1) + 1)  # cell t of b lies on cell t + offset of a
    begin, end = np.maximum(offsets, 0), np.minimum(len(a), len(b) + offsets)
    offsets, begin, end = (one[end - begin >= needed] for one in (offsets, begin, end))
    energy = _energy(a, begin, end) * _energy(b, begin - offsets, end - offsets)
    correlation = np.where(energy > 0, products[offsets % size] / np.sqrt(np.maximum(energy, 1e-9)), 0.0)
    certain = 1 - 1 / np.maximum((end - begin) * CELL_S, 1)
    return float(np.clip((correlation * certain).max(initial=0.0), 0.0, 1.0))


def same_recording(codes_a: CodeArray, codes_b: CodeArray) -> float:
    """How surely two songs, (n_frames, n_mels) each, are one recording, in [0, 1]: from SAME on they are."""
    return likeness(outline(codes_a), outline(codes_b))


def _energy(one: FloatArray, begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Sums of the squares of cells `begin` to `end`."""
    sums = np.concatenate([[0.0], np.cumsum((one.astype(np.float64) ** 2).sum(axis=1))])
    return np.asarray(sums[end] - sums[begin], np.float64)


def _grouped(codes: CodeArray) -> FloatArray:
    """(n_frames, n_mels) -> (n_frames, BANDS) dB: means of neighbouring bands, without the lowest and highest tenth.

    What lies there is what codecs cut.
    """
    n_mels = codes.shape[1]
    edges = np.linspace(0.1 * n_mels, 0.9 * n_mels, BANDS + 1).astype(int)
    weights = np.zeros((n_mels, BANDS), np.float32)
    for band, (low, high) in enumerate(pairwise(edges)):
        weights[low : max(high, low + 1), band] = DB_STEP / max(high - low, 1)
    grouped: FloatArray = codes.astype(np.float32) @ weights
    return grouped
